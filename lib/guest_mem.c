/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "guest_mem.h"

static int
regions_valid(const struct iovt_mem_region *r, unsigned int nr)
{
	if (nr == 0 || nr > IOVT_MEM_REGIONS_MAX)
		return 0;
	for (unsigned int i = 0; i < nr; i++) {
		if (r[i].size == 0 || r[i].gpa + r[i].size - 1 < r[i].gpa || r[i].va == NULL)
			return 0;
		for (unsigned int j = 0; j < i; j++)
			if (r[i].gpa <= r[j].gpa + r[j].size - 1 &&
				r[j].gpa <= r[i].gpa + r[i].size - 1)
				return 0;
	}
	return 1;
}

int
iovt_guest_mem_create(const struct iovt_mem_region *regions, unsigned int nr,
	void (*release)(void *ctx), void *ctx, struct iovt_guest_mem **out)
{
	struct iovt_guest_mem *mem;

	if (!regions_valid(regions, nr))
		return -EINVAL;
	mem = calloc(1, sizeof(*mem));
	if (mem == NULL)
		return -ENOMEM;
	mem->refs = 1;
	mem->nr_regions = nr;
	mem->release = release;
	mem->ctx = ctx;
	for (unsigned int i = 0; i < nr; i++)
		mem->region[i] = regions[i];
	*out = mem;
	return 0;
}

void
iovt_guest_mem_ref(struct iovt_guest_mem *mem)
{
	__atomic_add_fetch(&mem->refs, 1, __ATOMIC_RELAXED);
}

void
iovt_guest_mem_unref(struct iovt_guest_mem *mem)
{
	/* Acquire-release: whatever other holders did with the memory happened before its end. */
	if (__atomic_sub_fetch(&mem->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (mem->release != NULL)
		mem->release(mem->ctx);
	free(mem);
}

int
iovt_guest_mem_iova_paged(const struct iovt_mem_region *r, const uint8_t *va, uint32_t len,
	uint64_t *iova)
{
	/* The page grid is that of the addresses, which need not start where the region does. */
	uint64_t page_mask = (UINT64_C(1) << r->page_shift) - 1;
	uint64_t off = (uint64_t)(va - r->va) + ((uintptr_t)r->va & page_mask);
	uint64_t first = off >> r->page_shift;
	uint64_t last = (off + (len ? len - 1 : 0)) >> r->page_shift;

	for (uint64_t p = first; p < last; p++)
		if (r->iova_pages[p] + page_mask + 1 != r->iova_pages[p + 1])
			return -EFAULT;
	*iova = r->iova_pages[first] + (off & page_mask);
	return 0;
}
