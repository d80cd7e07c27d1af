/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "fuzz_guest.h"

static void
packed_open(struct fuzz_guest *g, uint8_t shape, struct iovt_vring_conf *ring)
{
	uint16_t size = 1 + shape % FUZZ_RING_MAX;
	size_t driver = size * sizeof(struct vring_packed_desc);
	size_t device = driver + sizeof(struct vring_packed_desc_event);
	uint8_t *host = g->mem.region[0].host, *guest = g->mem.region[0].guest;

	g->size = size;
	g->packed = (struct fuzz_packed_ring){
		.desc = (struct vring_packed_desc *)guest,
		.driver = (struct vring_packed_desc_event *)(guest + driver),
		.slot = shape & 0x80 ? size - 1 : 0,
		.wrap = !(shape & 0x80),
	};
	ring->format = IOVT_PACKED;
	ring->desc = host;
	ring->driver = host + driver;
	ring->device = host + device;
	ring->size = size;
	ring->last_avail = ring->last_used = g->packed.wrap << 15 | g->packed.slot;
}

static void
packed_put(void *at, struct fuzz_desc d)
{
	struct vring_packed_desc v = {d.addr, d.len, d.link, d.flags};

	memcpy(at, &v, sizeof(v));
}

/* Ids mostly follow the slots, so that they are free if the slots are. */
static uint16_t
id_for(const struct fuzz_guest *g, uint16_t link)
{
	return link < FUZZ_RING_MAX / 2 ? g->packed.slot : link;
}

/* Where the driver is, and on it goes, linked or not. */
static void
packed_offer(struct fuzz_guest *g, struct fuzz_desc d)
{
	struct fuzz_packed_ring *r = &g->packed;

	d.link = id_for(g, d.link);
	d.flags |= 1u << (r->wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED);
	packed_put(&r->desc[r->slot], d);
	if (++r->slot == g->size) {
		r->slot = 0;
		r->wrap = !r->wrap;
	}
}

static void
packed_write(struct fuzz_guest *g)
{
	struct fuzz_packed_ring *r = &g->packed;
	uint8_t how = fuzz_take(&g->in, 1);

	switch (how % 8) {
	case 0: /* go on elsewhere, or on the other lap */
		r->slot = fuzz_take(&g->in, 1) % g->size;
		r->wrap = how & 0x80;
		break;
	case 1:
		r->driver->flags = fuzz_take(&g->in, 1) % 8;
		r->driver->off_wrap = fuzz_take(&g->in, 2);
		break;
	case 2: /* flags alone, of any entry */
		r->desc[how / 8 % g->size].flags = fuzz_take(&g->in, 2);
		break;
	case 3:
		packed_put(&r->desc[how / 8 % g->size], fuzz_take_desc(g));
		break;
	default:
		for (uint8_t n = how / 8 % 8; n > 0; n--)
			packed_offer(g, fuzz_take_desc(g));
	}
}

const struct fuzz_format fuzz_packed = {packed_open, packed_put, packed_offer, packed_write};
