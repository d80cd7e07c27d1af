/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An immutable snapshot of one guest's memory layout.
 *
 * Made on the control path from the vhost-user memory table (vhost-user specification, "Memory
 * region description"), over the caller's own mapping of the memory. A virtqueue with buffers
 * in use holds a reference, so guest memory lives as long as a buffer points into it; the last
 * reference calls the owner back, which unmaps DMA first, memory second.
 */
#ifndef IOVT_GUEST_MEM_H
#define IOVT_GUEST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "barrier.h"

/* Regions of a memory table: what the vhost-user protocol allows without CONFIGURE_MEM_SLOTS. */
#define IOVT_MEM_REGIONS_MAX 8

/* Some bytes in this process: one piece of a packet that is copied to or from a guest. */
struct iovt_piece {
	const void *data;
	uint32_t len;
};

struct iovt_mem_region {
	uint64_t gpa;  /* guest physical address of the first byte */
	uint64_t size; /* bytes, not 0 */
	uint8_t *va;   /* where the first byte is mapped in this process */
	/*
	 * IO virtual address. iova_pages NULL: the region is contiguous from iova. Otherwise one
	 * address for each page of (1 << page_shift) bytes, the first page holding va; the
	 * array belongs to the caller and outlives the snapshot.
	 */
	uint64_t iova;
	const uint64_t *iova_pages;
	unsigned int page_shift;
};

struct iovt_guest_mem {
	uint32_t refs;
	uint32_t nr_regions;
	void (*release)(void *ctx);
	void *ctx;
	struct iovt_mem_region region[IOVT_MEM_REGIONS_MAX];
};

/**
 * Make a snapshot, with one reference held by the caller. Control thread.
 *
 * @param regions nr regions, in any order; copied.
 * @param release called once, with ctx, by whichever thread drops the last reference; may be a
 *   data-path thread, so it must not block.
 * @return 0; -EINVAL: no region, too many, an empty one, one that wraps, or two that overlap;
 *   -ENOMEM.
 */
int iovt_guest_mem_create(const struct iovt_mem_region *regions, unsigned int nr,
	void (*release)(void *ctx), void *ctx, struct iovt_guest_mem **out);

/** Take one more reference. Any thread that holds one. */
void iovt_guest_mem_ref(struct iovt_guest_mem *mem);

/** Drop a reference; the last one calls release and frees the snapshot. Any thread. */
void iovt_guest_mem_unref(struct iovt_guest_mem *mem);

/** The same as iovt_guest_mem_iova() for a region that is not contiguous for the device. */
int iovt_guest_mem_iova_paged(const struct iovt_mem_region *r, const uint8_t *va, uint32_t len,
	uint64_t *iova);

/* How far a region's IO virtual addresses are from its addresses in this process, for runs of packets in it. */
struct iovt_iova_shift {
	uint64_t bytes;
	bool contiguous; /* else each page has its own */
};

IOVT_INLINE struct iovt_iova_shift
iovt_guest_mem_shift_of(const struct iovt_mem_region *r)
{
	return (struct iovt_iova_shift){r->iova - (uintptr_t)r->va, r->iova_pages == NULL};
}

/**
 * IO virtual address of [va, va + len), which lies in region r. Any thread, hot path.
 *
 * @param shift of that region.
 * @return 0, or -EFAULT if the range is not contiguous for the device.
 */
IOVT_INLINE int
iovt_guest_mem_shift(const struct iovt_mem_region *r, const struct iovt_iova_shift shift,
	const uint8_t *va, uint32_t len, uint64_t *iova)
{
	if (iovt_unlikely(!shift.contiguous))
		return iovt_guest_mem_iova_paged(r, va, len, iova);
	*iova = (uintptr_t)va + shift.bytes;
	return 0;
}

/** The same for a single one. */
IOVT_INLINE int
iovt_guest_mem_iova(const struct iovt_mem_region *r, const uint8_t *va, uint32_t len,
	uint64_t *iova)
{
	return iovt_guest_mem_shift(r, iovt_guest_mem_shift_of(r), va, len, iova);
}

/** The region that holds [gpa, gpa + len) whole, or NULL. Any thread, hot path. */
IOVT_INLINE const struct iovt_mem_region *
iovt_guest_mem_find(const struct iovt_guest_mem *mem, uint64_t gpa, uint64_t len)
{
	for (uint32_t i = 0; i < mem->nr_regions; i++) {
		const struct iovt_mem_region *r = &mem->region[i];
		uint64_t off = gpa - r->gpa; /* wraps to a huge value below the region */

		if (off < r->size && len <= r->size - off)
			return r;
	}
	return NULL;
}

/** The region that holds the byte at va, which is in one of them. Any thread. */
IOVT_INLINE const struct iovt_mem_region *
iovt_guest_mem_find_va(const struct iovt_guest_mem *mem, const uint8_t *va)
{
	const struct iovt_mem_region *r = mem->region;

	while ((uint64_t)(va - r->va) >= r->size)
		r++;
	return r;
}

/** Address of [gpa, gpa + len) in this process, or NULL if no region holds it whole. */
IOVT_INLINE void *
iovt_guest_mem_va(const struct iovt_guest_mem *mem, uint64_t gpa, uint64_t len)
{
	const struct iovt_mem_region *r = iovt_guest_mem_find(mem, gpa, len);

	return r != NULL ? r->va + (gpa - r->gpa) : NULL;
}

#endif
