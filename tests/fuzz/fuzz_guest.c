/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "fuzz_guest.h"

/*
 * Rings, indirect tables and buffers, in a region that is just large enough for the harvest's fast path to
 * take its first pages; then buffers; the third region adjoins the second.
 */
static const struct fake_region_conf regions[] = {
	{0, 18 * FAKE_PAGE, FAKE_IOVA_LINEAR},
	{0x20000, 2 * FAKE_PAGE, FAKE_IOVA_SCATTERED},
	{0x22000, 2 * FAKE_PAGE, FAKE_IOVA_PAIRS},
	{UINT64_MAX - FAKE_PAGE + 1, FAKE_PAGE, FAKE_IOVA_LINEAR},
};

uint64_t
fuzz_take(struct fuzz_input *in, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes && in->left > 0; i++, in->left--)
		v |= (uint64_t)*in->data++ << (8 * i);
	return v;
}

/* An address: near an edge of a region, or anything. */
static uint64_t
take_address(struct fuzz_input *in)
{
	uint8_t how = fuzz_take(in, 1);
	const struct fake_region_conf *r = &regions[how & 3];

	if (how < 0x80)
		return r->gpa + fuzz_take(in, 2) % r->size;
	if (how < 0xf0)
		return r->gpa + r->size - fuzz_take(in, 1);
	return fuzz_take(in, 8);
}

uint32_t
fuzz_length(struct fuzz_input *in)
{
	uint8_t how = fuzz_take(in, 1);

	if (how < 0xc0)
		return how * 2;
	return fuzz_take(in, how < 0xf0 ? 2 : 4);
}

static void
write_desc(struct fuzz_guest *g, struct vring_desc *d)
{
	uint8_t flags = fuzz_take(&g->in, 1);
	struct vring_desc v = {
		.addr = take_address(&g->in),
		.len = fuzz_length(&g->in),
		.flags = flags < 0xf0 ? (flags & 1) | g->dir : flags,
		.next = fuzz_take(&g->in, 1) % (FUZZ_RING_MAX + 1),
	};

	memcpy(d, &v, sizeof(v));
}

static void
write_table(struct fuzz_guest *g)
{
	uint16_t at = fuzz_take(&g->in, 2) % (regions[0].size - 8 * sizeof(struct vring_desc));
	uint8_t n = fuzz_take(&g->in, 1) % 8;
	struct vring_desc *table = (struct vring_desc *)(g->mem.region[0].guest + (at & ~15));
	uint16_t head = fuzz_take(&g->in, 1) & (g->size - 1);

	for (uint8_t i = 0; i < n; i++)
		write_desc(g, &table[i]);
	g->desc[head] = (struct vring_desc){at & ~15, n * sizeof(*table), VRING_DESC_F_INDIRECT, 0};
}

static void
make_available(struct fuzz_guest *g)
{
	for (uint8_t n = fuzz_take(&g->in, 1) % 8; n > 0; n--) {
		uint8_t head = fuzz_take(&g->in, 1);

		g->avail->ring[g->avail_idx++ & (g->size - 1)] = head < 0xfc ? head & (g->size - 1)
									     : fuzz_take(&g->in, 2);
	}
	__atomic_store_n(&g->avail->idx, g->avail_idx, __ATOMIC_RELEASE);
}

void
fuzz_guest_writes(struct fuzz_guest *g)
{
	switch (fuzz_take(&g->in, 1) % 8) {
	case 0: /* one byte anywhere */
		g->mem.base[fuzz_take(&g->in, 3) % g->mem.total] = fuzz_take(&g->in, 1);
		break;
	case 1:
		g->avail->idx = fuzz_take(&g->in, 2);
		break;
	case 2:
		write_table(g);
		break;
	case 3:
	case 4:
		make_available(g);
		break;
	default:
		write_desc(g, &g->desc[fuzz_take(&g->in, 1) & (g->size - 1)]);
	}
}

uint8_t
fuzz_guest_open(struct fuzz_guest *g, uint16_t dir, struct iovt_vring_conf *ring)
{
	uint8_t shape = fuzz_take(&g->in, 1);
	uint8_t *host, *guest;
	size_t avail, used;

	fake_mem_init(&g->mem, regions, 4, false);
	host = g->mem.region[0].host;
	guest = g->mem.region[0].guest;
	g->dir = dir;
	g->size = 1 << shape % 6;
	g->avail_idx = shape & 0x80 ? 65530 : 0;
	avail = g->size * sizeof(struct vring_desc);
	used = (avail + (3 + g->size) * sizeof(uint16_t) + 3) & ~(size_t)3;
	g->desc = (struct vring_desc *)guest;
	g->avail = (struct vring_avail *)(guest + avail);
	g->used = (struct vring_used *)(guest + used);
	g->avail->idx = g->avail_idx;
	*ring = (struct iovt_vring_conf){
		.mem = g->mem.snapshot,
		.desc = host,
		.driver = host + avail,
		.device = host + used,
		.size = g->size,
		.last_avail = g->avail_idx,
		.last_used = g->avail_idx,
		.event_idx = shape & 8,
	};
	return shape;
}
