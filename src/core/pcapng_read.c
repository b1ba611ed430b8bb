/* SPDX-License-Identifier: BSD-2-Clause */
/* No length in the file is trusted: each is held against the block that it stands in and against a
 * limit of ours before it is used, and what is not looked at is skipped, not loaded. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/core/pcapng.h"

#define SECOND_NS               UINT64_C(1000000000)
#define READER_DATA_LEAST_BYTES 2048

struct reader_interface {
  uint16_t link_type;
  uint32_t snapshot_bytes; /* 0: no limit */
  uint64_t units;          /* of time stamps, in a second */
  int64_t offset_s;        /* added to time stamps */
};

struct pcapng_reader {
  FILE *stream;
  char *name;
  uint64_t offset;       /* of the byte that is read next */
  uint64_t frame_offset; /* of the block that was returned last */
  bool swapped;          /* the section is in the other byte order */
  bool in_section;
  bool is_pcap;
  struct reader_interface *interfaces;
  uint32_t interface_count, interface_capacity;
  uint64_t last_ns;
  uint8_t *data;
  uint32_t data_capacity;
};

/* The block that is being read. */
struct reader_block {
  uint64_t start; /* byte of the file */
  uint32_t type;
  uint32_t bytes; /* all of it */
  uint32_t left;  /* of its body, not read so far */
};

/* ---- Bytes ---- */

__attribute__((format(printf, 4, 5))) static int reader_bad(const struct pcapng_reader *reader,
                                                            struct shunt_error *error,
                                                            uint64_t offset, const char *why, ...)
{
  char text[160];
  va_list arguments;
  va_start(arguments, why);
  vsnprintf(text, sizeof(text), why, arguments);
  va_end(arguments);
  shunt_error_set(error, -EBADMSG, "can't read the capture %s", reader->name);
  shunt_error_why(error, "at byte %" PRIu64 ": %s", offset, text);
  return -EBADMSG;
}

static int reader_short(struct pcapng_reader *reader, struct shunt_error *error)
{
  if (ferror(reader->stream))
    return error_set_errno(error, errno != 0 ? -errno : -EIO, "can't read the capture %s",
                           reader->name);
  return reader_bad(reader, error, reader->offset, "the file ends in the middle of a block");
}

static int reader_get(struct pcapng_reader *reader, void *bytes, size_t count,
                      struct shunt_error *error)
{
  errno = 0;
  size_t got = fread(bytes, 1, count, reader->stream);
  reader->offset += got;
  return got == count ? 0 : reader_short(reader, error);
}

static int reader_skip(struct pcapng_reader *reader, uint64_t count, struct shunt_error *error)
{
  uint8_t scratch[512];
  /* Seeking throws the stream's buffer away: only where that is worth it. */
  if (count > 16 * sizeof(scratch)) {
    if (fseeko(reader->stream, (off_t)count, SEEK_CUR) < 0)
      return reader_short(reader, error);
    reader->offset += count;
    return 0;
  }
  while (count > 0) {
    size_t step = count < sizeof(scratch) ? (size_t)count : sizeof(scratch);
    int code = reader_get(reader, scratch, step, error);
    if (code < 0)
      return code;
    count -= step;
  }
  return 0;
}

static uint16_t reader_u16(const struct pcapng_reader *reader, const void *at)
{
  uint16_t value;
  memcpy(&value, at, sizeof(value));
  return reader->swapped ? __builtin_bswap16(value) : value;
}

static uint32_t reader_u32(const struct pcapng_reader *reader, const void *at)
{
  uint32_t value;
  memcpy(&value, at, sizeof(value));
  return reader->swapped ? __builtin_bswap32(value) : value;
}

static uint64_t reader_u64(const struct pcapng_reader *reader, const void *at)
{
  uint64_t value;
  memcpy(&value, at, sizeof(value));
  return reader->swapped ? __builtin_bswap64(value) : value;
}

/* Read from the body of a block; the caller has seen that it is there. */
static int block_get(struct pcapng_reader *reader, struct reader_block *block, void *bytes,
                     uint32_t count, struct shunt_error *error)
{
  block->left -= count;
  return reader_get(reader, bytes, count, error);
}

/* The fixed part that the body of such a block begins with. */
static int block_begin(struct pcapng_reader *reader, struct reader_block *block, void *bytes,
                       size_t count, const char *what, struct shunt_error *error)
{
  if (block->left < count)
    return reader_bad(reader, error, block->start, "%s of %u bytes", what, block->bytes);
  return block_get(reader, block, bytes, count, error);
}

/* ---- Frames ---- */

static int reader_take_data(struct pcapng_reader *reader, uint32_t bytes, struct shunt_error *error)
{
  if (bytes > reader->data_capacity || reader->data == NULL) {
    uint32_t capacity = bytes < READER_DATA_LEAST_BYTES ? READER_DATA_LEAST_BYTES : bytes;
    uint8_t *data = realloc(reader->data, capacity);
    if (data == NULL)
      return shunt_error_set(error, -ENOMEM, "no memory for a frame of %u bytes", bytes);
    reader->data = data;
    reader->data_capacity = capacity;
  }
  return reader_get(reader, reader->data, bytes, error);
}

/* A time stamp in nanoseconds since 1970, at the ends of the scale where it lies outside. */
static uint64_t reader_time_ns(const struct reader_interface *interface, uint64_t stamp)
{
  __extension__ typedef __int128 wide;
  wide time_ns = (wide)stamp * SECOND_NS / interface->units;
  time_ns += (wide)interface->offset_s * SECOND_NS;
  if (time_ns < 0)
    return 0;
  return time_ns > UINT64_MAX ? UINT64_MAX : (uint64_t)time_ns;
}

static int reader_frame(struct pcapng_reader *reader, struct reader_block *block,
                        struct pcapng_frame *frame, struct shunt_error *error)
{
  uint32_t captured = frame->captured_bytes;
  if (frame->interface >= reader->interface_count)
    return reader_bad(reader, error, block->start, "a frame of interface %u, and there are %u",
                      frame->interface, reader->interface_count);
  if (captured > block->left)
    return reader_bad(reader, error, block->start,
                      "a frame of %u bytes in a block that has room for %u", captured, block->left);
  if (captured > PCAPNG_FRAME_BYTES_MAX)
    return reader_bad(reader, error, block->start, "a frame of %u bytes, and %d is the most",
                      captured, PCAPNG_FRAME_BYTES_MAX);
  int code = reader_take_data(reader, captured, error);
  if (code < 0)
    return code;
  block->left -= captured;
  frame->data = reader->data;
  frame->link_type = reader->interfaces[frame->interface].link_type;
  reader->last_ns = frame->time_ns;
  reader->frame_offset = block->start;
  return 1;
}

/* Enhanced (4.3), and obsolete (A.) packet blocks, which differ in the first word. */
static int reader_packet(struct pcapng_reader *reader, struct reader_block *block,
                         struct pcapng_frame *frame, struct shunt_error *error)
{
  uint8_t fixed[20];
  int code = block_begin(reader, block, fixed, sizeof(fixed), "a packet block", error);
  if (code < 0)
    return code;
  frame->interface =
      block->type == PCAPNG_BLOCK_PACKET ? reader_u16(reader, fixed) : reader_u32(reader, fixed);
  uint64_t stamp = (uint64_t)reader_u32(reader, fixed + 4) << 32 | reader_u32(reader, fixed + 8);
  frame->captured_bytes = reader_u32(reader, fixed + 12);
  frame->original_bytes = reader_u32(reader, fixed + 16);
  frame->time_ns = 0;
  if (frame->interface < reader->interface_count)
    frame->time_ns = reader_time_ns(&reader->interfaces[frame->interface], stamp);
  return reader_frame(reader, block, frame, error);
}

/* 4.4: of interface 0, without time, and as long as the snapshot length lets it be. */
static int reader_simple(struct pcapng_reader *reader, struct reader_block *block,
                         struct pcapng_frame *frame, struct shunt_error *error)
{
  uint8_t fixed[4];
  int code = block_begin(reader, block, fixed, sizeof(fixed), "a packet block", error);
  if (code < 0)
    return code;
  uint32_t limit = reader->interface_count ? reader->interfaces[0].snapshot_bytes : 0;
  frame->interface = 0;
  frame->original_bytes = reader_u32(reader, fixed);
  frame->captured_bytes = frame->original_bytes;
  if (limit != 0 && frame->captured_bytes > limit)
    frame->captured_bytes = limit;
  frame->time_ns = reader->last_ns;
  return reader_frame(reader, block, frame, error);
}

/* ---- Sections and interfaces ---- */

/* if_tsresol: a power of 10, or of 2 where the highest bit is set (4.2). */
static int reader_resolution(struct pcapng_reader *reader, struct reader_interface *interface,
                             uint8_t resolution, uint64_t offset, struct shunt_error *error)
{
  unsigned exponent = resolution & 0x7F;
  bool binary = (resolution & 0x80) != 0;
  if (exponent > (binary ? 63 : 19))
    return reader_bad(reader, error, offset, "times in units of %d^-%u s", binary ? 2 : 10,
                      exponent);
  interface->units = 1;
  for (unsigned i = 0; i < exponent; i++)
    interface->units *= binary ? 2 : 10;
  return 0;
}

static int reader_option(struct pcapng_reader *reader, struct reader_interface *interface,
                         uint16_t code, const uint8_t *value, struct shunt_error *error)
{
  if (code == PCAPNG_IF_TSRESOL)
    return reader_resolution(reader, interface, value[0], reader->offset, error);
  interface->offset_s = (int64_t)reader_u64(reader, value);
  return 0;
}

/* Options up to their end, or to the block's, which the format allows too. */
static int reader_options(struct pcapng_reader *reader, struct reader_block *block,
                          struct reader_interface *interface, struct shunt_error *error)
{
  while (block->left >= 4) {
    uint8_t head[4], value[8];
    uint64_t offset = reader->offset;
    int code = block_get(reader, block, head, sizeof(head), error);
    if (code < 0)
      return code;
    uint16_t option = reader_u16(reader, head);
    uint16_t bytes = reader_u16(reader, head + 2);
    uint32_t padded = (bytes + UINT32_C(3)) & ~UINT32_C(3);
    if (option == PCAPNG_OPTION_END)
      return 0;
    if (padded > block->left)
      return reader_bad(reader, error, offset, "an option of %u bytes, and the block has %u more",
                        bytes, block->left);
    bool wanted =
        (option == PCAPNG_IF_TSRESOL && bytes == 1) || (option == PCAPNG_IF_TSOFFSET && bytes == 8);
    if (wanted) {
      code = block_get(reader, block, value, padded, error);
      if (code == 0)
        code = reader_option(reader, interface, option, value, error);
    } else {
      block->left -= padded;
      code = reader_skip(reader, padded, error);
    }
    if (code < 0)
      return code;
  }
  return 0;
}

static int reader_add_interface(struct pcapng_reader *reader, const struct reader_interface *added,
                                uint64_t offset, struct shunt_error *error)
{
  if (reader->interface_count == PCAPNG_INTERFACES_MAX)
    return reader_bad(reader, error, offset, "more than %d interfaces", PCAPNG_INTERFACES_MAX);
  if (reader->interface_count == reader->interface_capacity) {
    uint32_t capacity = reader->interface_capacity ? 2 * reader->interface_capacity : 4;
    struct reader_interface *interfaces =
        realloc(reader->interfaces, capacity * sizeof(*interfaces));
    if (interfaces == NULL)
      return shunt_error_set(error, -ENOMEM, "no memory for %u interfaces", capacity);
    reader->interfaces = interfaces;
    reader->interface_capacity = capacity;
  }
  reader->interfaces[reader->interface_count++] = *added;
  return 0;
}

static int reader_interface(struct pcapng_reader *reader, struct reader_block *block,
                            struct shunt_error *error)
{
  uint8_t fixed[8];
  int code = block_begin(reader, block, fixed, sizeof(fixed), "an interface block", error);
  if (code < 0)
    return code;
  struct reader_interface interface = {
      .link_type = reader_u16(reader, fixed),
      .snapshot_bytes = reader_u32(reader, fixed + 4),
      .units = 1000000, /* where no option tells (4.2) */
  };
  code = reader_options(reader, block, &interface, error);
  return code < 0 ? code : reader_add_interface(reader, &interface, block->start, error);
}

/* 4.1: what follows is in the byte order of the magic number. Interfaces are numbered anew. */
static int reader_section(struct pcapng_reader *reader, struct reader_block *block,
                          struct shunt_error *error)
{
  uint8_t fixed[12]; /* version, and the section's length, which is not needed */
  int code = block_begin(reader, block, fixed, sizeof(fixed), "a section header", error);
  if (code < 0)
    return code;
  uint16_t major = reader_u16(reader, fixed);
  if (major != 1)
    return reader_bad(reader, error, block->start, "version %u.%u of pcapng, and 1 is known", major,
                      reader_u16(reader, fixed + 2));
  reader->in_section = true;
  reader->interface_count = 0;
  return 0;
}

/* ---- Blocks ---- */

/* Type, length and, of a section header, the byte order. Returns 1, or 0 at the end of the file. */
static int reader_block_begin(struct pcapng_reader *reader, struct reader_block *block,
                              struct shunt_error *error)
{
  uint8_t head[8], magic[4];
  block->start = reader->offset;
  int first = getc(reader->stream);
  if (first == EOF && !ferror(reader->stream))
    return 0;
  ungetc(first, reader->stream);
  int code = reader_get(reader, head, sizeof(head), error);
  if (code < 0)
    return code;
  uint32_t used = sizeof(head);
  if (reader_u32(reader, head) == PCAPNG_BLOCK_SECTION) { /* the same in both byte orders */
    code = reader_get(reader, magic, sizeof(magic), error);
    if (code < 0)
      return code;
    used += sizeof(magic);
    if (reader_u32(reader, magic) != PCAPNG_BYTE_ORDER_MAGIC)
      reader->swapped = !reader->swapped;
    if (reader_u32(reader, magic) != PCAPNG_BYTE_ORDER_MAGIC)
      return reader_bad(reader, error, block->start + 8, "no byte-order magic");
  } else if (!reader->in_section) {
    return reader_bad(reader, error, block->start, "a block before the section header");
  }
  block->type = reader_u32(reader, head);
  block->bytes = reader_u32(reader, head + 4);
  if (block->bytes % 4 != 0 || block->bytes < used + 4)
    return reader_bad(reader, error, block->start, "a block of %u bytes", block->bytes);
  block->left = block->bytes - used - 4;
  return 1;
}

static int reader_block_end(struct pcapng_reader *reader, struct reader_block *block,
                            struct shunt_error *error)
{
  uint8_t again[4];
  int code = reader_skip(reader, block->left, error);
  if (code == 0)
    code = reader_get(reader, again, sizeof(again), error);
  if (code < 0)
    return code;
  uint32_t bytes = reader_u32(reader, again);
  if (bytes != block->bytes)
    return reader_bad(reader, error, reader->offset - 4,
                      "the block's length is %u at its end, and %u at its beginning", bytes,
                      block->bytes);
  return 0;
}

static int reader_block_body(struct pcapng_reader *reader, struct reader_block *block,
                             struct pcapng_frame *frame, struct shunt_error *error)
{
  switch (block->type) {
  case PCAPNG_BLOCK_SECTION:
    return reader_section(reader, block, error);
  case PCAPNG_BLOCK_INTERFACE:
    return reader_interface(reader, block, error);
  case PCAPNG_BLOCK_ENHANCED:
  case PCAPNG_BLOCK_PACKET:
    return reader_packet(reader, block, frame, error);
  case PCAPNG_BLOCK_SIMPLE:
    return reader_simple(reader, block, frame, error);
  default:
    return 0; /* statistics, names, secrets, and what is not known: skipped (3.1) */
  }
}

static int reader_next_block(struct pcapng_reader *reader, struct pcapng_frame *frame,
                             struct shunt_error *error)
{
  for (;;) {
    struct reader_block block = {0};
    int code = reader_block_begin(reader, &block, error);
    if (code <= 0)
      return code;
    int found = reader_block_body(reader, &block, frame, error);
    if (found < 0)
      return found;
    code = reader_block_end(reader, &block, error);
    if (code < 0)
      return code;
    if (found > 0)
      return 1;
  }
}

/* ---- Classic pcap ---- */

static int reader_pcap_header(struct pcapng_reader *reader, struct shunt_error *error)
{
  uint8_t header[24];
  int code = reader_get(reader, header, sizeof(header), error);
  if (code < 0)
    return code;
  uint32_t magic = reader_u32(reader, header);
  reader->swapped = magic != PCAP_MAGIC_US && magic != PCAP_MAGIC_NS;
  magic = reader_u32(reader, header);
  uint16_t major = reader_u16(reader, header + 4);
  if (major != 2)
    return reader_bad(reader, error, 4, "version %u of pcap, and 2 is known", major);
  struct reader_interface interface = {
      .link_type = (uint16_t)reader_u32(reader, header + 20), /* the rest is about the FCS */
      .units = magic == PCAP_MAGIC_NS ? SECOND_NS : 1000000,
  };
  return reader_add_interface(reader, &interface, 0, error);
}

static int reader_next_record(struct pcapng_reader *reader, struct pcapng_frame *frame,
                              struct shunt_error *error)
{
  uint8_t head[16];
  struct reader_block record = {.start = reader->offset, .left = UINT32_MAX};
  int first = getc(reader->stream);
  if (first == EOF && !ferror(reader->stream))
    return 0;
  ungetc(first, reader->stream);
  int code = reader_get(reader, head, sizeof(head), error);
  if (code < 0)
    return code;
  uint64_t unit_ns = SECOND_NS / reader->interfaces[0].units;
  frame->interface = 0;
  frame->time_ns = reader_u32(reader, head) * SECOND_NS + reader_u32(reader, head + 4) * unit_ns;
  frame->captured_bytes = reader_u32(reader, head + 8);
  frame->original_bytes = reader_u32(reader, head + 12);
  return reader_frame(reader, &record, frame, error);
}

/* ---- The reader ---- */

static bool reader_is_pcap(uint32_t magic)
{
  uint32_t other = __builtin_bswap32(magic);
  return magic == PCAP_MAGIC_US || magic == PCAP_MAGIC_NS || other == PCAP_MAGIC_US ||
         other == PCAP_MAGIC_NS;
}

int pcapng_reader_rewind(struct pcapng_reader *reader, struct shunt_error *error)
{
  if (fseeko(reader->stream, 0, SEEK_SET) < 0) {
    int code = error_set_errno(error, -errno, "can't read the capture %s twice", reader->name);
    shunt_error_remedy(error, "give a file, not a pipe");
    return code;
  }
  clearerr(reader->stream);
  reader->offset = 0;
  reader->swapped = false;
  reader->in_section = false;
  reader->interface_count = 0;
  reader->last_ns = 0;
  return reader->is_pcap ? reader_pcap_header(reader, error) : 0;
}

static int reader_look(struct pcapng_reader *reader, struct shunt_error *error)
{
  uint32_t magic;
  errno = 0;
  size_t got = fread(&magic, 1, sizeof(magic), reader->stream);
  if (got < sizeof(magic) && ferror(reader->stream))
    return reader_short(reader, error);
  if (got < sizeof(magic))
    return reader_bad(reader, error, got, "the file ends here: it is no capture");
  reader->is_pcap = reader_is_pcap(magic);
  if (!reader->is_pcap && magic != PCAPNG_BLOCK_SECTION)
    return reader_bad(reader, error, 0, "neither a pcapng nor a pcap file begins like this");
  return pcapng_reader_rewind(reader, error);
}

int pcapng_reader_open_stream(FILE *stream, const char *name, struct pcapng_reader **reader,
                              struct shunt_error *error)
{
  struct pcapng_reader *made = calloc(1, sizeof(*made));
  char *copy = strdup(name);
  if (made == NULL || copy == NULL) {
    free(made);
    free(copy);
    fclose(stream);
    return shunt_error_set(error, -ENOMEM, "no memory to read the capture %s", name);
  }
  made->stream = stream;
  made->name = copy;
  int code = reader_look(made, error);
  if (code < 0) {
    pcapng_reader_close(made);
    return code;
  }
  *reader = made;
  return 0;
}

int pcapng_reader_open(const char *path, struct pcapng_reader **reader, struct shunt_error *error)
{
  FILE *stream = fopen(path, "rbe");
  if (stream == NULL)
    return error_set_errno(error, -errno, "can't read the capture %s", path);
  return pcapng_reader_open_stream(stream, path, reader, error);
}

int pcapng_reader_next(struct pcapng_reader *reader, struct pcapng_frame *frame,
                       struct shunt_error *error)
{
  return reader->is_pcap ? reader_next_record(reader, frame, error)
                         : reader_next_block(reader, frame, error);
}

uint64_t pcapng_reader_offset(const struct pcapng_reader *reader)
{
  return reader->frame_offset;
}

void pcapng_reader_close(struct pcapng_reader *reader)
{
  if (reader == NULL)
    return;
  fclose(reader->stream);
  free(reader->interfaces);
  free(reader->data);
  free(reader->name);
  free(reader);
}
