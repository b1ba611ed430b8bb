/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of packets and events: what its files ask of each other, and the operations that they
 * give an interface (ops.c). */
#ifndef SRC_EFVI_PATH_H
#define SRC_EFVI_PATH_H

#include "src/efvi/efvi.h"

/* prefix.c */
/* Bytes of the prefix of an interface with these flags. */
uint32_t efvi_prefix_bytes(uint64_t flags);
/* In front of the packet of those pieces, all that it has. filter: that took it. */
void efvi_prefix_write(const struct efvi_vi *vi, uint8_t *prefix, const struct shunt_frame pieces[],
                       unsigned n, int filter);
int efvi_receive_get_timestamp(ef_vi *user, const void *pkt, ef_precisetime *time);
int32_t efvi_receive_get_filter_id(ef_vi *user, const ef_event *event, const void *pkt);

/* clock.c */
/* Compare a clock with UTC. read_ns NULL: the kernel's. */
void efvi_clock_start(struct efvi_clock *clock, int id, uint64_t (*read_ns)(int id));
/* When a frame came, by the device's clock for received ones; 0: not known. An 82599 stamps PTP's
 * event messages alone, by a clock of its own (EFVI_STAMP_DEVICE is set then): of others it is when
 * they were polled, by the kernel's clock. */
#define EFVI_STAMP_DEVICE (UINT64_C(1) << 63)
uint64_t efvi_stamp_ns(const struct efvi_device *device, const struct shunt_frame *frame);
/* A frame's time by the clock, as what the calls hand out: UTC where that can be known. 0 is none.
 * One time is always the same, and a later one is later, unless meanwhile UTC is set, or a
 * comparison of clocks that was held up 100 times is followed by one that was not. Returns 0 or
 * -ENODATA. */
int efvi_time_of(struct efvi_clock *clock, uint64_t time_ns, ef_precisetime *time);

/* receive.c */
int efvi_receive_init(ef_vi *user, ef_addr addr, ef_request_id id);
void efvi_receive_push(ef_vi *user);
int efvi_receive_set_discards(ef_vi *user, unsigned flags);
uint64_t efvi_receive_get_discards(ef_vi *user);
/* Poll the device where nothing waits. Returns whether a frame, or a part of one, waits. */
bool efvi_receive_waits(struct efvi_vi *vi);
/* Turn waiting frames into at most n events. Returns how many. */
int efvi_receive_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
/* Leave out what no filter takes of the frames that were polled. */
void efvi_frames_filter(struct efvi_vi *vi);
/* Forget all frames and buffers. */
void efvi_receive_flush(struct efvi_vi *vi);
/* The flags of a discard that a frame's are. */
unsigned efvi_discard_flags(uint32_t frame_flags);
/* The frame at frame_next is used up. Returns whether it was a packet's last piece. */
bool efvi_piece_done(struct efvi_vi *vi);
/* The same, of a frame whose buffer somebody keeps. */
bool efvi_piece_keep(struct efvi_vi *vi);
/* Hand the device buffers, up to count. */
void efvi_receive_give(struct efvi_vi *vi, uint32_t count);

/* spread.c: several queues of an interface. Interfaces of such a device share what comes by any. */
/* A queue that has its buffers, of a port that was just opened. Returns 0 or -ENOMEM. */
int efvi_spread_start(struct efvi_device *device, struct efvi_queue *queue);
void efvi_spread_end(struct efvi_queue *queue);
/* Others may hand it frames from now on, and not any more; then its queue is nobody's. */
void efvi_spread_join(struct efvi_vi *vi);
void efvi_spread_leave(struct efvi_vi *vi);
void efvi_spread_left(struct efvi_queue *queue);
/* As shunt_rx_poll, of what was handed over and of its own queue. */
unsigned efvi_spread_poll(struct efvi_vi *vi, struct shunt_frame frames[], unsigned n);
/* A piece of its own queue's that no filter of its takes: give it to whom it belongs. */
void efvi_spread_pass(struct efvi_vi *vi, const struct shunt_frame *frame);
/* All such pieces of what was polled last have been given. */
void efvi_spread_sorted(struct efvi_vi *vi);
/* Whether the buffer is of the inbox; it is used up; the device gets all that the interface has. */
bool efvi_spread_keeps(const struct efvi_vi *vi, shunt_buf buf);
void efvi_spread_release(struct efvi_vi *vi, shunt_buf buf);
void efvi_spread_give(struct efvi_vi *vi);
/* It may sleep: have frames wake the handle that are handed over, or come by any queue. Returns 0
 * or a negative errno. */
int efvi_spread_watch(struct efvi_vi *vi, ef_driver_handle handle, struct shunt_error *error);
void efvi_spread_arm(struct efvi_vi *vi);
/* The interface ends, and with it what its handle wakes for. Lock held. */
void efvi_spread_unwatch(struct efvi_vi *vi);

/* packed.c: the event of frames that wait, or 0: they found no room. */
int efvi_packed_event(struct efvi_vi *vi, uint8_t q_id, ef_event *event);
/* Bytes of a buffer of a packed stream. */
uint32_t efvi_packed_bytes(const struct efvi_vi *vi);

/* express.c */
int efvi_express_start(struct efvi_vi *vi);
int efvi_express_set_count(ef_vi *user, size_t count);
int efvi_express_event(struct efvi_vi *vi, uint8_t q_id, ef_event *event);
/* Whether pkt is a packet that the program has; its time. */
bool efvi_express_time(const struct efvi_vi *vi, const void *pkt, uint64_t *time_ns);
/* Take back what the program has. */
void efvi_express_flush(struct efvi_vi *vi);

/* transmit.c */
int efvi_transmit(ef_vi *user, ef_addr base, int len, ef_request_id id);
int efvi_transmitv(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
int efvi_transmitv_init(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
void efvi_transmit_push(ef_vi *user);
void efvi_start_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved, char *ctpio);
void efvi_stop_transmit_warm(ef_vi *user, ef_vi_tx_warm_state *saved);
/* A packet from this process's memory: unchanged, and past the alternatives, where straight. */
int efvi_transmit_copy(struct efvi_vi *vi, const struct iovec *iov, int iov_len, uint64_t bytes,
                       bool straight, ef_request_id id);
/* Ask the device. Returns how many descriptors are done and not yet told of. */
uint32_t efvi_transmit_waits(struct efvi_vi *vi);
int efvi_transmit_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
void efvi_transmit_flush(struct efvi_vi *vi);

/* pio.c: PIO and CTPIO */
int efvi_transmit_pio(ef_vi *user, int offset, int len, ef_request_id id);
int efvi_transmit_copy_pio(ef_vi *user, int offset, const void *data, int len, ef_request_id id);
void efvi_transmit_pio_warm(ef_vi *user);
void efvi_transmit_copy_pio_warm(ef_vi *user, int offset, const void *data, int len);
void efvi_transmitv_ctpio(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                          unsigned threshold);
void efvi_transmitv_ctpio_copy(ef_vi *user, size_t bytes, const struct iovec *iov, int iov_len,
                               unsigned threshold, void *fallback);
int efvi_transmit_ctpio_fallback(ef_vi *user, ef_addr addr, size_t len, ef_request_id id);
int efvi_transmitv_ctpio_fallback(ef_vi *user, const ef_iovec *iov, int iov_len, ef_request_id id);
/* The interface ends, and the handle is closed that regions were made with. Lock held. */
void efvi_pio_unlink(struct efvi_vi *vi);
void efvi_pios_end(ef_driver_handle handle);

/* alternative.c */
int efvi_alt_select(ef_vi *user, unsigned alt_id);
int efvi_alt_select_normal(ef_vi *user);
int efvi_alt_stop(ef_vi *user, unsigned alt_id);
int efvi_alt_go(ef_vi *user, unsigned alt_id);
int efvi_alt_discard(ef_vi *user, unsigned alt_id);
/* Take count buffers that lie in a row. Returns the first, or -ENOSPC. */
int efvi_alt_take(struct efvi_vi *vi, uint32_t count);
/* Give up a packet that never got to its alternative. */
void efvi_alt_undo(struct efvi_vi *vi, const struct efvi_tx_slot *slot);
/* The packet in a slot goes to its alternative. */
void efvi_alt_put(struct efvi_vi *vi, const struct efvi_tx_slot *slot);
/* Poll completions, the alternatives' among them, and count those of the ring in tx_done. */
void efvi_alt_poll(struct efvi_vi *vi);
int efvi_alt_events(struct efvi_vi *vi, uint8_t q_id, ef_event events[], int n);
/* Forget every packet that waits. */
void efvi_alt_flush(struct efvi_vi *vi);

/* sums.c: fill in the checksums of a packet to send. ip, l4: which. */
void efvi_sums_fill(uint8_t *frame, uint32_t bytes, bool ip, bool l4);

/* fast.c: give a new interface the operations of its device that take no detour. */
void efvi_fast_install(struct efvi_vi *vi);
/* quick.c: have them know its filters, after each change of these. */
void efvi_quick_update(struct efvi_filters *filters);

/* event.c */
int efvi_eventq_poll(ef_vi *user, ef_event *events, int n);
int efvi_receive_poll(ef_vi *user, ef_event *events, int n);
int efvi_eventq_has_event(const ef_vi *user);
int efvi_eventq_has_many_events(const ef_vi *user, int n);

/* wake.c */
void efvi_eventq_prime(ef_vi *user);
/* Wake who sleeps until the event queue has events. Lock held, or nobody else has the queue. */
void efvi_wake(const struct efvi_vi *vi);
/* Packets are on their way from an interface that is primed. */
void efvi_wake_sent(struct efvi_vi *vi);
/* Events were taken from the event queue: what it was primed for is over. */
void efvi_wake_over(const ef_vi *user);
/* The interface ends. */
void efvi_wake_end(struct efvi_vi *vi);
/* Have frames that come by the queue wake the handle once it is armed, and not any more. Returns 0
 * or a negative errno. */
int efvi_watch(struct shunt_queue *queue, ef_driver_handle handle, struct shunt_error *error);
void efvi_unwatch(struct shunt_queue *queue, ef_driver_handle handle);
/* A timer in the handle. Returns its descriptor or a negative errno. */
int efvi_timer_open(ef_driver_handle handle);

/* timer.c */
void efvi_timer_prime(ef_vi *user, unsigned us);
void efvi_timer_run(ef_vi *user, unsigned us);
void efvi_timer_clear(ef_vi *user);
void efvi_timer_zero(ef_vi *user);
/* The queue was polled: what was primed runs where there were events, and what has run out is over.
 */
void efvi_timer_polled(struct efvi_vi *vi, bool events);
/* Whether the timer has run out since the last look; it has not any more. */
bool efvi_timer_expired(struct efvi_vi *vi);

/* ops.c */
extern const struct ops efvi_ops;        /* of an interface that is alive */
extern const struct ops efvi_ops_closed; /* closed.c: of one that is not: every call says -EINVAL */

#endif
