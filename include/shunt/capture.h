/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeing the traffic that goes past the kernel: what a port of any process receives and sends.
 *
 * A port that was opened with the option (or key) capture can be attached to, by one process at a
 * time, at any time. Its verbs then copy each frame, with a time, to a ring in shared memory, one
 * for each queue; the reader takes them from there. The port never waits: a frame that finds its
 * ring full is counted as dropped. Detached, which the end of the reader also is, the port's verbs
 * read one word a burst and go on.
 *
 * What is recorded is what the NIC gave and what it took: frames that tx_post refuses are not
 * recorded, nor what the NIC does to frames behind it. So a sent frame is as long as it was posted,
 * not padded to 60 bytes, and its checksums are not filled in where the NIC was asked to do that.
 * VLAN tags that the NIC has taken off or is to put on stand in the frame as on the wire.
 *
 * The memory is a file descriptor of the port's process, which is found and opened through /proc.
 * There is nothing to clean up after a process that was killed. Who may attach is who may look into
 * the process (ptrace(2), PTRACE_MODE_READ_FSCREDS): root, and its own user unless it has more
 * privileges than the reader. Neither side can do the other harm, whatever it writes there.
 *
 *   n = shunt_capture_list(0, ports, 16, &error);
 *   shunt_capture_attach(&ports[0], NULL, &capture, &error);
 *   while ((code = shunt_capture_next(capture, &record, &error)) >= 0)
 *     if (code)
 *       ... record.data, record.time_ns ...
 *     else
 *       ... nothing just now ...
 *   shunt_capture_detach(capture); */
#ifndef SHUNT_CAPTURE_H
#define SHUNT_CAPTURE_H

#include "shunt/base.h"
#include "shunt/error.h"

SHUNT_BEGIN_DECLS

struct shunt_capture;

/* A port that can be attached to. */
struct shunt_capture_port {
  uint32_t pid;     /* of the process that has it open */
  uint32_t fd;      /* there, of the shared memory */
  char process[16]; /* its name (comm) */
  char name[192];   /* of the port, as it was opened */
  char driver[32];
  char device[96]; /* "Intel 82599 (10FB, SFP+)" */
  char path[96];   /* how it is reached */
  uint32_t queues;
  uint32_t reader; /* the process that captures it now; 0: none */
  uint8_t model;   /* 1: a software twin: its times are not hardware's */
};

/* Find the ports that can be attached to, of all processes that the caller may look into.
 *
 * pid       of that process alone; 0: of all
 * ports, n  where to and how many fit; n may be 0
 * Thread    any. Walks /proc: some milliseconds
 * Returns   how many there are, which may be more than n; or
 *   -ESRCH  there is no process pid
 *   -EPERM  it may not be looked into
 *   another errno of reading /proc */
int shunt_capture_list(uint32_t pid, struct shunt_capture_port ports[], unsigned n,
                       struct shunt_error *error);

#define SHUNT_CAPTURE_RX UINT32_C(1) /* what the NIC received */
#define SHUNT_CAPTURE_TX UINT32_C(2) /* what it was given to send */

/* The longest part of a frame that is recorded. */
#define SHUNT_CAPTURE_SNAPLEN_MOST 16384

struct shunt_capture_options {
  size_t size;          /* sizeof(struct shunt_capture_options) */
  uint32_t snaplen;     /* most bytes of a frame, 1..SHUNT_CAPTURE_SNAPLEN_MOST; 0: that */
  uint32_t directions;  /* SHUNT_CAPTURE_*; 0: both */
  uint32_t first_queue; /* the first queue, and how many from there on; 0: all */
  uint32_t queues;
};

/* Begin to record. What the port's queues move from now on is recorded.
 *
 * port     as shunt_capture_list has found it
 * options  NULL for the defaults
 * capture  where it goes; untouched on failure
 * Owner    the caller, until shunt_capture_detach
 * Thread   any; afterwards the one that owns the capture
 * Memory   8 MiB for each queue recorded, that of the port's process
 * Returns  0, or
 *   -EINVAL   no such queue, or an option is out of range
 *   -ESRCH    the port, or its process, is gone
 *   -EPERM    the process may not be looked into
 *   -EBUSY    somebody else captures it: the error says who
 *   -EBADMSG  what lies there is no port's memory; the error says what is wrong
 *   -ENOMEM */
int shunt_capture_attach(const struct shunt_capture_port *port,
                         const struct shunt_capture_options *options,
                         struct shunt_capture **capture, struct shunt_error *error);

struct shunt_capture_record {
  uint64_t time_ns;     /* Unix time at which the burst was polled or posted, by the port's clock:
                           one reading a burst. Never steps back within a queue */
  uint64_t nic_time_ns; /* when the NIC received it, by the NIC's clock, whatever that counts
                           from (see rx_time in shunt/port.h); 0: it has no stamp */
  uint32_t direction;   /* SHUNT_CAPTURE_RX or SHUNT_CAPTURE_TX */
  uint32_t queue;       /* index */
  uint32_t original_bytes; /* length of the frame, without FCS */
  uint32_t captured_bytes; /* length of data: the same, or the snaplen */
  const uint8_t *data;
};

/* Take the next record: of all queues' next ones the earliest. Never waits.
 *
 * record   filled where the call returns 1
 * Owner    record->data is the capture's, until its next call
 * Thread   the one that owns the capture
 * Returns  1; 0 where there is none just now; or, once all that was recorded has been taken,
 *   -ENODEV     the port was closed, or its process has ended: the error says which
 *   -ETIMEDOUT  the ring was full and nothing read for a minute, so the port has given up
 *   -EBADMSG    what the port's process has written is no record: the error says what is wrong */
int shunt_capture_next(struct shunt_capture *capture, struct shunt_capture_record *record,
                       struct shunt_error *error);

/* Stop recording. What was recorded can still be taken. Thread: the one that owns the capture. */
void shunt_capture_stop(struct shunt_capture *capture);

struct shunt_capture_counts {
  size_t size;                               /* set by the caller */
  uint64_t rx_frames, tx_frames;             /* taken by shunt_capture_next */
  uint64_t rx_bytes, tx_bytes;               /* of these, their original lengths */
  uint64_t rx_dropped_full, tx_dropped_full; /* frames that found no room in their ring */
};
/* Since the capture began. Once it was stopped and all was taken, frames and dropped together are
 * all that the port has moved meanwhile. Thread: the one that owns the capture. */
void shunt_capture_counts(const struct shunt_capture *capture, struct shunt_capture_counts *counts);

/* Stop and let others attach. NULL is fine. */
void shunt_capture_detach(struct shunt_capture *capture);

SHUNT_END_DECLS

#endif
