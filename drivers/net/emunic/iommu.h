/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EMUNIC_IOMMU_H
#define EMUNIC_IOMMU_H

/*
 * The device's view of memory: which IOVA ranges it may access, and where they are in this process.
 * No EAL in here. Not thread-safe: map, unmap and every access of the device run under the
 * device's lock, so that after an unmap has returned no access to that range follows.
 */

#include <stddef.h>
#include <stdint.h>

/** IOVA [iova, iova + len) is at va. */
struct iommu_range {
	uint64_t iova;
	uint64_t len;
	uint8_t *va;
};

/** Ranges sorted by IOVA, disjoint, and merged where both IOVA and address are contiguous. */
struct iommu {
	struct iommu_range *ranges;
	unsigned int count;
	unsigned int room;
};

void iommu_init(struct iommu *mmu);
void iommu_fini(struct iommu *mmu);

/** 0; -EINVAL if the range is empty or wraps, -EEXIST if any of it is mapped, -ENOMEM. */
int iommu_map(struct iommu *mmu, uint64_t iova, uint64_t len, void *va);

/** 0; -EINVAL as above, -ENOENT if nothing of the range is mapped, -ENOMEM (split failed). */
int iommu_unmap(struct iommu *mmu, uint64_t iova, uint64_t len);

/** Slow path of iommu_access(): the range that holds all of [iova, iova + len), or NULL. */
const struct iommu_range *iommu_find(const struct iommu *mmu, uint64_t iova, uint64_t len);

/**
 * Address of [iova, iova + len), or NULL: a fault. *hint is a copy of the range hit last, kept by
 * the caller for one hold of the device's lock at most.
 */
static inline void *
iommu_access(const struct iommu *mmu, struct iommu_range *hint, uint64_t iova, uint64_t len)
{
	uint64_t off = iova - hint->iova;

	if (__builtin_expect(off > hint->len || len > hint->len - off, 0)) {
		const struct iommu_range *r = iommu_find(mmu, iova, len);

		if (r == NULL)
			return NULL;
		*hint = *r;
		off = iova - hint->iova;
	}
	return hint->va + off;
}

#endif /* EMUNIC_IOMMU_H */
