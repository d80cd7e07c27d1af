/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The split virtqueue (virtio 1.2, 2.7) behind a few verbs, device side:
 *
 *   available  how many chains the guest has made available
 *   prefetch   bring into the cache what fetch will need
 *   fetch      bring the next descriptors into the cache
 *   take       read and check the next available chain; peek, read_simple and consume do the same
 *              for runs of single descriptors
 *   untake     give the newest taken chains back, unread
 *   put        write a used element
 *   publish    show the used elements to the guest; says if it wants to be notified
 *
 * The engine is written over these verbs alone. All calls under the queue's lock.
 */
#ifndef IOVT_VRING_SPLIT_H
#define IOVT_VRING_SPLIT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>

#include "barrier.h"
#include "chain.h"
#include "guest_mem.h"
#include "vring.h"

struct iovt_vring_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	const struct iovt_guest_mem *mem;
	uint32_t size;       /* entries, a power of two */
	uint16_t last_avail; /* next avail entry to take, free running */
	uint16_t avail_seen; /* the guest's avail index as last read */
	uint16_t fetched;    /* entries before this one: their descriptors are being fetched */
	uint16_t last_used;  /* next used entry to write, free running */
	uint16_t published;  /* used index as last shown to the guest */
	bool event_idx;
};

/** @return 0; -EINVAL: format, size or pointers that no split virtqueue can have. Control thread. */
static inline int
iovt_split_init(struct iovt_vring_split *vr, const struct iovt_vring_conf *c)
{
	if (c->format != IOVT_SPLIT)
		return -EINVAL;
	if (c->size == 0 || c->size > 32768 || (c->size & (c->size - 1)) != 0)
		return -EINVAL;
	if (c->mem == NULL || c->desc == NULL || c->driver == NULL || c->device == NULL)
		return -EINVAL;
	*vr = (struct iovt_vring_split){
		.desc = c->desc,
		.avail = c->driver,
		.used = c->device,
		.mem = c->mem,
		.size = c->size,
		.last_avail = c->last_avail,
		.avail_seen = c->last_avail,
		.fetched = c->last_avail,
		.last_used = c->last_used,
		.published = c->last_used,
		.event_idx = c->event_idx,
	};
	return 0;
}

/*
 * How many chains can be taken; the guest's index is read again if fewer than want are known of.
 * 2.7.13.3: the index is read first, the entries it covers after. -EPROTO: the index jumped.
 */
IOVT_INLINE int
iovt_split_available(struct iovt_vring_split *vr, unsigned int want)
{
	uint16_t n = vr->avail_seen - vr->last_avail;

	if (n >= want)
		return n;
	vr->avail_seen = iovt_load_acquire(&vr->avail->idx);
	n = vr->avail_seen - vr->last_avail;
	if (iovt_likely(n <= vr->size))
		return n;
	vr->avail_seen = vr->last_avail; /* whoever asks next sees the jump, too */
	return -EPROTO;
}

/*
 * The next n entries are about to be taken: start to bring into the cache what fetch() will look at after
 * that, which is the guest's index, if it has to be read again then, and the entries behind these.
 */
IOVT_INLINE void
iovt_split_prefetch(const struct iovt_vring_split *vr, unsigned int n)
{
	uint16_t known = vr->avail_seen - vr->last_avail, next = vr->last_avail + n;

	if (known < 2 * n)
		__builtin_prefetch(&vr->avail->idx);
	__builtin_prefetch(&vr->avail->ring[next & (vr->size - 1)]);
	__builtin_prefetch(&vr->avail->ring[(next + n - 1) & (vr->size - 1)]);
}

IOVT_INLINE void
iovt_split_fetch_one(const struct iovt_vring_split *vr, unsigned int k)
{
	uint16_t head = IOVT_READ_ONCE(vr->avail->ring[(vr->last_avail + k) & (vr->size - 1)]);

	__builtin_prefetch(&vr->desc[head & (vr->size - 1)]);
}

/*
 * Bring the descriptors of the next n entries into the cache, as far as entries are available: others are
 * being written, and would have to be fetched again. Done after a burst for the next one, and once
 * more before that for what has come in between, so that it arrives all at once. Every fourth is looked at,
 * since a cache line holds four descriptors and drivers mostly offer them in order.
 */
IOVT_INLINE void
iovt_split_fetch(struct iovt_vring_split *vr, unsigned int n)
{
	uint16_t known = vr->avail_seen - vr->last_avail;
	int16_t done = vr->fetched - vr->last_avail;

	if (known < n)
		known = iovt_load_acquire(&vr->avail->idx) - vr->last_avail;
	if (n > known)
		n = known;
	if (done < 0)
		done = 0;
	if ((unsigned int)done >= n)
		return;
	for (unsigned int i = done; i < n; i += 4)
		iovt_split_fetch_one(vr, i);
	iovt_split_fetch_one(vr, n - 1);
	vr->fetched = vr->last_avail + n;
}

/**
 * Take the next available chain; available() must have said that there is one.
 *
 * @param dir what its descriptors are: IOVT_TO_GUEST or IOVT_FROM_GUEST.
 * @param segs the chain's segments are appended.
 * @param id the chain's head, to be given to put(); below size.
 * @return capacity in bytes, or -EPROTO: malformed, and nothing is taken.
 */
IOVT_INLINE int64_t
iovt_split_take(struct iovt_vring_split *vr, uint16_t dir, struct iovt_segs *segs, uint16_t *id)
{
	uint16_t slot = vr->last_avail & (vr->size - 1);
	uint16_t head = IOVT_READ_ONCE(vr->avail->ring[slot]);
	struct vring_desc d;
	int64_t len;

	if (iovt_unlikely(head >= vr->size))
		return -EPROTO;
	d = iovt_desc_read(&vr->desc[head]);
	if (iovt_likely(d.flags == dir && d.len != 0))
		len = iovt_segs_add(segs, d.addr, d.len);
	else
		len = iovt_chain_read(vr->desc, vr->size, d, dir, vr->mem, segs);
	if (iovt_likely(len >= 0)) {
		*id = head;
		vr->last_avail++;
	}
	return len;
}

/* A chain of one descriptor. */
struct iovt_split_simple {
	uint64_t gpa;
	uint32_t len;
};

/* A range of lengths, and the right flags: one comparison with a descriptor's second word. */
struct iovt_split_range {
	uint64_t first;
	uint64_t more;
};

IOVT_INLINE struct iovt_split_range
iovt_split_range(uint16_t dir, uint32_t min, uint32_t max)
{
	/* Length, flags and next, from the lowest bit on; next is shifted out. */
	return (struct iovt_split_range){
		((uint64_t)dir << 32 | min) << 16,
		(uint64_t)(max - min) << 16,
	};
}

/** The id of the chain at this place of the ring: read once, not checked. */
IOVT_INLINE uint16_t
iovt_split_peek(const struct iovt_vring_split *vr, size_t slot)
{
	return IOVT_READ_ONCE(vr->avail->ring[slot]);
}

/** Read chain id. false: it is not a simple one with a length in range, or there is no such chain. */
IOVT_INLINE bool
iovt_split_read_simple(const struct iovt_vring_split *vr, size_t id, struct iovt_split_range range,
	struct iovt_split_simple *s)
{
	const volatile iovt_guest_u64 *d = (const void *)&vr->desc[id];
	uint64_t rest;

	if (iovt_unlikely(id >= vr->size))
		return false;
	s->gpa = d[0];
	rest = d[1];
	s->len = rest;
	return (rest << 16) - range.first <= range.more;
}

/** Take the next n chains, all of them seen by peek. */
IOVT_INLINE void
iovt_split_consume(struct iovt_vring_split *vr, uint16_t n)
{
	vr->last_avail += n;
}

IOVT_INLINE void
iovt_split_untake(struct iovt_vring_split *vr, uint16_t n)
{
	vr->last_avail -= n;
}

/*
 * 2.7.8.2: element first; the index that covers it is stored by publish(). Drivers that use their
 * descriptors in turn get the same elements lap after lap, and what is there already is not written
 * again: the line then stays in the driver's cache and in ours.
 */
IOVT_INLINE void
iovt_split_put(struct iovt_vring_split *vr, uint16_t id, uint32_t len)
{
	iovt_guest_u64 *e = (void *)&vr->used->ring[vr->last_used & (vr->size - 1)];
	uint64_t elem = (uint64_t)len << 32 | id;

	if (IOVT_READ_ONCE(*e) != elem)
		IOVT_WRITE_ONCE(*e, elem);
	vr->last_used++;
}

/* Returns whether the guest asked to be notified of what is published now (2.7.7, 2.7.10). */
IOVT_INLINE bool
iovt_split_publish(struct iovt_vring_split *vr)
{
	uint16_t old = vr->published, now = vr->last_used;
	uint16_t event;

	if (old == now)
		return false;
	iovt_store_release(&vr->used->idx, now);
	vr->published = now;
	/* The guest re-enables notifications, then looks at the index; so the order here is
	 * index, fence, wish. */
	iovt_full_fence();
	if (!vr->event_idx)
		return !(IOVT_READ_ONCE(vr->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = IOVT_READ_ONCE(vr->avail->ring[vr->size]);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* The engine polls: it never wants to be kicked (2.7.7.2). */
IOVT_INLINE void
iovt_split_no_kicks(struct iovt_vring_split *vr)
{
	IOVT_WRITE_ONCE(vr->used->flags, VRING_USED_F_NO_NOTIFY);
}

#endif
