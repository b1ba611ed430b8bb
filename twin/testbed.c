/* SPDX-License-Identifier: BSD-2-Clause */
#include "shunt/testbed.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "twin/testbed_keys.h"
#include "twin/wire/wire.h"

struct testbed_wire {
  struct testbed_wire *next;
  struct shunt_wire *wire;
  char name[TESTBED_NAME_BYTES]; /* "" of a wire that is one twin's own */
  bool taken;                    /* a twin has been here, and set the wire's keys */
};

struct testbed_twin {
  struct testbed_twin *next;
  struct shunt_model *model;
  struct testbed_wire *wire;
};

struct shunt_testbed {
  struct shunt_clock clock;
  uint64_t seed;
  int64_t epoch_ns;
  struct testbed_wire *wires;
  struct testbed_twin *twins;
  unsigned twins_ever; /* number of the next twin */

  /* Who waits for the lock holds turn meanwhile, and a poller that sees a waiter passes through
   * turn first: so a thread that does nothing but poll, and would win every race for a plain mutex,
   * gives way. */
  pthread_mutex_t lock;
  pthread_mutex_t turn;
  atomic_uint waiters;
};

/* ---- The lock ---- */

void shunt_testbed_lock(struct shunt_testbed *testbed)
{
  atomic_fetch_add_explicit(&testbed->waiters, 1, memory_order_relaxed);
  pthread_mutex_lock(&testbed->turn);
  pthread_mutex_lock(&testbed->lock);
  pthread_mutex_unlock(&testbed->turn);
  atomic_fetch_sub_explicit(&testbed->waiters, 1, memory_order_relaxed);
}

void shunt_testbed_unlock(struct shunt_testbed *testbed)
{
  pthread_mutex_unlock(&testbed->lock);
}

static void testbed_lock_to_poll(struct shunt_testbed *testbed)
{
  if (atomic_load_explicit(&testbed->waiters, memory_order_relaxed) > 0) {
    pthread_mutex_lock(&testbed->turn);
    pthread_mutex_unlock(&testbed->turn);
  }
  pthread_mutex_lock(&testbed->lock);
}

unsigned shunt_testbed_poll(struct shunt_testbed *testbed)
{
  unsigned done = 0;
  testbed_lock_to_poll(testbed);
  uint64_t now_ns = shunt_clock_now_ns(&testbed->clock);
  for (struct testbed_wire *entry = testbed->wires; entry != NULL; entry = entry->next)
    done += shunt_wire_poll(entry->wire, now_ns);
  shunt_testbed_unlock(testbed);
  return done;
}

uint64_t shunt_testbed_next_ns(struct shunt_testbed *testbed)
{
  uint64_t next_ns = UINT64_MAX;
  shunt_testbed_lock(testbed);
  for (struct testbed_wire *entry = testbed->wires; entry != NULL; entry = entry->next) {
    uint64_t wire_ns = shunt_wire_next_ns(entry->wire);
    next_ns = wire_ns < next_ns ? wire_ns : next_ns;
  }
  shunt_testbed_unlock(testbed);
  return next_ns;
}

/* ---- Life ---- */

/* Unix time when CLOCK_MONOTONIC was zero. */
static int64_t testbed_epoch_ns(void)
{
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  return (int64_t)real.tv_sec * 1000000000 + real.tv_nsec - (int64_t)shunt_monotonic_ns();
}

int shunt_testbed_create(const struct shunt_testbed_options *options,
                         struct shunt_testbed **testbed, struct shunt_error *error)
{
  struct shunt_testbed_options set = {.size = sizeof(set)};
  int code = wire_take_options(&set, sizeof(set), options, "can't make a testbed", error);
  if (code < 0)
    return code;
  struct shunt_testbed *made = calloc(1, sizeof(*made));
  if (made == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory for a testbed");
  made->clock = set.clock ? *set.clock : *shunt_clock_real();
  made->seed = set.seed;
  made->epoch_ns = set.epoch_ns;
  if (set.epoch_ns == 0 && made->clock.now_ns == shunt_clock_real()->now_ns)
    made->epoch_ns = testbed_epoch_ns();
  pthread_mutex_init(&made->lock, NULL);
  pthread_mutex_init(&made->turn, NULL);
  atomic_init(&made->waiters, 0);
  *testbed = made;
  return 0;
}

/* ---- Wires ---- */

/* A wire's own seed from the testbed's, so that two wires don't lose the same frames. FNV-1a. */
static uint64_t testbed_seed(const struct shunt_testbed *testbed, const char *name)
{
  uint64_t hash = UINT64_C(0xCBF29CE484222325);
  for (; *name != '\0'; name++)
    hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001B3);
  return testbed->seed ^ hash;
}

static struct testbed_wire *testbed_find_wire(struct shunt_testbed *testbed, const char *name)
{
  struct testbed_wire *entry = testbed->wires;
  while (entry != NULL && strcmp(entry->name, name) != 0)
    entry = entry->next;
  return entry;
}

/* name "": one twin's own, called title in captures. Returns NULL with error filled. */
static struct testbed_wire *testbed_make_wire(struct shunt_testbed *testbed, const char *name,
                                              const char *title, struct shunt_error *error)
{
  struct testbed_wire *entry = calloc(1, sizeof(*entry));
  if (entry == NULL) {
    shunt_error_set(error, -ENOMEM, "no memory for the wire %s", title);
    return NULL;
  }
  struct shunt_wire_options options = {
      .size = sizeof(options),
      .name = title,
      .seed = testbed_seed(testbed, title),
      .epoch_ns = testbed->epoch_ns,
  };
  if (shunt_wire_create(&options, &entry->wire, error) < 0) {
    free(entry);
    return NULL;
  }
  snprintf(entry->name, sizeof(entry->name), "%s", name);
  entry->next = testbed->wires;
  testbed->wires = entry;
  return entry;
}

static void testbed_end_wire(struct shunt_testbed *testbed, struct testbed_wire *wire)
{
  struct testbed_wire **link = &testbed->wires;
  while (*link != wire)
    link = &(*link)->next;
  *link = wire->next;
  shunt_wire_destroy(wire->wire);
  free(wire);
}

struct shunt_wire *shunt_testbed_wire(struct shunt_testbed *testbed, const char *name,
                                      struct shunt_error *error)
{
  if (name[0] == '\0' || strlen(name) >= TESTBED_NAME_BYTES) {
    shunt_error_set(error, -EINVAL, "can't make the wire \"%s\"", name);
    shunt_error_why(error, "a wire's name has 1 to %d characters", TESTBED_NAME_BYTES - 1);
    return NULL;
  }
  shunt_testbed_lock(testbed);
  struct testbed_wire *entry = testbed_find_wire(testbed, name);
  if (entry == NULL)
    entry = testbed_make_wire(testbed, name, name, error);
  shunt_testbed_unlock(testbed);
  return entry ? entry->wire : NULL;
}

/* ---- What hangs on a wire besides twins ---- */

/* What a call has added, to be taken back where a later step fails. */
struct testbed_added {
  struct shunt_wire_end *ends[3];
  unsigned end_count;
  bool records;
};

static int testbed_add_udp(struct shunt_wire *wire, const char *addresses,
                           struct shunt_wire_end **end, struct shunt_error *error)
{
  char local[128];
  const char *comma = strchr(addresses, ',');
  if (comma == NULL || (size_t)(comma - addresses) >= sizeof(local)) {
    int code = shunt_error_set(error, -EINVAL, "udp=%s is refused", addresses);
    shunt_error_why(error, "it is not LOCAL,REMOTE");
    shunt_error_remedy(error, "write udp=127.0.0.1:4000,127.0.0.1:4001");
    return code;
  }
  memcpy(local, addresses, (size_t)(comma - addresses));
  local[comma - addresses] = '\0';
  return shunt_wire_udp(wire, local, comma + 1, end, error);
}

static int testbed_furnish(struct shunt_wire *wire, const struct testbed_keys *keys,
                           struct testbed_added *added, struct shunt_error *error)
{
  int code = 0;
  if (keys->record != NULL) {
    code = shunt_wire_record(wire, keys->record, error);
    added->records = code == 0;
  }
  if (code == 0 && keys->tap != NULL) {
    code =
        shunt_wire_tap(wire, keys->tap, &keys->tap_options, &added->ends[added->end_count], error);
    added->end_count += code == 0;
  }
  if (code == 0 && keys->udp != NULL) {
    code = testbed_add_udp(wire, keys->udp, &added->ends[added->end_count], error);
    added->end_count += code == 0;
  }
  if (code == 0 && keys->play != NULL) {
    code = shunt_wire_play(wire, keys->play, &keys->play_options, &added->ends[added->end_count],
                           error);
    added->end_count += code == 0;
  }
  return code;
}

static void testbed_strip(struct shunt_wire *wire, const struct testbed_added *added)
{
  for (unsigned i = 0; i < added->end_count; i++)
    shunt_wire_detach(added->ends[i]);
  if (added->records)
    shunt_wire_record_end(wire, NULL);
}

/* ---- Twins ---- */

/* The first twin on a wire furnishes it. */
static int testbed_build(struct testbed_wire *wire, const struct testbed_keys *keys,
                         const char *name, struct shunt_model **model, struct shunt_error *error)
{
  struct testbed_added added = {.end_count = 0};
  int code = 0;
  if (wire->taken && keys->wire_key != NULL) {
    code = shunt_error_set(error, -EINVAL, "the key %s is refused", keys->wire_key);
    shunt_error_why(error, "it is about the wire %s, whose first twin has set it up", wire->name);
    shunt_error_remedy(error, "give it to the twin that is made first");
    return code;
  }
  if (keys->wire_key != NULL)
    code = testbed_furnish(wire->wire, keys, &added, error);
  if (code == 0 && keys->kind == TESTBED_EFA)
    code = shunt_twin_efa_create(&keys->efa, wire->wire, name, model, error);
  else if (code == 0)
    code = shunt_twin_ixgbe_create(&keys->ixgbe, wire->wire, name, model, error);
  if (code < 0) {
    testbed_strip(wire->wire, &added);
    return code;
  }
  wire->taken = true;
  if (keys->has_seed)
    wire_reseed(wire->wire, keys->seed);
  return keys->impaired ? shunt_wire_impair_all(wire->wire, &keys->impairments, error) : 0;
}

static int testbed_add_twin(struct shunt_testbed *testbed, const struct testbed_keys *keys,
                            const char *name, struct shunt_model **model, struct shunt_error *error)
{
  struct testbed_twin *twin = calloc(1, sizeof(*twin));
  if (twin == NULL)
    return shunt_error_set(error, -ENOMEM, "no memory for a twin");
  const char *wire_name = keys->wire ? keys->wire : "";
  struct testbed_wire *found = keys->wire ? testbed_find_wire(testbed, wire_name) : NULL;
  struct testbed_wire *wire = found;
  if (wire == NULL)
    wire = testbed_make_wire(testbed, wire_name, keys->wire ? wire_name : name, error);
  int code = wire ? testbed_build(wire, keys, name, &twin->model, error) : -ENOMEM;
  if (code < 0) {
    if (wire != NULL && found == NULL)
      testbed_end_wire(testbed, wire);
    free(twin);
    return code;
  }
  twin->wire = wire;
  twin->next = testbed->twins;
  testbed->twins = twin;
  testbed->twins_ever++;
  *model = twin->model;
  return 0;
}

/* A later twin has the larger one, also in another process: time, in hundredths of a second. */
static uint32_t testbed_incarnation(const struct shunt_testbed *testbed)
{
  int64_t unix_ns = testbed->epoch_ns + (int64_t)shunt_clock_now_ns(&testbed->clock);
  return (uint32_t)(unix_ns / 10000000) + testbed->twins_ever + 1;
}

int shunt_testbed_twin(struct shunt_testbed *testbed, const char *kind, const char *keys,
                       struct shunt_model **model, struct shunt_error *error)
{
  enum testbed_kind which;
  if (testbed_kind_read(kind, &which, error) < 0)
    return -EINVAL;
  shunt_testbed_lock(testbed);
  char name[32];
  snprintf(name, sizeof(name), "%s%u", kind, testbed->twins_ever);
  struct testbed_keys read;
  int code = testbed_keys_read(&read, which, keys, testbed->twins_ever, error);
  read.efa.incarnation = testbed_incarnation(testbed);
  if (code == 0)
    code = testbed_add_twin(testbed, &read, name, model, error);
  shunt_testbed_unlock(testbed);
  return code < 0 ? shunt_error_within(error, code, "can't make the twin %s", name) : 0;
}

static void testbed_end_twin(struct shunt_testbed *testbed, struct testbed_twin **link)
{
  struct testbed_twin *twin = *link;
  *link = twin->next;
  shunt_model_destroy(twin->model);
  if (twin->wire->name[0] == '\0')
    testbed_end_wire(testbed, twin->wire);
  free(twin);
}

void shunt_testbed_remove(struct shunt_testbed *testbed, struct shunt_model *model)
{
  shunt_testbed_lock(testbed);
  struct testbed_twin **link = &testbed->twins;
  while (*link != NULL && (*link)->model != model)
    link = &(*link)->next;
  if (*link != NULL)
    testbed_end_twin(testbed, link);
  shunt_testbed_unlock(testbed);
}

struct shunt_model *shunt_testbed_model(struct shunt_testbed *testbed, unsigned index)
{
  shunt_testbed_lock(testbed);
  const struct testbed_twin *twin = testbed->twins;
  while (twin != NULL && index-- > 0)
    twin = twin->next;
  struct shunt_model *model = twin ? twin->model : NULL;
  shunt_testbed_unlock(testbed);
  return model;
}

struct shunt_wire_end *shunt_testbed_end(struct shunt_testbed *testbed,
                                         const struct shunt_model *model)
{
  shunt_testbed_lock(testbed);
  const struct testbed_twin *twin = testbed->twins;
  while (twin != NULL && twin->model != model)
    twin = twin->next;
  struct shunt_wire_end *end = NULL;
  if (twin != NULL)
    end = strcmp(model->kind, "efa") == 0 ? shunt_twin_efa_end(model) : shunt_twin_ixgbe_end(model);
  shunt_testbed_unlock(testbed);
  return end;
}

void shunt_testbed_destroy(struct shunt_testbed *testbed)
{
  if (testbed == NULL)
    return;
  while (testbed->twins != NULL)
    testbed_end_twin(testbed, &testbed->twins);
  while (testbed->wires != NULL)
    testbed_end_wire(testbed, testbed->wires);
  pthread_mutex_destroy(&testbed->turn);
  pthread_mutex_destroy(&testbed->lock);
  free(testbed);
}
