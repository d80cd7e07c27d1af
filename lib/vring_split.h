/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of virtqueue.h for the split virtqueue (virtio 1.2, 2.7), device side. */
#ifndef IOVT_VRING_SPLIT_H
#define IOVT_VRING_SPLIT_H

#include <errno.h>

#include "chain.h"
#include "vring.h"

static inline int
iovt_split_init(struct iovt_vring *vr, const struct iovt_vring_conf *c)
{
	if ((c->size & (c->size - 1)) != 0)
		return -EINVAL;
	if (!iovt_vring_aligned(c->desc, 16) || !iovt_vring_aligned(c->driver, 2) ||
		!iovt_vring_aligned(c->device, 4))
		return -EINVAL;
	vr->split = (struct iovt_split){
		.desc = c->desc,
		.avail = c->driver,
		.used = c->device,
		.last_avail = c->last_avail,
		.avail_seen = c->last_avail,
		.fetched = c->last_avail,
		.last_used = c->last_used,
		.published = c->last_used,
	};
	return 0;
}

/* 2.7.13.3: the index is read first, the entries it covers after. */
IOVT_INLINE int
iovt_split_available(struct iovt_vring *vr, unsigned int want)
{
	struct iovt_split *s = &vr->split;
	uint16_t n = s->avail_seen - s->last_avail;

	if (n >= want)
		return n;
	s->avail_seen = iovt_load_acquire(&s->avail->idx);
	n = s->avail_seen - s->last_avail;
	if (iovt_likely(n <= vr->size))
		return n;
	s->avail_seen = s->last_avail; /* whoever asks next sees the jump, too */
	return -EPROTO;
}

/* What fetch() will look at: the guest's index, if it has to be read again then, and the entries. */
IOVT_INLINE void
iovt_split_prefetch(const struct iovt_vring *vr, unsigned int n)
{
	const struct iovt_split *s = &vr->split;
	uint16_t known = s->avail_seen - s->last_avail, next = s->last_avail + n;

	if (known < 2 * n)
		__builtin_prefetch(&s->avail->idx);
	__builtin_prefetch(&s->avail->ring[next & (vr->size - 1)]);
	__builtin_prefetch(&s->avail->ring[(next + n - 1) & (vr->size - 1)]);
}

IOVT_INLINE void
iovt_split_fetch_one(const struct iovt_vring *vr, unsigned int k)
{
	const struct iovt_split *s = &vr->split;
	uint16_t head = IOVT_READ_ONCE(s->avail->ring[(s->last_avail + k) & (vr->size - 1)]);

	__builtin_prefetch(&s->desc[head & (vr->size - 1)]);
}

/*
 * As far as entries are available: others are being written, and would have to be fetched again. Every
 * fourth is looked at, since a cache line holds four descriptors and drivers mostly offer them in order.
 */
IOVT_INLINE void
iovt_split_fetch(struct iovt_vring *vr, unsigned int n)
{
	struct iovt_split *s = &vr->split;
	uint16_t known = s->avail_seen - s->last_avail;
	int16_t done = s->fetched - s->last_avail;

	if (known < n)
		known = iovt_load_acquire(&s->avail->idx) - s->last_avail;
	if (n > known)
		n = known;
	if (done < 0)
		done = 0;
	if ((unsigned int)done >= n)
		return;
	for (unsigned int i = done; i < n; i += 4)
		iovt_split_fetch_one(vr, i);
	iovt_split_fetch_one(vr, n - 1);
	s->fetched = s->last_avail + n;
}

IOVT_INLINE int64_t
iovt_split_take(struct iovt_vring *vr, uint16_t dir, struct iovt_segs *segs, struct iovt_chain *c)
{
	struct iovt_split *s = &vr->split;
	uint16_t head;
	struct vring_desc d;
	int64_t len;

	if (iovt_unlikely(s->last_avail == s->avail_seen))
		return -EAGAIN;
	head = IOVT_READ_ONCE(s->avail->ring[s->last_avail & (vr->size - 1)]);
	if (iovt_unlikely(head >= vr->size))
		return -EPROTO;
	d = iovt_desc_read(&s->desc[head]);
	if (iovt_likely(d.flags == dir && d.len != 0))
		len = iovt_segs_add(segs, d.addr, d.len);
	else
		len = iovt_chain_read(s->desc, vr->size, d, dir, vr->mem, segs);
	if (iovt_likely(len >= 0)) {
		*c = (struct iovt_chain){head, 1};
		s->last_avail++;
	}
	return len;
}

IOVT_INLINE struct iovt_desc_range
iovt_split_range(uint16_t dir, uint32_t min, uint32_t max)
{
	/* Length, flags and next, from the lowest bit on; next is shifted out. */
	return (struct iovt_desc_range){
		((uint64_t)dir << 32 | min) << 16,
		(uint64_t)(max - min) << 16,
	};
}

IOVT_INLINE bool
iovt_split_read_simple(const struct iovt_vring *vr, size_t k, struct iovt_desc_range range,
	struct iovt_simple *s)
{
	const size_t mask = vr->size - 1;
	size_t id = IOVT_READ_ONCE(vr->split.avail->ring[(vr->split.last_avail + k) & mask]);
	const volatile iovt_guest_u64 *d = (const void *)&vr->split.desc[id];
	uint64_t rest;

	if (iovt_unlikely(id > mask))
		return false;
	s->gpa = d[0];
	rest = d[1];
	s->len = rest;
	s->id = id;
	return (rest << 16) - range.first <= range.more;
}

IOVT_INLINE void
iovt_split_consume(struct iovt_vring *vr, uint16_t n)
{
	vr->split.last_avail += n;
}

IOVT_INLINE void
iovt_split_untake(struct iovt_vring *vr)
{
	vr->split.last_avail--;
}

/*
 * 2.7.8.2: element first; the index that covers it is stored by publish(). Drivers that use their
 * descriptors in turn get the same elements lap after lap, and what is there already is not written
 * again: the line then stays in the driver's cache and in ours.
 */
IOVT_INLINE void
iovt_split_put(struct iovt_vring *vr, uint16_t id, uint32_t len)
{
	struct iovt_split *s = &vr->split;
	iovt_guest_u64 *e = (void *)&s->used->ring[s->last_used & (vr->size - 1)];
	uint64_t elem = (uint64_t)len << 32 | id;

	if (IOVT_READ_ONCE(*e) != elem)
		IOVT_WRITE_ONCE(*e, elem);
	s->last_used++;
}

/* 2.7.7, 2.7.10. */
IOVT_INLINE bool
iovt_split_publish(struct iovt_vring *vr)
{
	struct iovt_split *s = &vr->split;
	uint16_t old = s->published, now = s->last_used;
	uint16_t event;

	if (old == now)
		return false;
	iovt_store_release(&s->used->idx, now);
	s->published = now;
	/* The guest re-enables notifications, then looks at the index; so the order here is
	 * index, fence, wish. */
	iovt_full_fence();
	if (!vr->event_idx)
		return !(IOVT_READ_ONCE(s->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = IOVT_READ_ONCE(s->avail->ring[vr->size]);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* 2.7.7.2 */
static inline void
iovt_split_no_kicks(struct iovt_vring *vr)
{
	IOVT_WRITE_ONCE(vr->split.used->flags, VRING_USED_F_NO_NOTIFY);
}

#endif
