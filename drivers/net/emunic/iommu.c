/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu.h"

void
iommu_init(struct iommu *mmu)
{
	memset(mmu, 0, sizeof(*mmu));
}

void
iommu_fini(struct iommu *mmu)
{
	free(mmu->ranges);
	iommu_init(mmu);
}

/* Index of the first range that ends after iova. */
static unsigned int
first_after(const struct iommu *mmu, uint64_t iova)
{
	unsigned int lo = 0, hi = mmu->count;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		const struct iommu_range *r = &mmu->ranges[mid];

		if (r->iova + r->len > iova)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

const struct iommu_range *
iommu_find(const struct iommu *mmu, uint64_t iova, uint64_t len)
{
	unsigned int i = first_after(mmu, iova);
	const struct iommu_range *r;

	if (i == mmu->count)
		return NULL;
	r = &mmu->ranges[i];
	if (iova < r->iova || len > r->len - (iova - r->iova))
		return NULL;
	return r;
}

static int
make_room(struct iommu *mmu)
{
	struct iommu_range *grown;
	unsigned int room;

	if (mmu->count < mmu->room)
		return 0;
	room = mmu->room == 0 ? 64 : mmu->room * 2;
	grown = realloc(mmu->ranges, room * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	mmu->ranges = grown;
	mmu->room = room;
	return 0;
}

static void
insert_at(struct iommu *mmu, unsigned int i, struct iommu_range range)
{
	memmove(&mmu->ranges[i + 1], &mmu->ranges[i], (mmu->count - i) * sizeof(range));
	mmu->ranges[i] = range;
	mmu->count++;
}

static void
remove_at(struct iommu *mmu, unsigned int i)
{
	mmu->count--;
	memmove(&mmu->ranges[i], &mmu->ranges[i + 1], (mmu->count - i) * sizeof(mmu->ranges[0]));
}

/* Range i takes over range i + 1 if they are one piece. */
static void
merge(struct iommu *mmu, unsigned int i)
{
	struct iommu_range *a = &mmu->ranges[i];

	if (i + 1 >= mmu->count)
		return;
	if (a->iova + a->len != a[1].iova || a->va + a->len != a[1].va)
		return;
	a->len += a[1].len;
	remove_at(mmu, i + 1);
}

/* The last byte of the address space is never mapped: a range's end is always representable. */
static int
valid(uint64_t iova, uint64_t len)
{
	return len != 0 && iova + len > iova;
}

int
iommu_map(struct iommu *mmu, uint64_t iova, uint64_t len, void *va)
{
	struct iommu_range range = {.iova = iova, .len = len, .va = va};
	unsigned int i = first_after(mmu, iova);

	if (!valid(iova, len))
		return -EINVAL;
	if (i < mmu->count && mmu->ranges[i].iova < iova + len)
		return -EEXIST;
	if (make_room(mmu) != 0)
		return -ENOMEM;
	insert_at(mmu, i, range);
	merge(mmu, i);
	if (i > 0)
		merge(mmu, i - 1);
	return 0;
}

/* Cut range i in two at iova, which lies inside it. */
static int
split(struct iommu *mmu, unsigned int i, uint64_t iova)
{
	uint64_t left = iova - mmu->ranges[i].iova;
	struct iommu_range right = {.iova = iova};

	if (make_room(mmu) != 0)
		return -ENOMEM;
	right.len = mmu->ranges[i].len - left;
	right.va = mmu->ranges[i].va + left;
	mmu->ranges[i].len = left;
	insert_at(mmu, i + 1, right);
	return 0;
}

int
iommu_unmap(struct iommu *mmu, uint64_t iova, uint64_t len)
{
	uint64_t end = iova + len;
	unsigned int i;
	int ret = -ENOENT;

	if (!valid(iova, len))
		return -EINVAL;
	i = first_after(mmu, iova);
	if (i < mmu->count && mmu->ranges[i].iova < iova) {
		if (split(mmu, i, iova) != 0)
			return -ENOMEM;
		i++;
	}
	while (i < mmu->count && mmu->ranges[i].iova < end) {
		if (mmu->ranges[i].iova + mmu->ranges[i].len > end && split(mmu, i, end) != 0)
			return -ENOMEM;
		remove_at(mmu, i);
		ret = 0;
	}
	return ret;
}
