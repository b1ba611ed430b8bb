/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin queue: one command at a time goes out, and its completion is waited for. */
#include <errno.h>
#include <string.h>

#include "src/nic/efa/efa.h"

/* In the block of small things, behind the answers to register reads. */
#define AQ_OFFSET   1024u
#define ACQ_OFFSET  4096u
#define AENQ_OFFSET 8192u

static const char *const names[] = {
    [EFA_ADMIN_CREATE_QP] = "CREATE_QP",     [EFA_ADMIN_MODIFY_QP] = "MODIFY_QP",
    [EFA_ADMIN_QUERY_QP] = "QUERY_QP",       [EFA_ADMIN_DESTROY_QP] = "DESTROY_QP",
    [EFA_ADMIN_CREATE_AH] = "CREATE_AH",     [EFA_ADMIN_DESTROY_AH] = "DESTROY_AH",
    [EFA_ADMIN_REG_MR] = "REG_MR",           [EFA_ADMIN_DEREG_MR] = "DEREG_MR",
    [EFA_ADMIN_CREATE_CQ] = "CREATE_CQ",     [EFA_ADMIN_DESTROY_CQ] = "DESTROY_CQ",
    [EFA_ADMIN_GET_FEATURE] = "GET_FEATURE", [EFA_ADMIN_SET_FEATURE] = "SET_FEATURE",
    [EFA_ADMIN_GET_STATS] = "GET_STATS",     [EFA_ADMIN_ALLOC_PD] = "ALLOC_PD",
    [EFA_ADMIN_DEALLOC_PD] = "DEALLOC_PD",   [EFA_ADMIN_ALLOC_UAR] = "ALLOC_UAR",
    [EFA_ADMIN_DEALLOC_UAR] = "DEALLOC_UAR", [EFA_ADMIN_CREATE_EQ] = "CREATE_EQ",
    [EFA_ADMIN_DESTROY_EQ] = "DESTROY_EQ",
};

static const struct {
  int code;
  const char *text;
} statuses[] = {
    [EFA_ADMIN_SUCCESS] = {0, "success"},
    [EFA_ADMIN_RESOURCE_ALLOCATION_FAILURE] = {-ENOSPC, "it has no more of them"},
    [EFA_ADMIN_BAD_OPCODE] = {-EOPNOTSUPP, "it does not know the command"},
    [EFA_ADMIN_UNSUPPORTED_OPCODE] = {-EOPNOTSUPP, "it does not have the command"},
    [EFA_ADMIN_MALFORMED_REQUEST] = {-EIO, "the command is malformed"},
    [EFA_ADMIN_ILLEGAL_PARAMETER] = {-EIO, "a parameter is not allowed"},
    [EFA_ADMIN_UNKNOWN_ERROR] = {-EIO, "unknown error"},
    [EFA_ADMIN_RESOURCE_BUSY] = {-EBUSY, "something still uses it"},
};

static uint8_t *small(const struct efa *efa, uint32_t offset)
{
  return (uint8_t *)efa->small.memory + offset;
}

static struct efa_acq_entry *completion(const struct efa *efa)
{
  struct efa_acq_entry *ring = (void *)small(efa, ACQ_OFFSET);
  return &ring[efa->completions % EFA_AQ_DEPTH];
}

/* 1 in the first round. */
static uint8_t phase_of(uint32_t count)
{
  return !(count / EFA_AQ_DEPTH & 1);
}

struct efa_aenq_entry *efa_events_ring(const struct efa *efa)
{
  return (void *)small(efa, AENQ_OFFSET);
}

static void tell_ring(struct efa *efa, uint32_t low, uint32_t high, uint32_t offset)
{
  uint64_t address = efa->small.address + offset;
  efa_write(efa, low, (uint32_t)address);
  efa_write(efa, high, (uint32_t)(address >> 32));
}

/* As efa_com.c (efa_com_admin_init): bases first; writing the caps sets a ring up. */
void efa_admin_start(struct efa *efa)
{
  memset(small(efa, AQ_OFFSET), 0, efa->small.bytes - AQ_OFFSET);
  efa->commands = efa->completions = efa->events = 0;
  efa_write(efa, EFA_INTR_MASK, EFA_INTR_MASK_ADMIN); /* it is polled */
  tell_ring(efa, EFA_AQ_BASE_LO, EFA_AQ_BASE_HI, AQ_OFFSET);
  efa_write(efa, EFA_AQ_CAPS,
            HW_FIELD(EFA_AQ_CAPS_DEPTH, EFA_AQ_DEPTH) |
                HW_FIELD(EFA_AQ_CAPS_ENTRY_BYTES, EFA_AQ_ENTRY_BYTES));
  tell_ring(efa, EFA_ACQ_BASE_LO, EFA_ACQ_BASE_HI, ACQ_OFFSET);
  efa_write(efa, EFA_ACQ_CAPS,
            HW_FIELD(EFA_CQ_CAPS_DEPTH, EFA_AQ_DEPTH) |
                HW_FIELD(EFA_CQ_CAPS_ENTRY_BYTES, EFA_ACQ_ENTRY_BYTES) |
                HW_FIELD(EFA_CQ_CAPS_MSIX_VECTOR, EFA_VECTOR_ADMIN));
  tell_ring(efa, EFA_AENQ_BASE_LO, EFA_AENQ_BASE_HI, AENQ_OFFSET);
  efa_write(efa, EFA_AENQ_CAPS,
            HW_FIELD(EFA_CQ_CAPS_DEPTH, EFA_AENQ_DEPTH) |
                HW_FIELD(EFA_CQ_CAPS_ENTRY_BYTES, EFA_AENQ_ENTRY_BYTES) |
                HW_FIELD(EFA_CQ_CAPS_MSIX_VECTOR, EFA_VECTOR_ADMIN));
  efa_write(efa, EFA_AENQ_CONS_DB, 0);
  efa->admin_ready = true;
}

/* Take the command's completion; those of commands that nobody waits for any more are passed over.
 */
static bool take(struct efa *efa, uint16_t id, struct efa_acq_entry *answer)
{
  for (;;) {
    const struct efa_acq_entry *entry = completion(efa);
    uint8_t flags = __atomic_load_n(&entry->head.flags, __ATOMIC_ACQUIRE);
    if ((flags & EFA_ACQ_PHASE) != phase_of(efa->completions))
      return false;
    memcpy(answer, entry, sizeof(*answer));
    efa->completions++;
    if ((answer->head.command & EFA_AQ_COMMAND_ID) == id)
      return true;
  }
}

static const char *name_of(unsigned opcode)
{
  return opcode < sizeof(names) / sizeof(names[0]) && names[opcode] ? names[opcode] : "command";
}

static int refused(struct efa *efa, const char *name, const struct efa_acq_head *head,
                   struct shunt_error *error)
{
  bool known = head->status < sizeof(statuses) / sizeof(statuses[0]);
  int code = known ? statuses[head->status].code : -EIO;
  efa->failed++;
  shunt_error_set(error, code, "%s refuses %s", efa->pci->address, name);
  shunt_error_why(error, "status %u, extended status 0x%04x: %s", head->status,
                  head->extended_status,
                  known ? statuses[head->status].text : "a status that nobody knows");
  return code;
}

static int unanswered(struct efa *efa, const char *name, struct shunt_error *error)
{
  uint32_t status = 0;
  efa->unanswered++;
  efa->admin_ready = false; /* what it may still do with the command, nobody knows */
  int result = efa_read(efa, EFA_DEV_STS, "DEV_STS", &status, error);
  if (result)
    return shunt_error_within(error, result, "%s: no answer to %s", efa->pci->address, name);
  shunt_error_set(error, -ETIMEDOUT, "%s: waited %llu ms for the completion of %s",
                  efa->pci->address, (unsigned long long)(efa->admin_timeout_ns / EFA_NS_PER_MS),
                  name);
  shunt_error_why(error,
                  "entry %u of the completion queue is still of the round before; DEV_STS "
                  "reads 0x%08x",
                  efa->completions % EFA_AQ_DEPTH, status);
  shunt_error_remedy(error, "reset the device (shunt_fabric_reset), or close it");
  return -ETIMEDOUT;
}

int efa_command(struct efa *efa, void *command, size_t bytes, struct efa_acq_entry *answer,
                struct shunt_error *error)
{
  struct efa_aq_entry *ring = (void *)small(efa, AQ_OFFSET);
  struct efa_aq_entry *entry = &ring[efa->commands % EFA_AQ_DEPTH];
  struct efa_acq_entry ignored = {0};
  struct efa_aq_head *head = command;
  const char *name = name_of(head->opcode);
  answer = answer ? answer : &ignored;
  if (!efa->admin_ready) {
    shunt_error_set(error, -EIO, "%s takes no %s", efa->pci->address, name);
    shunt_error_why(error, "it did not answer an earlier command");
    shunt_error_remedy(error, "reset the device (shunt_fabric_reset), or close it");
    return -EIO;
  }
  head->command_id = efa->commands & EFA_AQ_COMMAND_ID;
  head->flags = (uint8_t)((head->flags & ~EFA_AQ_PHASE) | phase_of(efa->commands));
  memset(entry, 0, sizeof(*entry));
  memcpy(entry, command, bytes);
  efa->commands++;
  efa->submitted++;
  efa_write(efa, EFA_AQ_PROD_DB, efa->commands);
  struct efa_wait wait = efa_wait_begin(efa, efa->admin_timeout_ns);
  while (!take(efa, head->command_id, answer))
    if (!efa_wait_on(efa, &wait))
      return unanswered(efa, name, error);
  efa->completed++;
  return answer->head.status == EFA_ADMIN_SUCCESS ? 0 : refused(efa, name, &answer->head, error);
}
