/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue of either format behind a few verbs, device side:
 *
 *   available  how many chains the guest has made available
 *   prefetch   bring into the cache what fetch will need
 *   fetch      bring the next descriptors into the cache
 *   take       read and check the next available chain; read_simple and consume do the same for
 *              runs of single descriptors
 *   untake     give the newest taken chain back, unread
 *   put        say that a chain is used
 *   commit     what was put stays put, whatever happens to this process
 *   publish    show the guest what was put; says if it wants to be notified
 *
 * The engine is written over these verbs alone. The format f is a constant in the hot path: the engine
 * is inlined once for each, and nothing is left of the choice. All calls under the queue's lock.
 */
#ifndef IOVT_VIRTQUEUE_H
#define IOVT_VIRTQUEUE_H

#include "vring_packed.h"
#include "vring_split.h"

/** @return 0; -EINVAL: sizes, places or pointers that no virtqueue can have. Control thread. */
static inline int
iovt_vq_init(struct iovt_vring *vr, const struct iovt_vring_conf *c)
{
	if (c->size == 0 || c->size > IOVT_RING_SIZE_MAX)
		return -EINVAL;
	if (c->mem == NULL || c->desc == NULL || c->driver == NULL || c->device == NULL)
		return -EINVAL;
	*vr = (struct iovt_vring){
		.format = c->format,
		.event_idx = c->event_idx,
		.size = c->size,
		.mem = c->mem,
	};
	return c->format == IOVT_SPLIT ? iovt_split_init(vr, c) : iovt_packed_init(vr, c);
}

/** The bases that the front end must be told, as in iovt_vring_conf. */
static inline void
iovt_vq_bases(const struct iovt_vring *vr, uint16_t *last_avail, uint16_t *last_used)
{
	const struct iovt_packed *p = &vr->packed;
	bool split = vr->format == IOVT_SPLIT;

	*last_avail = split ? vr->split.last_avail : p->avail.wrap << 15 | p->avail.slot;
	*last_used = split ? vr->split.last_used : p->used.wrap << 15 | p->used.slot;
}

/**
 * How many chains can be taken: none if 0, else at least one and at most so many. The ring is read again
 * if fewer than want are known of. -EPROTO: it makes no sense.
 */
IOVT_INLINE int
iovt_vq_available(struct iovt_vring *vr, const enum iovt_ring_format f, unsigned int want)
{
	int n = f == IOVT_SPLIT ? iovt_split_available(vr, want) : iovt_packed_available(vr, want);

	iovt_guest_seen(vr->mem);
	return n;
}

/**
 * The next n chains are about to be taken: start to fetch what fetch() will look at after that. A packed ring
 * has nothing before its descriptors.
 */
IOVT_INLINE void
iovt_vq_prefetch(const struct iovt_vring *vr, const enum iovt_ring_format f, unsigned int n)
{
	if (f == IOVT_SPLIT)
		iovt_split_prefetch(vr, n);
}

/**
 * Bring the descriptors of the next n chains into the cache. Done after a burst for the next one, and once
 * more before that for what has come in between, so that it arrives all at once.
 */
IOVT_INLINE void
iovt_vq_fetch(struct iovt_vring *vr, const enum iovt_ring_format f, unsigned int n)
{
	if (f == IOVT_SPLIT)
		iovt_split_fetch(vr, n);
	else
		iovt_packed_fetch(vr, n);
}

/**
 * Take the next available chain.
 *
 * @param dir what its descriptors are: IOVT_TO_GUEST or IOVT_FROM_GUEST.
 * @param segs the chain's segments are appended.
 * @param c the chain, to be given to put(); its id is below size.
 * @return capacity in bytes; -EAGAIN: available() knows of none; -EPROTO: malformed. Nothing is taken
 *   on an error.
 */
IOVT_INLINE int64_t
iovt_vq_take(struct iovt_vring *vr, const enum iovt_ring_format f, uint16_t dir,
	struct iovt_segs *segs, struct iovt_chain *c)
{
	return f == IOVT_SPLIT ? iovt_split_take(vr, dir, segs, c)
			       : iovt_packed_take(vr, dir, segs, c);
}

/** For read_simple(): the lengths that are wanted. Valid until something is taken. */
IOVT_INLINE struct iovt_desc_range
iovt_vq_range(const struct iovt_vring *vr, const enum iovt_ring_format f, uint16_t dir,
	uint32_t min, uint32_t max)
{
	return f == IOVT_SPLIT ? iovt_split_range(dir, min, max)
			       : iovt_packed_range(vr, dir, min, max);
}

/**
 * Read the k-th of the chains that available() told of. false: it is not a single descriptor with a length in
 * range, or its id is out of bounds.
 */
IOVT_INLINE bool
iovt_vq_read_simple(const struct iovt_vring *vr, const enum iovt_ring_format f, size_t k,
	struct iovt_desc_range range, struct iovt_simple *s)
{
	return f == IOVT_SPLIT ? iovt_split_read_simple(vr, k, range, s)
			       : iovt_packed_read_simple(vr, k, range, s);
}

/** Take the next n chains, all of them seen by read_simple. */
IOVT_INLINE void
iovt_vq_consume(struct iovt_vring *vr, const enum iovt_ring_format f, uint16_t n)
{
	if (f == IOVT_SPLIT)
		iovt_split_consume(vr, n);
	else
		iovt_packed_consume(vr, n);
}

/** Give the chain that was taken last back; all taken before it can follow. descs: of that chain. */
IOVT_INLINE void
iovt_vq_untake(struct iovt_vring *vr, const enum iovt_ring_format f, uint16_t descs)
{
	if (f == IOVT_SPLIT)
		iovt_split_untake(vr);
	else
		iovt_packed_untake(vr, descs);
}

/** A chain is used, and len bytes of it were written. The guest sees it with the next publish(). */
IOVT_INLINE void
iovt_vq_put(struct iovt_vring *vr, const enum iovt_ring_format f, struct iovt_chain c, uint32_t len)
{
	if (f == IOVT_SPLIT)
		iovt_split_put(vr, c.id, len);
	else
		iovt_packed_put(vr, c, len);
}

/** Where the next chain will be put, as in iovt_vring_conf. */
IOVT_INLINE uint16_t
iovt_vq_used_at(const struct iovt_vring *vr, const enum iovt_ring_format f)
{
	return f == IOVT_SPLIT ? vr->split.last_used
			       : vr->packed.used.wrap << 15 | vr->packed.used.slot;
}

/**
 * All chains that were put are used, for good: if this process is killed now, the next one shows them to the guest.
 * Before their entries in the queue's record say that they are the guest's; those of a packet all at once.
 */
IOVT_INLINE void
iovt_vq_commit(const struct iovt_vring *vr, const enum iovt_ring_format f)
{
	iovt_program_order();
	IOVT_WRITE_ONCE(vr->progress->put, iovt_vq_used_at(vr, f));
	iovt_program_order();
}

/** A copy to work on, whose fields can be in registers: read one by one, for the same reason as in keep(). */
IOVT_INLINE struct iovt_vring
iovt_vq_copy(const struct iovt_vring *vr, const enum iovt_ring_format f)
{
	const struct iovt_split *s = &vr->split;
	struct iovt_vring copy = {
		.format = f,
		.event_idx = vr->event_idx,
		.size = vr->size,
		.mem = vr->mem,
		.progress = vr->progress,
	};

	if (f == IOVT_PACKED) {
		copy.packed = vr->packed;
		return copy;
	}
	copy.split.desc = s->desc;
	copy.split.avail = s->avail;
	copy.split.used = s->used;
	copy.split.last_avail = s->last_avail;
	copy.split.avail_seen = s->avail_seen;
	copy.split.fetched = s->fetched;
	copy.split.last_used = s->last_used;
	copy.split.published = s->published;
	return copy;
}

/** A run of puts was made on a copy of vr: carry its result over. */
IOVT_INLINE void
iovt_vq_keep_used(struct iovt_vring *vr, const enum iovt_ring_format f,
	const struct iovt_vring *copy)
{
	if (f == IOVT_SPLIT) {
		vr->split.last_used = copy->split.last_used;
		return;
	}
	vr->packed.used = copy->packed.used;
	vr->packed.hidden = copy->packed.hidden;
	vr->packed.head = copy->packed.head;
	vr->packed.head_flags = copy->packed.head_flags;
}

/**
 * The same for takes and puts. Field by field: the whole, written at once behind small stores, would have to wait for
 * all earlier stores.
 */
IOVT_INLINE void
iovt_vq_keep(struct iovt_vring *vr, const enum iovt_ring_format f, const struct iovt_vring *copy)
{
	iovt_vq_keep_used(vr, f, copy);
	if (f == IOVT_SPLIT) {
		vr->split.last_avail = copy->split.last_avail;
		vr->split.avail_seen = copy->split.avail_seen;
		vr->split.fetched = copy->split.fetched;
		return;
	}
	vr->packed.avail = copy->packed.avail;
	vr->packed.ready = copy->packed.ready;
	vr->packed.fetched = copy->packed.fetched;
}

/** Show the guest what was put. @return does it want to be notified of that? */
IOVT_INLINE bool
iovt_vq_publish(struct iovt_vring *vr, const enum iovt_ring_format f)
{
	bool notify;

	iovt_guest_shown(vr->mem);
	iovt_vq_commit(vr, f);
	notify = f == IOVT_SPLIT ? iovt_split_publish(vr) : iovt_packed_publish(vr);
	iovt_program_order();
	IOVT_WRITE_ONCE(vr->progress->shown, iovt_vq_used_at(vr, f));
	return notify;
}

/** The engine polls: it never wants to be kicked. */
static inline void
iovt_vq_no_kicks(struct iovt_vring *vr)
{
	if (vr->format == IOVT_SPLIT)
		iovt_split_no_kicks(vr);
	else
		iovt_packed_no_kicks(vr);
}

#endif
