/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inflight.h"
#include "virtqueue.h"

/* Changes with the layout of a record, or the meaning of anything in it. */
#define MAGIC UINT64_C(0x31764f49666c6e69)

#define STATES 4u

/* The beginning of every entry. */
static uint16_t *
entry_at(struct iovt_inflight *r, uint32_t id)
{
	return (uint16_t *)((uint8_t *)iovt_inflight_entries(r) + (size_t)id * r->entry);
}

static bool
in_hand(struct iovt_inflight *r, uint32_t id)
{
	return entry_at(r, id)[0] >= IOVT_IN_HAND;
}

static uint16_t
descs(struct iovt_inflight *r, uint32_t id)
{
	return r->format == IOVT_PACKED ? entry_at(r, id)[1] : 1;
}

/* Its chain is the guest's. */
static void
let_go(struct iovt_inflight *r, uint32_t id)
{
	iovt_program_order();
	IOVT_WRITE_ONCE(entry_at(r, id)[0], 0);
	iovt_program_order();
}

/* Is it a record of this queue, and does it make sense by itself? */
static bool
fits(struct iovt_inflight *r, uint64_t owner, uint32_t entry, const struct iovt_vring_conf *ring)
{
	if (r->magic != MAGIC || r->owner != owner || r->entry != entry || r->size != ring->size ||
		r->format != ring->format)
		return false;
	for (uint32_t id = 0; id < r->size; id++)
		if (entry_at(r, id)[0] >= STATES || descs(r, id) > r->size ||
			(in_hand(r, id) && descs(r, id) == 0))
			return false;
	return true;
}

/* Slots of all that is in hand. */
static uint32_t
slots_in_hand(struct iovt_inflight *r)
{
	uint32_t n = 0;

	for (uint32_t id = 0; id < r->size; id++)
		if (in_hand(r, id))
			n += descs(r, id);
	return n;
}

/*
 * The used index is what was shown last, or about to be shown. Elements between it and progress.put were used;
 * chains that are available still are not in hand. Anything else is another ring: the guest has reset it.
 */
static bool
find_split(struct iovt_inflight *r, struct iovt_vring *vr)
{
	struct iovt_split *s = &vr->split;
	const uint16_t mask = r->size - 1, put = r->progress.put;
	const uint16_t shown = IOVT_READ_ONCE(s->used->idx);
	const uint16_t offered = iovt_load_acquire(&s->avail->idx);
	uint32_t done = (uint16_t)(put - shown), n;

	if ((shown != r->progress.shown && shown != put) || (uint16_t)(offered - shown) > r->size ||
		done > r->size)
		return false;
	for (uint16_t i = shown; i != put; i++) {
		uint32_t id = IOVT_READ_ONCE(s->used->ring[i & mask].id);

		if (id > mask)
			return false;
		let_go(r, id);
	}
	n = slots_in_hand(r);
	if (done + n > (uint16_t)(offered - shown))
		return false;
	s->last_used = put;
	s->published = shown;
	s->last_avail = s->avail_seen = s->fetched = put + n;
	for (uint16_t i = s->last_avail; i != offered; i++)
		if (in_hand(r, IOVT_READ_ONCE(s->avail->ring[i & mask]) & mask))
			return false;
	return true;
}

static struct iovt_packed_pos
position(uint16_t word)
{
	return (struct iovt_packed_pos){word & 0x7fff, word >> 15};
}

static uint16_t
state_flags(const struct iovt_packed *p, uint16_t slot)
{
	return IOVT_READ_ONCE(p->desc[slot].flags) & IOVT_PACKED_STATE;
}

/* Until the device has shown the first one, descriptors are either available, on the first lap, or zeroed. */
static bool
was_reset(const struct iovt_vring *vr)
{
	for (uint32_t slot = 0; slot < vr->size; slot++) {
		uint16_t flags = state_flags(&vr->packed, slot);

		if (flags != iovt_packed_avail_flags(true) &&
			(flags != 0 || IOVT_READ_ONCE(vr->packed.desc[slot].addr) != 0))
			return false;
	}
	return true;
}

/* Used descriptors that the guest has not been shown, from this place on. */
static bool
find_hidden(struct iovt_inflight *r, struct iovt_vring *vr, struct iovt_packed_pos shown)
{
	struct iovt_packed *p = &vr->packed;
	struct iovt_packed_pos at = shown;
	uint32_t n = 0;

	while (at.slot != p->used.slot || at.wrap != p->used.wrap) {
		uint16_t id = IOVT_READ_ONCE(p->desc[at.slot].id);

		if (id >= r->size || descs(r, id) == 0 || n + descs(r, id) > r->size)
			return false;
		n += descs(r, id);
		at = iovt_packed_after(at, descs(r, id), r->size);
		let_go(r, id);
	}
	p->head = shown.slot;
	p->head_flags = iovt_packed_used_flags(shown.wrap);
	if (n > 0 && IOVT_READ_ONCE(p->desc[shown.slot].len) != 0)
		p->head_flags |= VRING_DESC_F_WRITE;
	p->hidden = n;
	return true;
}

/* What is available still is not in hand. */
static bool
none_in_hand(struct iovt_inflight *r, const struct iovt_vring *vr)
{
	const struct iovt_packed *p = &vr->packed;
	uint32_t room = iovt_packed_room(vr);

	for (uint32_t i = 0; i < room; i++) {
		struct iovt_packed_pos at = iovt_packed_after(p->avail, i, r->size);
		struct vring_packed_desc d = iovt_packed_desc_read(&p->desc[at.slot]);

		if ((d.flags & IOVT_PACKED_STATE) != iovt_packed_avail_flags(at.wrap))
			return true;
		if (!(d.flags & VRING_DESC_F_NEXT) && d.id < r->size && in_hand(r, d.id))
			return false;
	}
	return true;
}

/*
 * The ring does not hold its index; front ends whose back end was killed tell the one that they knew last. What
 * was taken and not used lies there as it was offered, but for the first descriptors, in whose place others may
 * have been put, but not for good.
 */
static bool
find_packed(struct iovt_inflight *r, struct iovt_vring *vr, uint16_t told)
{
	const uint16_t first = 1u << 15;
	struct iovt_packed_pos shown = position(r->progress.shown);
	struct iovt_packed *p = &vr->packed;
	uint16_t place = r->progress.shown;
	uint32_t n;

	p->used = position(r->progress.put);
	if (p->used.slot >= r->size || shown.slot >= r->size)
		return false;
	if (told != r->told && told != r->progress.put && told != r->progress.shown)
		return false;
	/* The first one's flags are as the guest wrote them, until it is shown that and all behind it. */
	if (state_flags(p, shown.slot) != iovt_packed_avail_flags(shown.wrap)) {
		shown = p->used;
		place = r->progress.put;
	}
	if (place != first && was_reset(vr))
		return false;
	if (!find_hidden(r, vr, shown))
		return false;
	n = slots_in_hand(r);
	if (p->hidden + n > r->size)
		return false;
	p->avail = iovt_packed_after(p->used, n, r->size);
	for (uint32_t i = 0; i < n; i++) {
		struct iovt_packed_pos at = iovt_packed_after(p->used, i, r->size);
		uint16_t flags = state_flags(p, at.slot);

		if (flags != iovt_packed_avail_flags(at.wrap) &&
			flags != iovt_packed_used_flags(at.wrap))
			return false;
	}
	return none_in_hand(r, vr);
}

/* Each as a use of its own, so that this may be killed, too. */
static unsigned int
give_back(struct iovt_inflight *r, struct iovt_vring *vr)
{
	unsigned int n = 0;

	for (uint32_t id = 0; id < r->size; id++) {
		if (in_hand(r, id)) {
			iovt_vq_put(vr, vr->format, (struct iovt_chain){id, descs(r, id)}, 0);
			iovt_vq_commit(vr, vr->format);
			n++;
		}
		let_go(r, id);
	}
	return n;
}

int
iovt_inflight_resume(struct iovt_inflight *r, uint64_t owner, uint32_t entry,
	struct iovt_vring_conf *ring, const struct iovt_dirty_log *log)
{
	struct iovt_vring vr;
	unsigned int n;

	if (iovt_vq_init(&vr, ring) < 0 || !fits(r, owner, entry, ring))
		return -ENODATA;
	vr.progress = &r->progress;
	if (ring->format == IOVT_SPLIT ? !find_split(r, &vr)
				       : !find_packed(r, &vr, ring->last_used))
		return -ENODATA;
	r->told = ring->last_used;
	n = give_back(r, &vr);
	iovt_dirty_publish(log, &vr);
	iovt_vq_bases(&vr, &ring->last_avail, &ring->last_used);
	return n;
}

void
iovt_inflight_begin(struct iovt_inflight *r, uint64_t owner, uint32_t entry,
	const struct iovt_vring_conf *ring)
{
	IOVT_WRITE_ONCE(r->magic, 0);
	iovt_program_order();
	memset(r, 0, iovt_inflight_bytes(entry, ring->size));
	r->owner = owner;
	r->size = ring->size;
	r->entry = entry;
	r->format = ring->format;
	r->told = ring->last_used;
	r->progress = (struct iovt_progress){ring->last_used, ring->last_used};
	iovt_program_order();
	IOVT_WRITE_ONCE(r->magic, MAGIC);
}

struct iovt_inflight *
iovt_inflight_open(const struct iovt_inflight_conf *c, uint32_t entry, struct iovt_vring_conf *ring,
	const struct iovt_dirty_log *log, int *resumed)
{
	struct iovt_inflight *r = c->record;

	*resumed = -ENODATA;
	if (r != NULL)
		*resumed = iovt_inflight_resume(r, c->owner, entry, ring, log);
	else
		r = aligned_alloc(64, iovt_inflight_bytes(entry, ring->size));
	if (r != NULL && *resumed < 0)
		iovt_inflight_begin(r, c->owner, entry, ring);
	return r;
}
