/* SPDX-License-Identifier: BSD-3-Clause
 * An NF with a virtio driver of its own, split rings, polled: it receives frames, addresses them to the next
 * one and sends them where they lie. Many fit in a process, where DPDK has room for 32 ports in all.
 */
#ifndef PVP_GUEST_H
#define PVP_GUEST_H

#include <stdint.h>

#include <linux/virtio_ring.h>

#include <rte_ether.h>
#include <rte_memzone.h>

#include "template.h"
#include "vhost_user.h"

/* Both rings full, and a burst. */
#define GUEST_BUFFERS (2 * VIRTQUEUE_SIZE + 32)

struct guest_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t avail_index;
	uint16_t used_index;
	uint8_t *buffer[VIRTQUEUE_SIZE]; /* of each descriptor */
	int kick;
	int call;
};

struct guest {
	struct guest_ring rx;
	struct guest_ring tx;
	uint16_t free_tx[VIRTQUEUE_SIZE]; /* descriptors */
	uint16_t free_tx_count;
	uint8_t *free[GUEST_BUFFERS]; /* buffers in no ring */
	uint16_t free_count;
	const struct rte_memzone *memory;
	struct link link; /* to the back end */
};

/* Connect to the vhost-user back end at `path`; `name`: of its memory. NULL with the cause in rte_errno. */
struct guest *guest_open(const char *path, const char *name);
void guest_close(struct guest *g);

/* guest_ring.c: lay the rings and buffers out in the memory. */
void guest_init(struct guest *g);
size_t guest_memory_size(void);

/* One burst; returns how many frames came. They leave with these addresses. */
uint16_t guest_burst(struct guest *g, const struct rte_ether_addr *src,
	const struct rte_ether_addr *dst);

#endif
