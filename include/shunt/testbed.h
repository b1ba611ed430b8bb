/* SPDX-License-Identifier: BSD-2-Clause */
/* A testbed: the twins and wires of this process, by name, polled together.
 *
 * Device names that say "twin" live on a testbed. Two ports opened with the same testbed and the
 * same wire are joined:
 *
 *   shunt_testbed_create(NULL, &testbed, &error);
 *   options.testbed = testbed;
 *   shunt_port_open("ixgbe:twin?wire=a", &options, &left, &error);
 *   shunt_port_open("ixgbe:twin?wire=a", &options, &right, &error);
 *   while (running) { shunt_testbed_poll(testbed); ... }
 *
 * Keys of a twin's name, all optional; those of an 82599:
 *
 *   wire=NAME            the wire that it hangs on; twins of one name are joined. Without it the
 *                        twin has a wire of its own, which ends with it
 *   id=10fb|10f9|10fc    device id; 10fb (SFP+)
 *   mac=02:...           its MAC address; else made from the order of creation, and at an end of a
 *                        UDP tunnel from its local port
 *   mode=shared|trap     registers of the queues as shared memory, or every access trapped; shared
 *   module=cu1m|sr|none  what is in the SFP+ cage (10fb only); cu1m, a direct attach cable
 *   cable=in|out         out: the link stays down; in
 *
 * Those of an EFA's twin (kind "efa"), beside wire and mac:
 *
 *   id=efa0|efa1|efa2    device id: without RDMA, with RDMA read, with both; efa2
 *   paths=N              that a message may take, 1 to 64; 8
 *   give_up_ms=N         without an answer a work request fails; 4000
 *   keep_alive_ms=N      between keep-alive events; 0: none; 1000
 *   reuse_qpn=0|1        give out a queue pair's number again at once; 0
 *
 * and of its wire, which the first twin on a wire sets, and no other may:
 *
 *   tap=IFACE            join a TAP interface         tap_mtu=N      its MTU; 9000
 *   udp=LOCAL,REMOTE     join a UDP tunnel, e.g. udp=127.0.0.1:4000,127.0.0.1:4001
 *   play=FILE            play a capture               play_speed=X   1; 0: as fast as it goes
 *   record=FILE          record to pcapng             play_loops=N   how often; 1
 *   play_delay_us=X      from carrier to the first frame played, so that a port can come up; 500000
 *   seed=N               of all that is random        rate_mbps=X    impairments, in every
 *   loss=P  duplicate=P  reorder=P  corrupt=P         delay_us=X     direction; P from 0 to 1
 *   reorder_us=X         how long a frame is held     jitter_us=X
 *                        back by reorder; 100
 *
 * Thread: any. Polling, opening, closing and the slow calls of ports (link, statistics, filters)
 * exclude each other by one lock, so a thread that only polls can be the devices' core while others
 * own the ports' queues: in shared mode the fast path meets the twin in memory alone, as it would
 * meet silicon, and takes no lock. Calls on a wire that the testbed made go between
 * shunt_testbed_lock and _unlock when another thread polls. */
#ifndef SHUNT_TESTBED_H
#define SHUNT_TESTBED_H

#include "shunt/base.h"
#include "shunt/clock.h"
#include "shunt/error.h"
#include "shunt/model.h"
#include "shunt/wire.h"

SHUNT_BEGIN_DECLS

struct shunt_testbed;

struct shunt_testbed_options {
  size_t size;                     /* sizeof(struct shunt_testbed_options) */
  const struct shunt_clock *clock; /* NULL: the real one; copied, its context is the caller's */
  uint64_t seed;                   /* of wires that name none */
  int64_t epoch_ns;                /* Unix time of the clock's zero, for captures; 0 with the real
                                      clock: as it is */
};

/* A testbed without wires.
 *
 * options NULL: the real clock, seed 0
 * Owner   the caller, until shunt_testbed_destroy
 * Returns 0, -EINVAL (options of another size), -ENOMEM */
int shunt_testbed_create(const struct shunt_testbed_options *options,
                         struct shunt_testbed **testbed, struct shunt_error *error);
/* No port may be open on it any more, and no thread in a call on it. NULL is fine. */
void shunt_testbed_destroy(struct shunt_testbed *testbed);

/* Give every wire, and so every twin, its turn at the clock's time, which is read once. Returns how
 * much was done. */
unsigned shunt_testbed_poll(struct shunt_testbed *testbed);

/* When a poll will next have something to do that only time brings (frames in flight, a capture
 * that is played); UINT64_MAX: never. Lets a virtual clock jump. */
uint64_t shunt_testbed_next_ns(struct shunt_testbed *testbed);

/* Keep the devices still: between these no poll runs. Not recursive: the other calls of this header
 * take the same lock. Who waits gets in after at most one more turn of a thread that does nothing
 * but poll. */
void shunt_testbed_lock(struct shunt_testbed *testbed);
void shunt_testbed_unlock(struct shunt_testbed *testbed);

/* The wire of that name, made where there is none; it lasts as long as the testbed.
 *
 * name    1 to 63 characters
 * Returns NULL only with error filled */
struct shunt_wire *shunt_testbed_wire(struct shunt_testbed *testbed, const char *name,
                                      struct shunt_error *error);

/* A new twin.
 *
 * kind    "ixgbe"
 * keys    "key=value&key=value", the keys above; NULL or "" for none. Unknown keys are refused
 * Owner   the testbed; shunt_testbed_remove or shunt_testbed_destroy ends it
 * Returns 0, -EINVAL (which key, and which there are), -ENOMEM, and what the wire's ends return. A
 *         call that fails leaves nothing behind */
int shunt_testbed_twin(struct shunt_testbed *testbed, const char *kind, const char *keys,
                       struct shunt_model **model, struct shunt_error *error);
void shunt_testbed_remove(struct shunt_testbed *testbed, struct shunt_model *model);

/* The twin with that index, from 0 on, the one made last first; NULL where there are fewer. Valid
 * until it is removed. */
struct shunt_model *shunt_testbed_model(struct shunt_testbed *testbed, unsigned index);

/* The end of its wire that a twin hangs on; NULL where the testbed has no such twin. */
struct shunt_wire_end *shunt_testbed_end(struct shunt_testbed *testbed,
                                         const struct shunt_model *model);

SHUNT_END_DECLS

#endif
