/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of vfio-user, protocol 0.0: a PCI device in one process, its driver in another, a
 * UNIX stream socket between them.
 *
 * Source: QEMU docs/interop/vfio-user.rst; each layout names its section there. What the protocol
 * takes over from VFIO (regions' and interrupts' numbers and flags) is in linux/vfio.h and is used
 * from there. Numbers are in the host's byte order ("Protocol Specification"), which on every
 * machine that this runs on is little-endian; a region's data is bytes as they lie in the region.
 *
 * A message is a header and the command's payload. File descriptors travel beside the payload's
 * bytes as SCM_RIGHTS. */
#ifndef HW_VFIO_USER_H
#define HW_VFIO_USER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "messages are in the host's byte order");

#define VFIO_USER_MAJOR 0u
#define VFIO_USER_MINOR 0u

/* Section "Commands"; all but two go from client to server. */
enum vfio_user_command {
  VFIO_USER_VERSION = 1,
  VFIO_USER_DMA_MAP = 2,
  VFIO_USER_DMA_UNMAP = 3,
  VFIO_USER_DEVICE_GET_INFO = 4,
  VFIO_USER_DEVICE_GET_REGION_INFO = 5,
  VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
  VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
  VFIO_USER_DEVICE_SET_IRQS = 8,
  VFIO_USER_REGION_READ = 9,
  VFIO_USER_REGION_WRITE = 10,
  VFIO_USER_DMA_READ = 11,  /* server to client */
  VFIO_USER_DMA_WRITE = 12, /* server to client */
  VFIO_USER_DEVICE_RESET = 13,
  VFIO_USER_REGION_WRITE_MULTI = 15,
  VFIO_USER_DEVICE_FEATURE = 16,
  VFIO_USER_MIG_DATA_READ = 17,
  VFIO_USER_MIG_DATA_WRITE = 18,
};

/* Section "Header". */
struct vfio_user_header {
  uint16_t id; /* the sender's; the reply has the same */
  uint16_t command;
  uint32_t bytes; /* of the whole message, this header included */
  uint32_t flags;
  uint32_t error; /* of a reply with VFIO_USER_FLAG_ERROR: an errno, or 0 */
};
#define VFIO_USER_FLAG_TYPE     0x0Fu /* 0: command, 1: reply */
#define VFIO_USER_FLAG_REPLY    0x01u
#define VFIO_USER_FLAG_NO_REPLY 0x10u
#define VFIO_USER_FLAG_ERROR    0x20u
_Static_assert(sizeof(struct vfio_user_header) == 16, "vfio-user.rst, Header");

/* Section "VFIO_USER_VERSION": request and reply. JSON, ended by a NUL, may follow:
 * {"capabilities": {"max_msg_fds": 1, ...}}. */
struct vfio_user_version {
  uint16_t major;
  uint16_t minor;
};
_Static_assert(sizeof(struct vfio_user_version) == 4, "vfio-user.rst, VFIO_USER_VERSION");

/* What holds where a capability is not named. */
#define VFIO_USER_DEFAULT_MSG_FDS  1u
#define VFIO_USER_DEFAULT_XFER     1048576u
#define VFIO_USER_DEFAULT_DMA_MAPS 65535u
#define VFIO_USER_DEFAULT_PGSIZES  4096u

/* Section "VFIO_USER_DMA_MAP": a request without payload in the reply. One descriptor beside it
 * where the memory can be mapped. */
struct vfio_user_dma_map {
  uint32_t argsz;
  uint32_t flags;
  uint64_t offset; /* in the descriptor's file */
  uint64_t iova;
  uint64_t bytes;
};
#define VFIO_USER_DMA_READABLE  0x1u
#define VFIO_USER_DMA_WRITEABLE 0x2u
_Static_assert(sizeof(struct vfio_user_dma_map) == 32, "vfio-user.rst, VFIO_USER_DMA_MAP");
_Static_assert(offsetof(struct vfio_user_dma_map, iova) == 16, "vfio-user.rst, VFIO_USER_DMA_MAP");

/* Section "VFIO_USER_DMA_UNMAP": the reply repeats it. */
struct vfio_user_dma_unmap {
  uint32_t argsz;
  uint32_t flags; /* VFIO_DMA_UNMAP_FLAG_ALL, as QEMU's hw/vfio-user/container.c sets it, or 0 */
  uint64_t iova;
  uint64_t bytes;
};
_Static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "vfio-user.rst, VFIO_USER_DMA_UNMAP");

/* Section "VFIO_USER_DEVICE_GET_INFO": flags are VFIO_DEVICE_FLAGS_*. */
struct vfio_user_device_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t regions;
  uint32_t irqs;
};
_Static_assert(sizeof(struct vfio_user_device_info) == 16,
               "vfio-user.rst, VFIO_USER_DEVICE_GET_INFO");

/* Section "VFIO_USER_DEVICE_GET_REGION_INFO": flags are VFIO_REGION_INFO_FLAG_*. With capabilities
 * the reply is longer; where argsz of the request has no room for them, it ends here and says in
 * argsz how much it takes. */
struct vfio_user_region_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t cap_offset; /* from the start of this struct */
  uint64_t bytes;
  uint64_t offset; /* where the region begins in the descriptor's file */
};
_Static_assert(sizeof(struct vfio_user_region_info) == 32,
               "vfio-user.rst, VFIO_USER_DEVICE_GET_REGION_INFO");

/* Sections "VFIO cap header format" and "VFIO region info cap sparse mmap": areas follow. */
struct vfio_user_sparse {
  uint16_t id;      /* VFIO_REGION_INFO_CAP_SPARSE_MMAP */
  uint16_t version; /* 1 */
  uint32_t next;    /* offset of the next capability; 0: the last */
  uint32_t areas;
  uint32_t reserved;
};
struct vfio_user_area {
  uint64_t offset; /* from the region's start */
  uint64_t bytes;
};
_Static_assert(sizeof(struct vfio_user_sparse) == 16, "vfio-user.rst, sparse mmap");
_Static_assert(sizeof(struct vfio_user_area) == 16, "vfio-user.rst, sparse mmap");

/* Section "VFIO_USER_DEVICE_GET_IRQ_INFO": flags are VFIO_IRQ_INFO_*. */
struct vfio_user_irq_info {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_irq_info) == 16,
               "vfio-user.rst, VFIO_USER_DEVICE_GET_IRQ_INFO");

/* Section "VFIO_USER_DEVICE_SET_IRQS": flags are VFIO_IRQ_SET_*. With DATA_BOOL a byte for each
 * interrupt follows, with DATA_EVENTFD a descriptor for each goes beside it, or none to take away
 * those that are set. No payload in the reply. */
struct vfio_user_irq_set {
  uint32_t argsz;
  uint32_t flags;
  uint32_t index;
  uint32_t start;
  uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_irq_set) == 20, "vfio-user.rst, VFIO_USER_DEVICE_SET_IRQS");

/* Sections "VFIO_USER_REGION_READ" and "VFIO_USER_REGION_WRITE": request and reply. Data follows in
 * the reply of a read and in the request of a write. */
struct vfio_user_access {
  uint64_t offset;
  uint32_t region;
  uint32_t count;
};
_Static_assert(sizeof(struct vfio_user_access) == 16, "vfio-user.rst, VFIO_USER_REGION_READ");

/* Section "VFIO_USER_REGION_WRITE_MULTI": a number of writes, and so many of these; the reply is
 * the number of those done. */
struct vfio_user_write {
  uint64_t offset;
  uint32_t region;
  uint32_t count; /* 1 to 8 */
  uint8_t data[8];
};
_Static_assert(sizeof(struct vfio_user_write) == 24, "vfio-user.rst, VFIO_USER_REGION_WRITE_MULTI");

#endif
