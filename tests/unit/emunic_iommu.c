/* SPDX-License-Identifier: BSD-3-Clause */
/* The emulated NIC's IOMMU table against a byte map, by random operations. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "iommu.h"

#define SPACE  512
#define ROUNDS 200000

static uint8_t memory[2 * SPACE];

static void
test_merge_and_split(void **state)
{
	struct iommu_range hint = {0};
	struct iommu mmu;

	iommu_init(&mmu);
	assert_int_equal(iommu_map(&mmu, 100, 10, memory), 0);
	assert_int_equal(iommu_map(&mmu, 120, 10, memory + 20), 0);
	assert_int_equal(mmu.count, 2);
	assert_int_equal(iommu_map(&mmu, 110, 10, memory + 10), 0);
	assert_int_equal(mmu.count, 1);
	assert_ptr_equal(iommu_access(&mmu, &hint, 100, 30), memory);
	assert_null(iommu_access(&mmu, &hint, 100, 31));
	assert_null(iommu_access(&mmu, &hint, 99, 2));
	assert_int_equal(iommu_unmap(&mmu, 110, 5), 0);
	assert_int_equal(mmu.count, 2);
	memset(&hint, 0, sizeof(hint));
	assert_null(iommu_access(&mmu, &hint, 105, 10));
	assert_ptr_equal(iommu_access(&mmu, &hint, 115, 15), memory + 15);
	/* Adjoining in IOVA, but not in memory: no access may span them. */
	assert_int_equal(iommu_map(&mmu, 130, 10, memory + 100), 0);
	assert_int_equal(mmu.count, 3);
	assert_null(iommu_access(&mmu, &hint, 125, 10));
	iommu_fini(&mmu);
}

static void
test_refusals(void **state)
{
	struct iommu mmu;

	iommu_init(&mmu);
	assert_int_equal(iommu_map(&mmu, 1, 0, memory), -EINVAL);
	assert_int_equal(iommu_map(&mmu, UINT64_MAX, 2, memory), -EINVAL);
	assert_int_equal(iommu_unmap(&mmu, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(iommu_unmap(&mmu, 5, 5), -ENOENT);
	assert_int_equal(iommu_map(&mmu, 10, 10, memory), 0);
	assert_int_equal(iommu_map(&mmu, 19, 1, memory), -EEXIST);
	assert_int_equal(iommu_map(&mmu, 5, 6, memory), -EEXIST);
	assert_int_equal(iommu_map(&mmu, 0, 100, memory), -EEXIST);
	assert_int_equal(mmu.count, 1);
	iommu_fini(&mmu);
}

/* The address of an access by the byte map, NULL if a byte is missing or the bytes are apart. */
static uint8_t *
expected(uint8_t *const *map, unsigned int iova, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++) {
		if (iova + i >= SPACE || map[iova + i] == NULL || map[iova + i] != map[iova] + i)
			return NULL;
	}
	return map[iova];
}

static void
test_random(void **state)
{
	uint8_t *map[SPACE] = {NULL};
	struct iommu mmu;

	srandom(1);
	iommu_init(&mmu);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int iova = random() % SPACE, len = 1 + random() % 16, mapped = 0;
		unsigned int shift = random() % 2 * SPACE; /* one of two places in memory */
		struct iommu_range hint = {0};

		if (iova + len > SPACE)
			continue;
		for (unsigned int i = 0; i < len; i++)
			mapped += map[iova + i] != NULL;
		switch (random() % 3) {
		case 0:
			assert_int_equal(iommu_map(&mmu, iova, len, memory + iova + shift),
				mapped == 0 ? 0 : -EEXIST);
			for (unsigned int i = 0; mapped == 0 && i < len; i++)
				map[iova + i] = memory + iova + shift + i;
			break;
		case 1:
			assert_int_equal(iommu_unmap(&mmu, iova, len), mapped == 0 ? -ENOENT : 0);
			memset(&map[iova], 0, len * sizeof(map[0]));
			break;
		default:
			assert_ptr_equal(iommu_access(&mmu, &hint, iova, len),
				expected(map, iova, len));
		}
	}
	iommu_fini(&mmu);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_and_split),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
