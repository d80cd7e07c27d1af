/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The verbs of virtqueue.h for the packed virtqueue (virtio 1.2, 2.8), device side.
 *
 * Descriptors are used in the order in which they become available, chains may be completed in any: a used
 * descriptor overwrites the oldest one that was taken, whatever chain it tells of.
 */
#ifndef IOVT_VRING_PACKED_H
#define IOVT_VRING_PACKED_H

#include <errno.h>

#include "chain.h"
#include "vring.h"

#define IOVT_PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define IOVT_PACKED_USED  (1u << VRING_PACKED_DESC_F_USED)
#define IOVT_PACKED_STATE (IOVT_PACKED_AVAIL | IOVT_PACKED_USED)

/* 2.8.1: the two bits in an available descriptor, and in a used one, on a lap with this wrap counter. */
IOVT_INLINE uint16_t
iovt_packed_avail_flags(bool wrap)
{
	return wrap ? IOVT_PACKED_AVAIL : IOVT_PACKED_USED;
}

IOVT_INLINE uint16_t
iovt_packed_used_flags(bool wrap)
{
	return wrap ? IOVT_PACKED_STATE : 0;
}

/* The place n slots further, n at most size. */
IOVT_INLINE struct iovt_packed_pos
iovt_packed_after(struct iovt_packed_pos p, unsigned int n, uint32_t size)
{
	uint32_t slot = p.slot + n;
	bool over = slot >= size;

	return (struct iovt_packed_pos){over ? slot - size : slot, p.wrap ^ over};
}

/* The place n slots before. */
IOVT_INLINE struct iovt_packed_pos
iovt_packed_before(struct iovt_packed_pos p, unsigned int n, uint32_t size)
{
	bool under = p.slot < n;

	return (struct iovt_packed_pos){under ? p.slot + size - n : p.slot - n, p.wrap ^ under};
}

/* Slots that do not hold a chain which was taken and is not used yet. */
IOVT_INLINE unsigned int
iovt_packed_room(const struct iovt_vring *vr)
{
	const struct iovt_packed *p = &vr->packed;
	unsigned int lap = p->avail.wrap == p->used.wrap ? vr->size : 0;

	return lap + p->used.slot - p->avail.slot;
}

static inline int
iovt_packed_init(struct iovt_vring *vr, const struct iovt_vring_conf *c)
{
	struct iovt_packed_pos avail = {c->last_avail & 0x7fff, c->last_avail >> 15};
	struct iovt_packed_pos used = {c->last_used & 0x7fff, c->last_used >> 15};

	if (avail.slot >= c->size || used.slot >= c->size)
		return -EINVAL;
	if (!iovt_vring_aligned(c->desc, 16) || !iovt_vring_aligned(c->driver, 4) ||
		!iovt_vring_aligned(c->device, 4))
		return -EINVAL;
	vr->packed = (struct iovt_packed){
		.desc = c->desc,
		.driver = c->driver,
		.device = c->device,
		.avail = avail,
		.used = used,
	};
	return iovt_packed_room(vr) <= vr->size ? 0 : -EINVAL;
}

/*
 * Counts descriptors, so that there are chains, but maybe fewer. 2.8.21: the flags of a chain's first
 * descriptor are written last, and read first.
 */
IOVT_INLINE int
iovt_packed_available(struct iovt_vring *vr, unsigned int want)
{
	struct iovt_packed *p = &vr->packed;
	unsigned int n = p->ready, room = iovt_packed_room(vr);

	if (want > room)
		want = room;
	while (n < want) {
		struct iovt_packed_pos pos = iovt_packed_after(p->avail, n, vr->size);
		uint16_t flags = iovt_load_acquire(&p->desc[pos.slot].flags);

		if ((flags & IOVT_PACKED_STATE) != iovt_packed_avail_flags(pos.wrap))
			break;
		n++;
	}
	p->ready = n;
	return n;
}

/* Whether they are available is only known once they are here. A cache line holds four. */
IOVT_INLINE void
iovt_packed_fetch(struct iovt_vring *vr, unsigned int n)
{
	struct iovt_packed *p = &vr->packed;

	if (p->fetched >= n)
		return;
	for (unsigned int i = p->fetched; i < n; i += 4)
		__builtin_prefetch(&p->desc[iovt_packed_after(p->avail, i, vr->size).slot]);
	__builtin_prefetch(&p->desc[iovt_packed_after(p->avail, n - 1, vr->size).slot]);
	p->fetched = n;
}

IOVT_INLINE void
iovt_packed_consume(struct iovt_vring *vr, uint16_t n)
{
	struct iovt_packed *p = &vr->packed;

	p->avail = iovt_packed_after(p->avail, n, vr->size);
	p->ready -= n < p->ready ? n : p->ready;
	p->fetched -= n < p->fetched ? n : p->fetched;
}

IOVT_INLINE void
iovt_packed_untake(struct iovt_vring *vr, uint16_t descs)
{
	struct iovt_packed *p = &vr->packed;

	p->avail = iovt_packed_before(p->avail, descs, vr->size);
	p->ready += descs;
	p->fetched += descs;
}

IOVT_INLINE int64_t
iovt_packed_take(struct iovt_vring *vr, uint16_t dir, struct iovt_segs *segs, struct iovt_chain *c)
{
	const struct iovt_packed *p = &vr->packed;
	struct vring_packed_desc d;
	int64_t len;

	if (iovt_unlikely(p->ready == 0))
		return -EAGAIN;
	d = iovt_packed_desc_read(&p->desc[p->avail.slot]);
	if (iovt_likely((d.flags & ~IOVT_PACKED_STATE) == dir && d.len != 0)) {
		len = iovt_segs_add(segs, d.addr, d.len);
		*c = (struct iovt_chain){d.id, 1};
	} else {
		len = iovt_packed_chain_read(p->desc, vr->size, p->avail.slot, iovt_packed_room(vr),
			d, dir, vr->mem, segs, c);
	}
	if (iovt_unlikely(len < 0 || c->id >= vr->size))
		return -EPROTO;
	iovt_packed_consume(vr, c->descs);
	return len;
}

IOVT_INLINE struct iovt_desc_range
iovt_packed_range(const struct iovt_vring *vr, uint16_t dir, uint32_t min, uint32_t max)
{
	uint64_t flags = iovt_packed_avail_flags(vr->packed.avail.wrap) | dir;

	/* Length, id and flags, from the lowest bit on; the id is masked out. */
	return (struct iovt_desc_range){flags << 48 | min, max - min};
}

IOVT_INLINE bool
iovt_packed_read_simple(const struct iovt_vring *vr, size_t k, struct iovt_desc_range range,
	struct iovt_simple *s)
{
	size_t slot = vr->packed.avail.slot + k;
	const volatile iovt_guest_u64 *d;
	uint64_t rest;

	if (iovt_unlikely(slot >= vr->size)) {
		slot -= vr->size;
		range.first ^= (uint64_t)IOVT_PACKED_STATE << 48;
	}
	d = (const void *)&vr->packed.desc[slot];
	s->gpa = d[0];
	rest = d[1];
	s->len = rest;
	s->id = rest >> 32;
	return (rest & ~(UINT64_C(0xffff) << 32)) - range.first <= range.more && s->id < vr->size;
}

/*
 * All but the flags of the first one since the last publish() are written now: the guest does not look
 * behind that one. 2.8.6: a used descriptor takes the place of its chain's first, the others are skipped.
 */
IOVT_INLINE void
iovt_packed_put(struct iovt_vring *vr, struct iovt_chain c, uint32_t len)
{
	struct iovt_packed *p = &vr->packed;
	struct vring_packed_desc *d = &p->desc[p->used.slot];
	uint16_t flags = iovt_packed_used_flags(p->used.wrap);

	/* 2.8.4: the length counts only with this flag. */
	if (len != 0)
		flags |= VRING_DESC_F_WRITE;
	if (iovt_unlikely(p->hidden == 0)) {
		p->head = p->used.slot;
		p->head_flags = flags;
		IOVT_WRITE_ONCE(d->len, len);
		IOVT_WRITE_ONCE(d->id, c.id);
	} else {
		IOVT_WRITE_ONCE(*(iovt_guest_u64 *)(void *)&d->len,
			(uint64_t)flags << 48 | (uint64_t)c.id << 32 | len);
	}
	p->hidden += c.descs;
	p->used = iovt_packed_after(p->used, c.descs, vr->size);
}

/* 2.8.10, 2.8.14 */
IOVT_INLINE bool
iovt_packed_publish(struct iovt_vring *vr)
{
	struct iovt_packed *p = &vr->packed;
	uint16_t n = p->hidden, now = p->used.slot;
	uint16_t flags, off_wrap, event;

	if (n == 0)
		return false;
	iovt_store_release(&p->desc[p->head].flags, p->head_flags);
	p->hidden = 0;
	/* The guest re-enables notifications, then looks at the ring. It writes off_wrap before flags. */
	iovt_full_fence();
	flags = iovt_load_acquire(&p->driver->flags);
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vr->event_idx)
		return true;
	off_wrap = IOVT_READ_ONCE(p->driver->off_wrap);
	event = off_wrap & 0x7fff;
	if (off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR != p->used.wrap)
		event -= vr->size;
	return (uint16_t)(now - event - 1) < n;
}

/* 2.8.14 */
static inline void
iovt_packed_no_kicks(struct iovt_vring *vr)
{
	IOVT_WRITE_ONCE(vr->packed.device->flags, VRING_PACKED_EVENT_FLAG_DISABLE);
}

#endif
