/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue, device side, in either ring format. The formats' verbs are in vring_split.h and
 * vring_packed.h; virtqueue.h chooses between them.
 */
#ifndef IOVT_VRING_H
#define IOVT_VRING_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "barrier.h"
#include "guest_mem.h"

enum iovt_ring_format {
	IOVT_SPLIT,  /* virtio 1.2, 2.7 */
	IOVT_PACKED, /* 2.8: VIRTIO_F_RING_PACKED negotiated */
};

#define IOVT_RING_SIZE_MAX 32768

/* A virtqueue as driver and front end have set it up. */
struct iovt_vring_conf {
	struct iovt_guest_mem *mem; /* the queue takes a reference */
	enum iovt_ring_format format;
	void *desc;    /* the descriptor area, in our mapping, inside mem */
	void *driver;  /* driver area: avail ring, or the driver's event suppression */
	void *device;  /* device area: used ring, or the device's event suppression */
	uint16_t size; /* entries: at most 32768; of a split ring, a power of two */
	uint16_t
		last_avail; /* where to go on (SET_VRING_BASE); packed: wrap counter << 15 | slot */
	uint16_t last_used; /* the same */
	bool event_idx;     /* VIRTIO_RING_F_EVENT_IDX negotiated */
};

/* Indices are free running. */
struct iovt_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail; /* next avail entry to take */
	uint16_t avail_seen; /* the guest's avail index as last read */
	uint16_t fetched;    /* entries before this one: their descriptors are being fetched */
	uint16_t last_used;  /* next used entry to write */
	uint16_t published;  /* used index as last shown to the guest */
};

/* A place in a packed ring: a slot, and the wrap counter of the lap (2.8.1). */
struct iovt_packed_pos {
	uint16_t slot; /* below size */
	bool wrap;
};

struct iovt_packed {
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *driver;
	struct vring_packed_desc_event *device;
	struct iovt_packed_pos avail; /* next chain to take */
	struct iovt_packed_pos used;  /* next used descriptor to write */
	uint16_t ready;               /* descriptors from avail on that are known to be available */
	uint16_t fetched;             /* descriptors from avail on that are being fetched */
	uint16_t hidden;              /* slots before used that are not shown to the guest yet */
	uint16_t head;                /* the first of these: its flags are written last, */
	uint16_t head_flags;          /* and show the others too */
};

/* How far chains were used: places in the ring, as iovt_vring_conf.last_used has them. See inflight.h. */
struct iovt_progress {
	uint16_t put;   /* behind the last one that was used, for good */
	uint16_t shown; /* behind the last one that the guest was shown */
};

/* What is left of a virtqueue whose back end lets go of it. */
struct iovt_vring_end {
	uint16_t last_avail; /* the bases that the front end must be told (GET_VRING_BASE) */
	uint16_t last_used;
	bool notify; /* the guest wants to be notified of what it was given back */
};

struct iovt_vring {
	enum iovt_ring_format format;
	bool event_idx;
	uint32_t size; /* entries */
	const struct iovt_guest_mem *mem;
	struct iovt_progress *progress; /* in the queue's record */
	union {
		struct iovt_split split;
		struct iovt_packed packed;
	};
};

/* 2.7, 2.8.10.1: where areas may begin. Guests place them, and a CPU may fault at other addresses. */
static inline bool
iovt_vring_aligned(const void *area, uintptr_t to)
{
	return ((uintptr_t)area & (to - 1)) == 0;
}

/* A chain of one descriptor. */
struct iovt_simple {
	uint64_t gpa;
	uint32_t len;
	uint16_t id; /* checked */
};

/* A range of lengths, and the right flags: one comparison with a descriptor's second word. */
struct iovt_desc_range {
	uint64_t first;
	uint64_t more;
};

#endif
