/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtqueue as driver and front end have set it up, whatever its format. */
#ifndef IOVT_VRING_H
#define IOVT_VRING_H

#include <stdbool.h>
#include <stdint.h>

struct iovt_guest_mem;

enum iovt_ring_format {
	IOVT_SPLIT,  /* virtio 1.2, 2.7 */
	IOVT_PACKED, /* virtio 1.2, 2.8 */
};

struct iovt_vring_conf {
	struct iovt_guest_mem *mem; /* the queue takes a reference */
	enum iovt_ring_format format;
	/* The three areas (2.6) in our mapping, inside mem. */
	void *desc;    /* descriptor area */
	void *driver;  /* split: avail ring; packed: driver event suppression */
	void *device;  /* split: used ring; packed: device event suppression */
	uint16_t size; /* entries, at most 32768; split: a power of two */
	uint16_t
		last_avail; /* where to go on (SET_VRING_BASE); packed: wrap counter << 15 | index */
	uint16_t last_used;
	bool event_idx; /* VIRTIO_RING_F_EVENT_IDX negotiated */
};

#endif
