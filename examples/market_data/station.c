/* SPDX-License-Identifier: BSD-2-Clause */
#include "station.h"

#include <errno.h>
#include <string.h>

int station_open(struct station *station, const char *name, struct shunt_testbed *testbed,
                 struct shunt_error *error)
{
  const struct shunt_port_options options = {.size = sizeof(options), .testbed = testbed};
  *station = (struct station){.info = {.size = sizeof(station->info)}};
  int code = shunt_port_open(name, &options, &station->port, error);
  if (code)
    return code;
  shunt_port_info(station->port, &station->info);
  station->q = shunt_port_queue(station->port, 0);
  code = shunt_pool_create(shunt_port_region(station->port),
                           station->info.rx_ring + station->info.tx_ring, &station->pool, error);
  if (!code)
    shunt_rx_fill(station->q, station->pool);
  return code;
}

void station_close(struct station *station)
{
  shunt_pool_destroy(station->pool);
  shunt_port_close(station->port);
  *station = (struct station){.port = NULL};
}

int station_is_up(struct station *station, struct shunt_error *error)
{
  struct shunt_link link = {.size = sizeof(link)};
  int code = shunt_port_link(station->port, &link, error);
  if (code || link.up)
    return code ? code : 1;
  shunt_error_set(error, -ETIMEDOUT, "%s has no link", station->info.name);
  shunt_error_why(error, "%s", link.diagnosis);
  return 0;
}

unsigned station_reclaim(struct station *station)
{
  shunt_buf bufs[STATION_BURST];
  for (unsigned n; (n = shunt_tx_poll(station->q, bufs, STATION_BURST)) != 0;) {
    shunt_pool_give(station->pool, bufs, n);
    station->under_way -= n;
  }
  return station->under_way;
}

bool station_room(struct station *station, unsigned n)
{
  if (station->info.tx_ring - 1 - station->under_way < n)
    station_reclaim(station);
  return station->info.tx_ring - 1 - station->under_way >= n;
}

void station_send(struct station *station, const void *frame, uint32_t bytes)
{
  struct shunt_frame posted = {.len = 0};
  if (!station_room(station, 1) || bytes > station->q->buf_bytes ||
      !shunt_pool_take(station->pool, &posted.addr, 1)) {
    station->refused++;
    return;
  }
  void *data = shunt_frame_data(station->q, &posted);
  memcpy(data, frame, bytes);
  posted.len = (uint16_t)shunt_ethernet_pad(data, bytes, station->q->buf_bytes);
  if (shunt_tx_post(station->q, &posted, 1)) {
    station->under_way++;
    station->sent++;
    return;
  }
  shunt_pool_give(station->pool, &posted.addr, 1);
  station->refused++;
}
