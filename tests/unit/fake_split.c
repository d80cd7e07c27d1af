/* SPDX-License-Identifier: BSD-3-Clause */
/* The split ring (virtio 1.2, 2.7), driver side. */
#include <string.h>

#include "fake_guest.h"

/* One area behind the other, as legacy drivers place them; used ring aligned to 4. */
static size_t
avail_offset(uint16_t size)
{
	return size * sizeof(struct vring_desc);
}

static size_t
used_offset(uint16_t size)
{
	return (avail_offset(size) + (3 + size) * sizeof(uint16_t) + 3) & ~(size_t)3;
}

static size_t
split_bytes(uint16_t size)
{
	return used_offset(size) + 3 * sizeof(uint16_t) + size * sizeof(struct vring_used_elem);
}

static void
split_reset(struct fake_guest *g, uint16_t start)
{
	uint8_t *base = fake_mem_guest(&g->mem, g->rings, split_bytes(g->size));

	memset(base, 0, split_bytes(g->size));
	g->split = (struct fake_split_ring){
		.desc = (struct vring_desc *)base,
		.avail = (struct vring_avail *)(base + avail_offset(g->size)),
		.used = (struct vring_used *)(base + used_offset(g->size)),
		.avail_idx = start,
		.used_idx = start,
		.kicked = start,
	};
	g->split.avail->idx = start;
	g->split.used->idx = start;
}

static void
write_indirect(struct fake_guest *g, const struct fake_chain *c, struct vring_desc *d)
{
	uint8_t n = c->nr_seg - c->nr_direct;
	uint64_t bytes = (n + 1) * sizeof(*d); /* one more than is linked */
	uint64_t gpa = g->tables +
		(d - g->split.desc) * (FAKE_SEGS + 1) * sizeof(struct vring_desc);
	struct vring_desc *table = (struct vring_desc *)fake_mem_guest(&g->mem, gpa, bytes);
	uint16_t at = 0;

	memset(table, 0xff, bytes);
	for (uint8_t i = 0; i < n; i++) {
		const struct fake_seg *s = &c->seg[c->nr_direct + i];
		/* Entries are linked from the first to the last, then backwards. */
		uint16_t next = n - i;

		table[at] = (struct vring_desc){s->gpa, s->len, g->dir, next};
		if (i + 1 < n)
			table[at].flags |= VRING_DESC_F_NEXT;
		at = next;
	}
	*d = (struct vring_desc){gpa, bytes, VRING_DESC_F_INDIRECT, 0xffff};
}

static int
split_add(struct fake_guest *g, struct fake_chain *c)
{
	struct fake_split_ring *r = &g->split;
	bool indirect = c->nr_direct < c->nr_seg;

	c->nr_desc = c->nr_direct + indirect;
	if (g->nr_free_desc < c->nr_desc)
		return -1;
	for (uint8_t i = 0; i < c->nr_desc; i++)
		c->desc[i] = g->free_desc[--g->nr_free_desc];
	for (uint8_t i = 0; i < c->nr_direct; i++) {
		struct vring_desc *d = &r->desc[c->desc[i]];

		*d = (struct vring_desc){c->seg[i].gpa, c->seg[i].len, g->dir, 0xffff};
		if (i + 1 < c->nr_desc) {
			d->flags |= VRING_DESC_F_NEXT;
			d->next = c->desc[i + 1];
		}
	}
	if (indirect)
		write_indirect(g, c, &r->desc[c->desc[c->nr_direct]]);
	g->chain[c->desc[0]] = *c;
	g->nr_posted++;
	r->avail->ring[r->avail_idx++ & (g->size - 1)] = c->desc[0];
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
	return c->desc[0];
}

static void
split_drop(struct fake_guest *g, const struct fake_chain *c)
{
	for (uint8_t i = 0; i < c->nr_desc; i++) {
		memset(&g->split.desc[c->desc[i]], 0xff, sizeof(struct vring_desc));
		g->free_desc[g->nr_free_desc++] = c->desc[i];
	}
}

static bool
split_used(struct fake_guest *g, uint16_t *id, uint32_t *len)
{
	struct fake_split_ring *r = &g->split;
	uint16_t idx = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	const struct vring_used_elem *e = &r->used->ring[r->used_idx & (g->size - 1)];

	CHECK((uint16_t)(idx - r->used_idx) <= g->nr_posted);
	if (idx == r->used_idx)
		return false;
	CHECK(e->id < g->size);
	*id = e->id;
	*len = e->len;
	r->used_idx++;
	return true;
}

static void
split_wish(struct fake_guest *g, uint16_t flags, uint16_t event)
{
	struct fake_split_ring *r = &g->split;

	r->avail->flags = flags;
	__atomic_store_n(&r->avail->ring[g->size], event, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* 2.7.7.1, 2.7.10.1: the index first, then the wish. */
static bool
split_must_kick(struct fake_guest *g)
{
	struct fake_split_ring *r = &g->split;
	uint16_t old = r->kicked, now = r->avail_idx, event;

	if (old == now)
		return false;
	r->kicked = now;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!g->event_idx)
		return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
			VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n((uint16_t *)&r->used->ring[g->size], __ATOMIC_RELAXED);
	return vring_need_event(event, now, old);
}

static uint16_t
split_next_used(const struct fake_guest *g)
{
	return g->split.used_idx;
}

/* The event is the index of the element that should interrupt; "never" is the last one. */
static void
split_notify_after(struct fake_guest *g, uint16_t n)
{
	split_wish(g, n == 0 ? VRING_AVAIL_F_NO_INTERRUPT : 0, g->split.used_idx + n - 1);
}

static bool
split_kicks(const struct fake_guest *g)
{
	return !(g->split.used->flags & VRING_USED_F_NO_NOTIFY);
}

static struct vring_desc
raw_desc(const struct fake_raw *d, uint16_t next, bool last)
{
	uint16_t flags = last ? d->flags : d->flags | VRING_DESC_F_NEXT;

	return (struct vring_desc){d->gpa, d->len, flags, next};
}

static void
split_table(void *table, const struct fake_raw *d, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct vring_desc v = raw_desc(&d[i], i + 1, i + 1 == n);

		memcpy((uint8_t *)table + i * sizeof(v), &v, sizeof(v));
	}
}

static void
split_offer(struct fake_guest *g, uint16_t id, const struct fake_raw *d, uint16_t n)
{
	struct fake_split_ring *r = &g->split;
	uint16_t at = id < g->size ? id : 0;

	for (uint16_t i = 0; i < n; i++) {
		uint16_t next = at + 1 < g->size ? at + 1 : 0;

		r->desc[at] = raw_desc(&d[i], next, i + 1 == n);
		at = next;
	}
	r->avail->ring[r->avail_idx++ & (g->size - 1)] = id;
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
}

static void
split_open(const struct fake_guest *g, struct iovt_vring_conf *conf)
{
	uint8_t *base = fake_mem_host(&g->mem, g->rings, split_bytes(g->size));

	conf->format = IOVT_SPLIT;
	conf->desc = base;
	conf->driver = base + avail_offset(g->size);
	conf->device = base + used_offset(g->size);
}

static uint16_t
split_after(uint16_t size, uint16_t start, uint16_t n)
{
	(void)size;
	return start + n;
}

const struct fake_format fake_split = {
	.name = "split",
	.bytes = split_bytes,
	.reset = split_reset,
	.add = split_add,
	.drop = split_drop,
	.used = split_used,
	.notify_after = split_notify_after,
	.must_kick = split_must_kick,
	.next_used = split_next_used,
	.wish = split_wish,
	.kicks = split_kicks,
	.offer = split_offer,
	.table = split_table,
	.open = split_open,
	.after = split_after,
	.first = 0,
};
