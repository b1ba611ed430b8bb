/* SPDX-License-Identifier: BSD-2-Clause */
/* Capture files: pcapng written, pcapng and classic pcap read. Knows nothing of wires and ports.
 *
 * Formats: draft-ietf-opsawg-pcapng and draft-ietf-opsawg-pcap (section numbers are theirs). */
#ifndef SHUNT_CORE_PCAPNG_H
#define SHUNT_CORE_PCAPNG_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/uio.h>

#include "shunt/base.h"
#include "shunt/error.h"

#define PCAPNG_LINK_ETHERNET 1 /* LINKTYPE_ETHERNET */

/* Block types (4) and magic numbers. */
#define PCAPNG_BLOCK_SECTION    UINT32_C(0x0A0D0D0A)
#define PCAPNG_BLOCK_INTERFACE  UINT32_C(0x00000001)
#define PCAPNG_BLOCK_PACKET     UINT32_C(0x00000002) /* obsolete */
#define PCAPNG_BLOCK_SIMPLE     UINT32_C(0x00000003)
#define PCAPNG_BLOCK_STATISTICS UINT32_C(0x00000005)
#define PCAPNG_BLOCK_ENHANCED   UINT32_C(0x00000006)
#define PCAPNG_BYTE_ORDER_MAGIC UINT32_C(0x1A2B3C4D)
#define PCAP_MAGIC_US           UINT32_C(0xA1B2C3D4)
#define PCAP_MAGIC_NS           UINT32_C(0xA1B23C4D)

/* Option codes (3.5, 4.1, 4.2, 4.3, 4.6). */
#define PCAPNG_OPTION_END     0
#define PCAPNG_OPTION_COMMENT 1
#define PCAPNG_SHB_USERAPPL   4
#define PCAPNG_IF_NAME        2
#define PCAPNG_IF_DESCRIPTION 3
#define PCAPNG_IF_TSRESOL     9
#define PCAPNG_IF_TSOFFSET    14
#define PCAPNG_EPB_FLAGS      2
#define PCAPNG_EPB_QUEUE      6
#define PCAPNG_ISB_STARTTIME  2
#define PCAPNG_ISB_ENDTIME    3
#define PCAPNG_ISB_IFRECV     4
#define PCAPNG_ISB_IFDROP     5

/* ---- Writing ---- */

struct pcapng_writer;

/* Which way a frame went, seen from its interface (4.3.1, epb_flags bits 0-1). */
enum pcapng_direction {
  PCAPNG_DIRECTION_UNKNOWN = 0,
  PCAPNG_DIRECTION_INBOUND = 1,
  PCAPNG_DIRECTION_OUTBOUND = 2,
};

/* Create or replace a file, and write its section header.
 *
 * application  who writes it, for the reader's information; NULL: unnamed
 * Returns      0, -ENOMEM, or the errno of open or write */
int pcapng_writer_open(const char *path, const char *application, struct pcapng_writer **writer,
                       struct shunt_error *error);

/* The same to a file descriptor, which may be a pipe. name is for errors.
 * Owner  the writer closes it, also where this fails */
int pcapng_writer_open_fd(int fd, const char *name, const char *application,
                          struct pcapng_writer **writer, struct shunt_error *error);

struct pcapng_interface {
  const char *name;        /* texts: NULL where there is nothing to say */
  const char *description; /* what device it is */
  const char *comment;     /* for whoever reads the file */
  uint32_t snapshot_bytes; /* most bytes of a frame that will be written; 0: all */
};

/* Describe one more Ethernet interface, with times in nanoseconds. Returns its number, from 0 on,
 * or the errno of a write. */
int pcapng_writer_interface(struct pcapng_writer *writer, const struct pcapng_interface *interface);

struct pcapng_packet {
  int interface;    /* from pcapng_writer_interface */
  uint64_t time_ns; /* since 1970, or whatever the file's times are to mean */
  enum pcapng_direction direction;
  bool has_queue; /* whether queue, the interface's, is told */
  uint32_t queue;
  uint32_t original_bytes; /* length on the wire, at least that of the pieces */
};

/* Write one frame.
 *
 * pieces, n  the frame, gathered; at most the interface's snapshot_bytes of it are written
 * Returns    0, -EINVAL (no such interface), or the errno of the first write that failed: nothing
 *            is written after that one */
int pcapng_writer_frame(struct pcapng_writer *writer, const struct pcapng_packet *packet,
                        const struct iovec pieces[], unsigned n);

/* What an interface has counted from start_ns to end_ns (4.6). */
struct pcapng_statistics {
  int interface;
  uint64_t start_ns, end_ns;
  uint64_t received; /* all, those dropped included */
  uint64_t dropped;  /* for want of room, so they are not in the file */
};
/* Returns as pcapng_writer_frame. */
int pcapng_writer_statistics(struct pcapng_writer *writer,
                             const struct pcapng_statistics *statistics);

/* Hand what is buffered to the kernel. Returns 0 or the errno of the first write that failed. */
int pcapng_writer_flush(struct pcapng_writer *writer);

/* Flush and close. NULL is fine. Returns as pcapng_writer_flush. */
int pcapng_writer_close(struct pcapng_writer *writer);

/* ---- Reading ---- */

/* Longest frame that is read: the largest snapshot length that capture tools know. */
#define PCAPNG_FRAME_BYTES_MAX 262144
/* Most interfaces that a section may describe. */
#define PCAPNG_INTERFACES_MAX 65536

struct pcapng_reader;

struct pcapng_frame {
  uint64_t
      time_ns; /* since 1970; of a simple packet block, which has none, that of the frame before */
  uint32_t interface; /* in its section */
  uint16_t link_type;
  uint32_t captured_bytes; /* length of data */
  uint32_t original_bytes;
  const uint8_t *data; /* the reader's, until its next call */
};

/* Open a file, and look at its first bytes.
 *
 * Memory   that of the longest frame in the file and 16 bytes for each interface
 * Returns  0, -ENOMEM, the errno of open, -ESPIPE (can't be rewound), or -EBADMSG: neither pcapng
 *          nor pcap; every -EBADMSG names the byte and what is wrong there */
int pcapng_reader_open(const char *path, struct pcapng_reader **reader, struct shunt_error *error);

/* The same from a stream, which must be at its beginning. name is for errors.
 * Owner  the reader closes the stream, also where this fails */
int pcapng_reader_open_stream(FILE *stream, const char *name, struct pcapng_reader **reader,
                              struct shunt_error *error);

/* The next frame. Returns 1, or 0 at the end of the file, or -EBADMSG, -ENOMEM, or the errno of
 * read. */
int pcapng_reader_next(struct pcapng_reader *reader, struct pcapng_frame *frame,
                       struct shunt_error *error);

/* Where the frame that was read last begins: the byte at which its block stands. */
uint64_t pcapng_reader_offset(const struct pcapng_reader *reader);

/* Begin again. Returns 0 or the errno of seek. */
int pcapng_reader_rewind(struct pcapng_reader *reader, struct shunt_error *error);

/* NULL is fine. */
void pcapng_reader_close(struct pcapng_reader *reader);

#endif
