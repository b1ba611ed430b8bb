/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/core/pcapng.h"
#include "twin/wire/wire.h"

#define RECORD_FLUSH_NS 100000000

struct wire_record {
  struct pcapng_writer *writer;
  char *path;
  bool written;      /* since the last flush */
  uint64_t flush_ns; /* when the next one is due */
};

void wire_record_end_attached(struct shunt_wire *wire, struct shunt_wire_end *end)
{
  const struct pcapng_interface interface = {.name = end->name,
                                             .snapshot_bytes = SHUNT_WIRE_FRAME_BYTES};
  if (wire->record != NULL)
    end->record_interface = pcapng_writer_interface(wire->record->writer, &interface);
}

int shunt_wire_record(struct shunt_wire *wire, const char *path, struct shunt_error *error)
{
  if (wire->record != NULL) {
    int code = shunt_error_set(error, -EBUSY, "can't record the wire %s to %s", wire->name, path);
    shunt_error_why(error, "it is being recorded to %s", wire->record->path);
    return code;
  }
  struct wire_record *record = calloc(1, sizeof(*record));
  char *copy = strdup(path);
  int code = -ENOMEM;
  if (record == NULL || copy == NULL)
    shunt_error_set(error, code, "no memory to record the wire %s", wire->name);
  else
    code = pcapng_writer_open(path, "shunt " SHUNT_VERSION, &record->writer, error);
  if (code < 0) {
    free(record);
    free(copy);
    return code;
  }
  record->path = copy;
  wire->record = record;
  for (unsigned i = 0; i < wire->end_count; i++)
    wire_record_end_attached(wire, wire->ends[i]);
  wire_update_direct(wire);
  return 0;
}

int shunt_wire_record_end(struct shunt_wire *wire, struct shunt_error *error)
{
  struct wire_record *record = wire->record;
  if (record == NULL)
    return 0;
  wire->record = NULL;
  wire_update_direct(wire);
  int code = pcapng_writer_close(record->writer);
  if (code < 0)
    error_set_errno(error, code, "the capture %s is not complete", record->path);
  free(record->path);
  free(record);
  return code;
}

/* After a write has failed the writer takes no more; shunt_wire_record_end tells. */
void wire_record_frame(struct shunt_wire *wire, const struct shunt_wire_end *end,
                       const struct iovec pieces[], unsigned n, uint64_t now_ns)
{
  struct pcapng_packet packet = {.interface = end->record_interface,
                                 .time_ns = now_ns + (uint64_t)wire->epoch_ns,
                                 .direction = PCAPNG_DIRECTION_OUTBOUND};
  for (unsigned i = 0; i < n; i++)
    packet.original_bytes += (uint32_t)pieces[i].iov_len;
  pcapng_writer_frame(wire->record->writer, &packet, pieces, n);
  wire->record->written = true;
}

void wire_record_poll(struct shunt_wire *wire, uint64_t now_ns)
{
  struct wire_record *record = wire->record;
  if (now_ns < record->flush_ns)
    return;
  record->flush_ns = now_ns + RECORD_FLUSH_NS;
  if (record->written)
    pcapng_writer_flush(record->writer);
  record->written = false;
}
