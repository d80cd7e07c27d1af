/* SPDX-License-Identifier: BSD-3-Clause */
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

/* An address: near an edge of a region, right behind what came before, or anything. */
static uint64_t
take_address(struct fuzz_guest *g)
{
	struct fuzz_input *in = &g->in;
	uint8_t how = fuzz_take(in, 1);
	const struct fake_region_conf *r = &regions[how & 3];

	if (how >= 0x70 && how < 0x80)
		return g->behind;
	if (how < 0x70)
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

struct fuzz_desc
fuzz_take_desc(struct fuzz_guest *g)
{
	uint8_t flags = fuzz_take(&g->in, 1);
	struct fuzz_desc d = {
		.addr = take_address(g),
		.len = fuzz_length(&g->in),
		.flags = flags < 0xf0 ? (flags & 1) | g->dir : flags,
		.link = fuzz_take(&g->in, 1) % (FUZZ_RING_MAX + 1),
	};

	g->behind = d.addr + d.len;
	return d;
}

static void
offer_table(struct fuzz_guest *g)
{
	uint16_t at = fuzz_take(&g->in, 2) % (regions[0].size - 8 * sizeof(struct vring_desc));
	uint8_t n = fuzz_take(&g->in, 1) % 8;
	uint16_t link = fuzz_take(&g->in, 1) % g->size;

	at &= ~15;
	for (uint8_t i = 0; i < n; i++)
		g->format->put(g->mem.region[0].guest + at + i * sizeof(struct vring_desc),
			fuzz_take_desc(g));
	g->format->offer(g,
		(struct fuzz_desc){at, n * sizeof(struct vring_desc), VRING_DESC_F_INDIRECT, link});
}

/* A table of a header and of data that follow it in memory, which is what a NIC may fill. */
static void
offer_header(struct fuzz_guest *g)
{
	struct fuzz_desc hdr = fuzz_take_desc(g), data = hdr;
	uint32_t at = 16 * FAKE_PAGE + 32 * (hdr.link % g->size);

	data.len += 128;
	hdr.len = hdr.link & 1 ? 12 : 10;
	hdr.flags = g->dir | VRING_DESC_F_NEXT;
	hdr.link = 1;
	data.addr += hdr.len;
	data.flags = g->dir;
	g->format->put(g->mem.region[0].guest + at, hdr);
	g->format->put(g->mem.region[0].guest + at + 16, data);
	g->format->offer(g, (struct fuzz_desc){at, 32, VRING_DESC_F_INDIRECT, data.link});
}

void
fuzz_guest_writes(struct fuzz_guest *g)
{
	switch (fuzz_take(&g->in, 1) % 8) {
	case 0: /* one byte anywhere */
		g->mem.base[fuzz_take(&g->in, 3) % g->mem.total] = fuzz_take(&g->in, 1);
		break;
	case 1:
		offer_table(g);
		break;
	case 2:
	case 3:
		g->format->offer(g, fuzz_take_desc(g));
		break;
	case 4:
		offer_header(g);
		break;
	default:
		g->format->write(g);
	}
}

uint8_t
fuzz_guest_open(struct fuzz_guest *g, uint16_t dir, struct iovt_vring_conf *ring)
{
	uint8_t format = fuzz_take(&g->in, 1), shape = fuzz_take(&g->in, 1);

	fake_mem_init(&g->mem, regions, 4, false);
	g->dir = dir;
	g->format = format & 1 ? &fuzz_packed : &fuzz_split;
	*ring = (struct iovt_vring_conf){.mem = g->mem.snapshot, .event_idx = shape & 8};
	g->format->open(g, shape, ring);
	return shape;
}

unsigned int
fuzz_taken(const struct iovt_vring *vr)
{
	uint16_t avail, used;
	unsigned int n;

	iovt_vq_bases(vr, &avail, &used);
	n = (uint16_t)(avail - used);
	if (vr->format == IOVT_PACKED) {
		n = (avail & 0x7fff) - (used & 0x7fff);
		if (avail >> 15 != used >> 15)
			n += vr->size;
	}
	CHECK(n <= vr->size);
	return n;
}
