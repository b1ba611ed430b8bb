/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains and address handles: numbers that the device gives out and takes back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/core/error_internal.h"
#include "src/nic/efa/efa.h"

int efa_pd_create(struct shunt_fabric *fabric, struct shunt_fabric_pd **pd,
                  struct shunt_error *error)
{
  struct efa_aq_head command = {.opcode = EFA_ADMIN_ALLOC_PD};
  struct efa_acq_entry answer;
  struct shunt_fabric_pd *made = calloc(1, sizeof(*made));
  if (!made)
    return error_set_errno(error, -ENOMEM, "no memory for a protection domain");
  int result = efa_command(efa_of(fabric), &command, sizeof(command), &answer, error);
  if (result) {
    free(made);
    return shunt_error_within(error, result, "no protection domain");
  }
  made->number = ((const struct efa_number_response *)(const void *)&answer)->number;
  fabric_object_add(fabric, &made->object, FABRIC_PD, NULL, 0);
  *pd = made;
  return 0;
}

static int pd_destroy(struct fabric_object *object, struct shunt_error *error)
{
  struct shunt_fabric_pd *pd = (struct shunt_fabric_pd *)object;
  struct efa_number command = {.head.opcode = EFA_ADMIN_DEALLOC_PD, .number = pd->number};
  int result = object->dead
                   ? 0
                   : efa_command(efa_of(object->fabric), &command, sizeof(command), NULL, error);
  free(pd);
  return result;
}

int efa_ah_create(struct shunt_fabric_pd *pd, const struct shunt_gid *gid,
                  struct shunt_fabric_ah **ah, struct shunt_error *error)
{
  struct shunt_fabric *fabric = pd->object.fabric;
  struct efa_create_ah command = {.head.opcode = EFA_ADMIN_CREATE_AH, .pd = pd->number};
  struct efa_acq_entry answer;
  struct shunt_fabric_ah *made = calloc(1, sizeof(*made));
  if (!made)
    return error_set_errno(error, -ENOMEM, "no memory for an address handle");
  memcpy(command.gid, gid->bytes, sizeof(command.gid));
  int result = efa_command(efa_of(fabric), &command, sizeof(command), &answer, error);
  if (result) {
    char text[SHUNT_GID_TEXT_BYTES];
    free(made);
    return shunt_error_within(error, result, "no handle of %s", shunt_gid_format(gid, text));
  }
  made->number = ((const struct efa_create_ah_response *)(const void *)&answer)->ah;
  struct fabric_object *stands_on[] = {&pd->object};
  fabric_object_add(fabric, &made->object, FABRIC_AH, stands_on, 1);
  *ah = made;
  return 0;
}

static int ah_destroy(struct fabric_object *object, struct shunt_error *error)
{
  struct shunt_fabric_ah *ah = (struct shunt_fabric_ah *)object;
  const struct shunt_fabric_pd *pd = (const struct shunt_fabric_pd *)object->stands_on[0];
  int result = 0;
  if (!object->dead) {
    struct efa_destroy_ah command = {
        .head.opcode = EFA_ADMIN_DESTROY_AH, .ah = ah->number, .pd = pd->number};
    result = efa_command(efa_of(object->fabric), &command, sizeof(command), NULL, error);
  }
  free(ah);
  return result;
}

int efa_destroy(struct fabric_object *object, struct shunt_error *error)
{
  switch (object->kind) {
  case FABRIC_PD:
    return pd_destroy(object, error);
  case FABRIC_AH:
    return ah_destroy(object, error);
  case FABRIC_MR:
    return efa_mr_deregister(object, error);
  case FABRIC_CQ:
    return efa_cq_destroy(object, error);
  case FABRIC_QP:
    return efa_qp_destroy(object, error);
  }
  return 0;
}
