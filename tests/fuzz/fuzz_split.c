/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "fuzz_guest.h"

static void
split_open(struct fuzz_guest *g, uint8_t shape, struct iovt_vring_conf *ring)
{
	uint16_t size = 1 << shape % 6, start = shape & 0x80 ? 65530 : 0;
	size_t avail = size * sizeof(struct vring_desc);
	size_t used = (avail + (3 + size) * sizeof(uint16_t) + 3) & ~(size_t)3;
	uint8_t *host = g->mem.region[0].host, *guest = g->mem.region[0].guest;

	g->size = size;
	g->split = (struct fuzz_split_ring){
		.desc = (struct vring_desc *)guest,
		.avail = (struct vring_avail *)(guest + avail),
		.avail_idx = start,
	};
	g->split.avail->idx = start;
	ring->format = IOVT_SPLIT;
	ring->desc = host;
	ring->driver = host + avail;
	ring->device = host + used;
	ring->size = size;
	ring->last_avail = ring->last_used = start;
}

static void
split_put(void *at, struct fuzz_desc d)
{
	struct vring_desc v = {d.addr, d.len, d.flags, d.link};

	memcpy(at, &v, sizeof(v));
}

/* Make descriptor id available. */
static void
make_available(struct fuzz_guest *g, uint16_t id)
{
	struct fuzz_split_ring *r = &g->split;

	r->avail->ring[r->avail_idx++ & (g->size - 1)] = id;
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
}

static void
split_offer(struct fuzz_guest *g, struct fuzz_desc d)
{
	uint16_t id = d.link & (g->size - 1);

	split_put(&g->split.desc[id], d);
	make_available(g, id);
}

static void
split_write(struct fuzz_guest *g)
{
	uint8_t how = fuzz_take(&g->in, 1), id;

	switch (how % 8) {
	case 0:
		g->split.avail->idx = fuzz_take(&g->in, 2);
		break;
	case 1:
		g->split.avail->flags = fuzz_take(&g->in, 1);
		g->split.avail->ring[g->size] = fuzz_take(&g->in, 2);
		break;
	case 2:
	case 3:
		for (uint8_t n = how / 8 % 8; n > 0; n--) {
			id = fuzz_take(&g->in, 1);
			make_available(g, id < 0xfc ? id & (g->size - 1) : fuzz_take(&g->in, 2));
		}
		break;
	default:
		split_put(&g->split.desc[how / 8 & (g->size - 1)], fuzz_take_desc(g));
	}
}

const struct fuzz_format fuzz_split = {split_open, split_put, split_offer, split_write};
