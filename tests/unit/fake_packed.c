/* SPDX-License-Identifier: BSD-3-Clause */
/* The packed ring (virtio 1.2, 2.8), driver side. */
#include <string.h>

#include "fake_guest.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

/* The ring, then driver and device event suppression. */
static size_t
driver_offset(uint16_t size)
{
	return size * sizeof(struct vring_packed_desc);
}

static size_t
device_offset(uint16_t size)
{
	return driver_offset(size) + sizeof(struct vring_packed_desc_event);
}

static size_t
packed_bytes(uint16_t size)
{
	return device_offset(size) + sizeof(struct vring_packed_desc_event);
}

static void
advance(const struct fake_guest *g, struct fake_packed_pos *pos, uint16_t n)
{
	uint32_t idx = (uint32_t)pos->idx + n;

	if (idx >= g->size) {
		idx -= g->size;
		pos->wrap = !pos->wrap;
	}
	pos->idx = idx;
}

/* 2.8.1: the bits differ in an available descriptor and are equal in a used one. */
static uint16_t
avail_bits(bool wrap)
{
	return wrap ? AVAIL : USED;
}

static uint16_t
used_bits(bool wrap)
{
	return wrap ? AVAIL | USED : 0;
}

/* Every entry looks used: those before start in this lap, the others in the one before. */
static void
packed_reset(struct fake_guest *g, uint16_t start)
{
	struct fake_packed_pos pos = {start & 0x7fff, start >> 15};
	uint8_t *base = fake_mem_guest(&g->mem, g->rings, packed_bytes(g->size));

	CHECK(pos.idx < g->size);
	memset(base, 0, packed_bytes(g->size));
	g->packed = (struct fake_packed_ring){
		.desc = (struct vring_packed_desc *)base,
		.driver = (struct vring_packed_desc_event *)(base + driver_offset(g->size)),
		.device = (struct vring_packed_desc_event *)(base + device_offset(g->size)),
		.avail = pos,
		.used = pos,
		.nr_free = g->size,
	};
	for (uint16_t i = 0; i < g->size; i++)
		g->packed.desc[i].flags = used_bits(i < pos.idx ? pos.wrap : !pos.wrap);
}

/* 2.8.7: a table has no links, and of the flags only WRITE counts. */
static struct vring_packed_desc
write_indirect(struct fake_guest *g, const struct fake_chain *c, uint16_t id)
{
	uint64_t bytes = c->nr_seg * sizeof(struct vring_packed_desc);
	uint64_t gpa = g->tables + id * (FAKE_SEGS + 1) * sizeof(struct vring_packed_desc);
	struct vring_packed_desc *table = (struct vring_packed_desc *)fake_mem_guest(&g->mem, gpa,
		bytes);

	for (uint8_t i = 0; i < c->nr_seg; i++)
		table[i] = (struct vring_packed_desc){c->seg[i].gpa, c->seg[i].len, 0xffff, g->dir};
	return (struct vring_packed_desc){gpa, bytes, id, VRING_DESC_F_INDIRECT};
}

/* Write a chain's descriptors; the first one's flags, which show it to the device, last (2.8.21.1). */
static void
make_available(struct fake_guest *g, struct vring_packed_desc *d, uint16_t n)
{
	struct fake_packed_ring *r = &g->packed;
	struct fake_packed_pos pos = r->avail;
	struct vring_packed_desc *first = &r->desc[pos.idx];

	for (uint16_t i = 0; i < n; i++) {
		struct vring_packed_desc *at = &r->desc[pos.idx];

		d[i].flags |= avail_bits(pos.wrap);
		at->addr = d[i].addr;
		at->len = d[i].len;
		at->id = d[i].id;
		if (i > 0)
			__atomic_store_n(&at->flags, d[i].flags, __ATOMIC_RELAXED);
		advance(g, &pos, 1);
	}
	__atomic_store_n(&first->flags, d[0].flags, __ATOMIC_RELEASE);
	r->avail = pos;
	r->nr_added += n;
}

/*
 * A table stands alone in this format (2.8.19), so a chain that is to have both has only the table. The
 * last descriptor's id is the chain's; the others have it, too.
 */
static int
packed_add(struct fake_guest *g, struct fake_chain *c)
{
	struct vring_packed_desc d[FAKE_SEGS];
	uint16_t id;

	if (c->nr_direct < c->nr_seg)
		c->nr_direct = 0;
	c->nr_desc = c->nr_direct == 0 ? 1 : c->nr_seg;
	if (g->packed.nr_free < c->nr_desc || g->nr_free_desc == 0)
		return -1;
	id = g->free_desc[--g->nr_free_desc];
	c->desc[0] = id;
	for (uint8_t i = 0; i < c->nr_direct; i++) {
		uint16_t next = i + 1 < c->nr_direct ? VRING_DESC_F_NEXT : 0;

		d[i] = (struct vring_packed_desc){c->seg[i].gpa, c->seg[i].len, id, g->dir | next};
	}
	if (c->nr_direct == 0)
		d[0] = write_indirect(g, c, id);
	g->chain[id] = *c;
	g->nr_posted++;
	make_available(g, d, c->nr_desc);
	g->packed.nr_free -= c->nr_desc;
	return id;
}

static void
packed_drop(struct fake_guest *g, const struct fake_chain *c)
{
	g->packed.nr_free += c->nr_desc;
	g->free_desc[g->nr_free_desc++] = c->desc[0];
}

/*
 * One used descriptor stands for as many ring entries as its chain had (2.8.6). All but the flags of these
 * is overwritten, because a device must not look at them again.
 */
static bool
packed_used(struct fake_guest *g, uint16_t *id, uint32_t *len)
{
	struct fake_packed_ring *r = &g->packed;
	struct vring_packed_desc *d = &r->desc[r->used.idx];
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

	if ((flags & (AVAIL | USED)) != used_bits(r->used.wrap))
		return false;
	CHECK(g->nr_posted > 0);
	*id = d->id;
	*len = flags & VRING_DESC_F_WRITE ? d->len : 0;
	CHECK(*len > 0 || !(flags & VRING_DESC_F_WRITE)); /* 2.8.4 */
	CHECK(*id < g->size && g->chain[*id].posted);
	for (uint16_t n = g->chain[*id].nr_desc; n > 0; n--) {
		memset(&r->desc[r->used.idx], 0xff, offsetof(struct vring_packed_desc, flags));
		advance(g, &r->used, 1);
	}
	return true;
}

static void
packed_wish(struct fake_guest *g, uint16_t flags, uint16_t event)
{
	struct vring_packed_desc_event *e = g->packed.driver;

	__atomic_store_n(&e->off_wrap, event, __ATOMIC_RELAXED);
	__atomic_store_n(&e->flags, flags, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* 2.8.10: with an event index the place in the ring that is to interrupt, else yes or no. */
static void
packed_notify_after(struct fake_guest *g, uint16_t n)
{
	struct fake_packed_pos pos = g->packed.used;
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (n > 0) {
		CHECK(n <= g->size);
		flags = g->event_idx ? VRING_PACKED_EVENT_FLAG_DESC
				     : VRING_PACKED_EVENT_FLAG_ENABLE;
		advance(g, &pos, n - 1);
	}
	packed_wish(g, flags, pos.idx | pos.wrap << VRING_PACKED_EVENT_F_WRAP_CTR);
}

static bool
packed_kicks(const struct fake_guest *g)
{
	return g->packed.device->flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

static struct vring_packed_desc
raw_desc(const struct fake_raw *d, uint16_t id, bool last)
{
	uint16_t flags = last ? d->flags : d->flags | VRING_DESC_F_NEXT;

	return (struct vring_packed_desc){d->gpa, d->len, id, flags};
}

/* Some drivers link the entries of a table, which nobody looks at (2.8.7). */
static void
packed_table(void *table, const struct fake_raw *d, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct vring_packed_desc v = raw_desc(&d[i], 0xffff, i + 1 == n);

		memcpy((uint8_t *)table + i * sizeof(v), &v, sizeof(v));
	}
}

/* The id of a chain is its last descriptor's (2.8.6). */
static void
packed_offer(struct fake_guest *g, uint16_t id, const struct fake_raw *d, uint16_t n)
{
	struct vring_packed_desc desc[256];

	CHECK(n <= 256);
	for (uint16_t i = 0; i < n; i++)
		desc[i] = raw_desc(&d[i], i + 1 == n ? id : 0xffff, i + 1 == n);
	make_available(g, desc, n);
}

/* 2.8.10: the descriptors first, then the wish. */
static bool
packed_must_kick(struct fake_guest *g)
{
	struct fake_packed_ring *r = &g->packed;
	uint16_t added = r->nr_added, flags, off_wrap, event;

	if (added == 0)
		return false;
	r->nr_added = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = __atomic_load_n(&r->device->flags, __ATOMIC_ACQUIRE);
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	off_wrap = __atomic_load_n(&r->device->off_wrap, __ATOMIC_RELAXED);
	event = off_wrap & 0x7fff;
	if (off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR != r->avail.wrap)
		event -= g->size; /* in the lap before */
	return vring_need_event(event, r->avail.idx, r->avail.idx - added);
}

static uint16_t
packed_next_used(const struct fake_guest *g)
{
	return g->packed.used.idx | g->packed.used.wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
}

static void
packed_open(const struct fake_guest *g, struct iovt_vring_conf *conf)
{
	uint8_t *base = fake_mem_host(&g->mem, g->rings, packed_bytes(g->size));

	conf->format = IOVT_PACKED;
	conf->desc = base;
	conf->driver = base + driver_offset(g->size);
	conf->device = base + device_offset(g->size);
}

static uint16_t
packed_after(uint16_t size, uint16_t start, uint16_t n)
{
	struct fake_guest g = {.size = size};
	struct fake_packed_pos pos = {start & 0x7fff, start >> 15};

	for (; n >= size; n -= size)
		pos.wrap = !pos.wrap;
	advance(&g, &pos, n);
	return pos.idx | pos.wrap << 15;
}

const struct fake_format fake_packed = {
	.name = "packed",
	.bytes = packed_bytes,
	.reset = packed_reset,
	.add = packed_add,
	.drop = packed_drop,
	.used = packed_used,
	.notify_after = packed_notify_after,
	.must_kick = packed_must_kick,
	.next_used = packed_next_used,
	.wish = packed_wish,
	.kicks = packed_kicks,
	.offer = packed_offer,
	.table = packed_table,
	.open = packed_open,
	.after = packed_after,
	.first = 1 << 15,
};
