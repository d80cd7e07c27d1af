/* SPDX-License-Identifier: BSD-3-Clause */
#include "dirty.h"
#include "virtqueue.h"

void
iovt_dirty_mark(const struct iovt_dirty_log *log, const struct iovt_guest_mem *mem, const void *va,
	uint64_t len)
{
	const struct iovt_mem_region *r;

	if (log->mark == NULL)
		return;
	r = iovt_guest_mem_find_va(mem, va);
	log->mark(log->ctx, r->gpa + ((const uint8_t *)va - r->va), len);
}

void
iovt_dirty_mark_wish(const struct iovt_dirty_log *log, const struct iovt_vring *vr)
{
	if (vr->format == IOVT_SPLIT)
		iovt_dirty_mark(log, vr->mem, &vr->split.used->flags, sizeof(uint16_t));
	else
		iovt_dirty_mark(log, vr->mem, vr->packed.device, sizeof(*vr->packed.device));
}

/* n entries of a ring from slot on, which may go on at its beginning. */
static void
mark_entries(const struct iovt_dirty_log *log, const struct iovt_vring *vr, const void *ring,
	size_t entry, uint32_t slot, uint32_t n)
{
	const uint8_t *base = ring;
	uint32_t first = n < vr->size - slot ? n : vr->size - slot;

	if (first > 0)
		iovt_dirty_mark(log, vr->mem, base + slot * entry, first * entry);
	if (n > first)
		iovt_dirty_mark(log, vr->mem, base, (n - first) * entry);
}

bool
iovt_dirty_publish(const struct iovt_dirty_log *log, struct iovt_vring *vr)
{
	const struct iovt_vring was = *vr;
	bool notify = iovt_vq_publish(vr, vr->format);

	if (vr->format == IOVT_SPLIT) {
		const struct iovt_split *s = &was.split;
		uint16_t n = s->last_used - s->published;

		mark_entries(log, vr, s->used->ring, sizeof(s->used->ring[0]),
			s->published & (vr->size - 1), n);
		if (n > 0)
			iovt_dirty_mark(log, vr->mem, &s->used->idx, sizeof(s->used->idx));
	} else {
		mark_entries(log, vr, was.packed.desc, sizeof(was.packed.desc[0]), was.packed.head,
			was.packed.hidden);
	}
	return notify;
}
