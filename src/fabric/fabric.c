/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening by name, and the calls of shunt/fabric.h: what is wrong for every device is refused here,
 * the rest is the driver's. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/fabric/driver.h"
#include "src/port/name.h"

#define SLEEPERS_MOST 1024

#define NAME_REMEDY "write efa:location, such as efa:0000:00:06.0 or efa:twin"

static const struct fabric_driver *const drivers[] = {&efa_driver};

const char fabric_option_keys[] = "sleepers, admin_timeout_ms, watchdog_ms";

extern inline int shunt_fabric_send_post(struct shunt_fabric_qp *qp,
                                         const struct shunt_fabric_work *work);
extern inline void shunt_fabric_send_push(struct shunt_fabric_qp *qp);
extern inline unsigned shunt_fabric_recv_post(struct shunt_fabric_qp *qp,
                                              const struct shunt_fabric_receive receives[],
                                              unsigned n);
extern inline unsigned shunt_fabric_poll(struct shunt_fabric_cq *cq,
                                         struct shunt_fabric_completion completions[], unsigned n);

/* --- Addresses ---------------------------------------------------------------------------------
 */

const char *shunt_gid_format(const struct shunt_gid *gid, char text[SHUNT_GID_TEXT_BYTES])
{
  _Static_assert(SHUNT_GID_TEXT_BYTES >= INET6_ADDRSTRLEN, "room");
  return inet_ntop(AF_INET6, gid->bytes, text, SHUNT_GID_TEXT_BYTES);
}

int shunt_gid_parse(const char *text, struct shunt_gid *gid)
{
  struct shunt_gid parsed;
  if (!text || inet_pton(AF_INET6, text, parsed.bytes) != 1)
    return -EINVAL;
  *gid = parsed;
  return 0;
}

/* --- Options -------------------------------------------------------------------------------------
 */

/* Copy the caller's options over defaults of zero. known: their size here. */
static int take_options(void *options, const void *given, size_t known, const char *name,
                        struct shunt_error *error)
{
  memset(options, 0, known);
  if (given) {
    size_t size;
    memcpy(&size, given, sizeof(size));
    if (size < sizeof(size) || size > known) {
      shunt_error_set(error, -EINVAL, "options.size is %zu", size);
      shunt_error_why(error, "this library knows options of up to %zu bytes", known);
      shunt_error_remedy(error, "set size to sizeof(struct %s)", name);
      return -EINVAL;
    }
    memcpy(options, given, size);
  }
  memcpy(options, &known, sizeof(known));
  return 0;
}

static int take_u32(struct params *params, const char *key, uint32_t most, uint32_t *value,
                    struct shunt_error *error)
{
  uint64_t wide = *value;
  int result = params_take_u64(params, key, 0, most, &wide, error);
  *value = (uint32_t)wide;
  return result;
}

static int complete_options(struct shunt_fabric_options *options,
                            const struct shunt_fabric_options *given, struct params *params,
                            struct shunt_error *error)
{
  int result = take_options(options, given, sizeof(*options), "shunt_fabric_options", error);
  result = result ? result : take_u32(params, "sleepers", SLEEPERS_MOST, &options->sleepers, error);
  result = result ? result
                  : take_u32(params, "admin_timeout_ms", 60000, &options->admin_timeout_ms, error);
  result = result ? result : take_u32(params, "watchdog_ms", 600000, &options->watchdog_ms, error);
  if (!options->clock)
    options->clock = shunt_clock_real();
  return result;
}

/* --- Open and close ------------------------------------------------------------------------------
 */

static const struct fabric_driver *find_driver(const char *name, struct shunt_error *error)
{
  for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
    if (!strcmp(drivers[i]->name, name))
      return drivers[i];
  shunt_error_set(error, -EINVAL, "no driver \"%s\" has endpoints", name);
  shunt_error_why(error, "those that have are: %s", drivers[0]->name);
  shunt_error_remedy(error, NAME_REMEDY);
  return NULL;
}

const char *shunt_fabric_driver(uint16_t vendor, uint16_t device, struct shunt_error *error)
{
  shunt_error_set(error, -ENODEV, "no driver opens a PCI device %04x:%04x", vendor, device);
  shunt_error_why(error, "the drivers here are for other devices");
  for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
    if (drivers[i]->knows(vendor, device, error) == 0)
      return drivers[i]->name;
  return NULL;
}

static int open_named(struct port_name *name, const struct shunt_fabric_options *given,
                      struct shunt_fabric **fabric, struct shunt_error *error)
{
  struct shunt_fabric_options options;
  const struct fabric_driver *driver = find_driver(name->driver, error);
  if (!driver)
    return -EINVAL;
  int result = complete_options(&options, given, &name->params, error);
  if (!result)
    result = driver->open(name->location, &options, &name->params, fabric, error);
  if (result)
    return result;
  result = params_finish(&name->params, fabric_option_keys, error);
  if (result)
    shunt_fabric_close(*fabric);
  return result;
}

int shunt_fabric_open(const char *name, const struct shunt_fabric_options *options,
                      struct shunt_fabric **fabric, struct shunt_error *error)
{
  struct port_name parsed;
  struct shunt_fabric *opened = NULL;
  int result = port_name_parse(&parsed, name, error);
  if (result) {
    shunt_error_remedy(error, NAME_REMEDY);
    return result;
  }
  result = open_named(&parsed, options, &opened, error);
  if (result)
    return shunt_error_within(error, result, "can't open %s", name);
  snprintf(opened->name, sizeof(opened->name), "%s", name);
  *fabric = opened;
  return 0;
}

void shunt_fabric_close(struct shunt_fabric *fabric)
{
  if (!fabric)
    return;
  fabric->ops->stop(fabric);
  while (fabric->newest) {
    struct fabric_object *object = fabric->newest;
    fabric->newest = object->older;
    object->dead = true;
    fabric->ops->destroy(object, NULL);
  }
  fabric->ops->close(fabric);
}

/* --- The device ----------------------------------------------------------------------------------
 */

void shunt_fabric_info(const struct shunt_fabric *fabric, struct shunt_fabric_info *info)
{
  struct shunt_fabric_info full = {.size = sizeof(full),
                                   .name = fabric->name,
                                   .sleepers = fabric->options.sleepers,
                                   .numa_node = SHUNT_NUMA_ANY,
                                   .steps = fabric->steps};
  fabric->ops->info(fabric, &full);
  size_t size = info->size < sizeof(full) ? info->size : sizeof(full);
  memcpy(info, &full, size);
  info->size = size;
}

int shunt_fabric_statistics(struct shunt_fabric *fabric, struct shunt_statistic statistics[],
                            unsigned n, unsigned *count, struct shunt_error *error)
{
  return fabric->ops->statistics(fabric, statistics, n, count, error);
}

unsigned shunt_fabric_step(struct shunt_fabric *fabric)
{
  return fabric->steps ? fabric->ops->step(fabric) : 0;
}

int shunt_fabric_check(struct shunt_fabric *fabric, struct shunt_error *error)
{
  return fabric->ops->check(fabric, error);
}

int shunt_fabric_reset(struct shunt_fabric *fabric, struct shunt_error *error)
{
  for (struct fabric_object *object = fabric->newest; object; object = object->older)
    object->dead = true;
  return fabric->ops->reset(fabric, error);
}

/* --- Objects -------------------------------------------------------------------------------------
 */

void fabric_object_add(struct shunt_fabric *fabric, struct fabric_object *object,
                       enum fabric_kind kind, struct fabric_object *const stands_on[],
                       unsigned stands)
{
  *object = (struct fabric_object){.fabric = fabric, .older = fabric->newest, .kind = kind};
  for (unsigned i = 0; i < stands; i++) {
    object->stands_on[i] = stands_on[i];
    stands_on[i]->users++;
  }
  if (fabric->newest)
    fabric->newest->newer = object;
  fabric->newest = object;
}

static void object_remove(struct fabric_object *object)
{
  if (object->newer)
    object->newer->older = object->older;
  else
    object->fabric->newest = object->older;
  if (object->older)
    object->older->newer = object->newer;
  for (unsigned i = 0; i < FABRIC_STANDS_ON && object->stands_on[i]; i++)
    object->stands_on[i]->users--;
}

static int object_destroy(struct fabric_object *object, struct shunt_error *error)
{
  static const char *const names[] = {[FABRIC_PD] = "protection domain",
                                      [FABRIC_MR] = "memory registration",
                                      [FABRIC_AH] = "address handle",
                                      [FABRIC_CQ] = "completion queue",
                                      [FABRIC_QP] = "queue pair"};
  if (object->users) {
    shunt_error_set(error, -EBUSY, "the %s can't go", names[object->kind]);
    shunt_error_why(error, "%u objects that were made with it are still there", object->users);
    shunt_error_remedy(error, "destroy those first");
    return -EBUSY;
  }
  const char *name = names[object->kind];
  object_remove(object);
  int result = object->fabric->ops->destroy(object, error);
  return result ? shunt_error_within(error, result, "the device kept a %s", name) : 0;
}

/* A new one on the device's ruins would be of no use. */
static int check_alive(const struct fabric_object *object, struct shunt_error *error)
{
  if (!object->dead)
    return 0;
  shunt_error_set(error, -EIO, "nothing can be made with this");
  shunt_error_why(error, "the device has been reset since it was made");
  shunt_error_remedy(error, "destroy it, and make a new one");
  return -EIO;
}

int shunt_fabric_pd_create(struct shunt_fabric *fabric, struct shunt_fabric_pd **pd,
                           struct shunt_error *error)
{
  return fabric->ops->pd_create(fabric, pd, error);
}

int shunt_fabric_pd_destroy(struct shunt_fabric_pd *pd, struct shunt_error *error)
{
  return pd ? object_destroy(&pd->object, error) : 0;
}

static int bad_range(struct shunt_error *error, uint64_t offset, uint64_t bytes, uint64_t all)
{
  shunt_error_set(error, -EINVAL, "no %llu bytes from %llu on can be registered",
                  (unsigned long long)bytes, (unsigned long long)offset);
  shunt_error_why(error, "the region has %llu bytes; at least one must be asked for",
                  (unsigned long long)all);
  return -EINVAL;
}

int shunt_fabric_mr_register(struct shunt_fabric_pd *pd, struct shunt_region *region,
                             uint64_t offset, uint64_t bytes, unsigned access,
                             const struct shunt_fabric_mr_options *options,
                             struct shunt_fabric_mr **mr, struct shunt_error *error)
{
  const unsigned known =
      SHUNT_FABRIC_LOCAL_WRITE | SHUNT_FABRIC_REMOTE_WRITE | SHUNT_FABRIC_REMOTE_READ;
  struct shunt_fabric_mr_options complete;
  uint64_t all = shunt_region_bytes(region);
  int result = take_options(&complete, options, sizeof(complete), "shunt_fabric_mr_options", error);
  result = result ? result : check_alive(&pd->object, error);
  if (result)
    return result;
  if (!bytes || offset >= all || bytes > all - offset)
    return bad_range(error, offset, bytes, all);
  if (access & ~known)
    return shunt_error_set(error, -EINVAL, "access 0x%x: nobody knows 0x%x", access,
                           access & ~known);
  uint64_t page = complete.page_bytes;
  if (page && (page < 4096 || page > SHUNT_REGION_ALIGN_BYTES || page & (page - 1)))
    return shunt_error_set(error, -EINVAL, "pages of %llu bytes: a power of two, 4096 to 2 MiB",
                           (unsigned long long)page);
  return pd->object.fabric->ops->mr_register(pd, region, offset, bytes, access, page, mr, error);
}

int shunt_fabric_mr_deregister(struct shunt_fabric_mr *mr, struct shunt_error *error)
{
  return mr ? object_destroy(&mr->object, error) : 0;
}

void *shunt_fabric_mr_base(const struct shunt_fabric_mr *mr)
{
  return mr->base;
}

uint32_t shunt_fabric_mr_lkey(const struct shunt_fabric_mr *mr)
{
  return mr->lkey;
}

uint32_t shunt_fabric_mr_rkey(const struct shunt_fabric_mr *mr)
{
  return mr->rkey;
}

int shunt_fabric_ah_create(struct shunt_fabric_pd *pd, const struct shunt_gid *gid,
                           struct shunt_fabric_ah **ah, struct shunt_error *error)
{
  int result = check_alive(&pd->object, error);
  return result ? result : pd->object.fabric->ops->ah_create(pd, gid, ah, error);
}

int shunt_fabric_ah_destroy(struct shunt_fabric_ah *ah, struct shunt_error *error)
{
  return ah ? object_destroy(&ah->object, error) : 0;
}

uint16_t shunt_fabric_ah_number(const struct shunt_fabric_ah *ah)
{
  return ah->number;
}

/* The next power of two, 0 where there is none in 32 bits. */
static uint32_t round_up(uint32_t n)
{
  uint32_t power = 1;
  while (power && power < n)
    power <<= 1;
  return power;
}

int shunt_fabric_cq_create(struct shunt_fabric *fabric,
                           const struct shunt_fabric_cq_options *options,
                           struct shunt_fabric_cq **cq, struct shunt_error *error)
{
  struct shunt_fabric_cq_options complete;
  int result = take_options(&complete, options, sizeof(complete), "shunt_fabric_cq_options", error);
  if (result)
    return result;
  complete.depth = round_up(complete.depth ? complete.depth : 1024);
  if (complete.sleeps && !fabric->options.sleepers) {
    shunt_error_set(error, -EINVAL, "a completion queue of %s can't sleep", fabric->name);
    shunt_error_why(error, "it was opened without sleepers");
    shunt_error_remedy(error, "open it with sleepers=1, or as many as there are such queues");
    return -EINVAL;
  }
  return fabric->ops->cq_create(fabric, &complete, cq, error);
}

int shunt_fabric_cq_destroy(struct shunt_fabric_cq *cq, struct shunt_error *error)
{
  return cq ? object_destroy(cq->object, error) : 0;
}

int shunt_fabric_cq_fd(const struct shunt_fabric_cq *cq, struct shunt_error *error)
{
  int fd = cq->object->fabric->ops->cq_fd(cq);
  return fd < 0 ? shunt_error_set(error, -EINVAL, "the completion queue was made without sleeps")
                : fd;
}

void shunt_fabric_cq_arm(struct shunt_fabric_cq *cq)
{
  cq->object->fabric->ops->cq_arm(cq);
}

static int check_qp(const struct shunt_fabric_qp_options *options, struct shunt_fabric *fabric,
                    struct shunt_error *error)
{
  uint8_t rnr = options->rnr_retries;
  if (!options->send_cq || !options->recv_cq)
    return shunt_error_set(error, -EINVAL, "a queue pair needs a send_cq and a recv_cq");
  if (options->send_cq->object->fabric != fabric || options->recv_cq->object->fabric != fabric)
    return shunt_error_set(error, -EINVAL, "the completion queues are another fabric's");
  if (options->type != SHUNT_FABRIC_SRD && options->type != SHUNT_FABRIC_UD)
    return shunt_error_set(error, -EINVAL, "no queue pair is of type %d", (int)options->type);
  if (rnr > 6 && rnr != SHUNT_FABRIC_RNR_NEVER)
    return shunt_error_set(
        error, -EINVAL, "rnr_retries is %u: 1 to 6, or SHUNT_FABRIC_RNR_FOR_EVER or _NEVER", rnr);
  if (rnr && options->type == SHUNT_FABRIC_UD)
    return shunt_error_set(error, -EINVAL, "nobody tries datagrams again: no rnr_retries for UD");
  int result = check_alive(options->send_cq->object, error);
  return result ? result : check_alive(options->recv_cq->object, error);
}

int shunt_fabric_qp_create(struct shunt_fabric_pd *pd,
                           const struct shunt_fabric_qp_options *options,
                           struct shunt_fabric_qp **qp, struct shunt_error *error)
{
  struct shunt_fabric_qp_options complete;
  struct shunt_fabric *fabric = pd->object.fabric;
  int result = take_options(&complete, options, sizeof(complete), "shunt_fabric_qp_options", error);
  result = result ? result : check_alive(&pd->object, error);
  result = result ? result : check_qp(&complete, fabric, error);
  if (result)
    return result;
  complete.send_depth = round_up(complete.send_depth ? complete.send_depth : 256);
  complete.recv_depth = round_up(complete.recv_depth ? complete.recv_depth : 256);
  complete.recv_pieces = complete.recv_pieces ? complete.recv_pieces : 1;
  return fabric->ops->qp_create(pd, &complete, qp, error);
}

int shunt_fabric_qp_stop(struct shunt_fabric_qp *qp, struct shunt_error *error)
{
  struct fabric_object *object = qp->object;
  return object->dead ? 0 : object->fabric->ops->qp_stop(qp, error);
}

int shunt_fabric_qp_destroy(struct shunt_fabric_qp *qp, struct shunt_error *error)
{
  return qp ? object_destroy(qp->object, error) : 0;
}

uint16_t shunt_fabric_qp_number(const struct shunt_fabric_qp *qp)
{
  return qp->number;
}
