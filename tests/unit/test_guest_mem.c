/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "bed.h"

static uint8_t bytes[4][64];

static int
create(const struct iovt_mem_region *r, unsigned int nr)
{
	struct iovt_guest_mem *mem = NULL;
	int ret = iovt_guest_mem_create(r, nr, NULL, NULL, &mem);

	if (ret == 0)
		iovt_guest_mem_unref(mem);
	else
		assert_null(mem);
	return ret;
}

static struct iovt_mem_region
region(uint64_t gpa, uint64_t size)
{
	return (struct iovt_mem_region){.gpa = gpa, .size = size, .va = bytes[0]};
}

static void
test_number_of_regions(void **state)
{
	struct iovt_mem_region r[IOVT_MEM_REGIONS_MAX + 1];

	for (unsigned int i = 0; i <= IOVT_MEM_REGIONS_MAX; i++)
		r[i] = region(i * 100, 100); /* adjoining */
	assert_int_equal(create(r, 0), -EINVAL);
	assert_int_equal(create(r, 1), 0);
	assert_int_equal(create(r, IOVT_MEM_REGIONS_MAX), 0);
	assert_int_equal(create(r, IOVT_MEM_REGIONS_MAX + 1), -EINVAL);
}

static void
test_bad_regions(void **state)
{
	struct iovt_mem_region r = region(100, 0);

	assert_int_equal(create(&r, 1), -EINVAL);
	r = region(100, 100);
	r.va = NULL;
	assert_int_equal(create(&r, 1), -EINVAL);
	r = region(UINT64_MAX - 99, 100); /* ends with the address space */
	assert_int_equal(create(&r, 1), 0);
	r = region(UINT64_MAX - 98, 100);
	assert_int_equal(create(&r, 1), -EINVAL);
	r = region(UINT64_MAX, UINT64_MAX);
	assert_int_equal(create(&r, 1), -EINVAL);
	r = region(0, UINT64_MAX);
	assert_int_equal(create(&r, 1), 0);
}

static void
test_overlaps(void **state)
{
	static const struct {
		uint64_t gpa, size;
		int ret;
	} cases[] = {
		{0, 100, 0},
		{200, 100, 0},
		{0, 101, -EINVAL},
		{199, 100, -EINVAL},
		{100, 100, -EINVAL},
		{150, 1, -EINVAL},
		{0, 1000, -EINVAL},
		{UINT64_MAX, 1, 0},
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct iovt_mem_region r[] = {region(100, 100), region(1 << 20, 4),
			region(cases[i].gpa, cases[i].size)};
		struct iovt_mem_region turned[] = {r[2], r[1], r[0]};

		assert_int_equal(create(r, 3), cases[i].ret);
		assert_int_equal(create(turned, 3), cases[i].ret);
	}
}

static void
test_find_at_edges(void **state)
{
	const struct iovt_mem_region r[] = {
		{.gpa = 0, .size = 64, .va = bytes[3]},
		{.gpa = 1000, .size = 64, .va = bytes[1]},
		{.gpa = 1064, .size = 64, .va = bytes[0]},
		{.gpa = UINT64_MAX - 63, .size = 64, .va = bytes[2]},
	};
	struct iovt_guest_mem *m;

	assert_int_equal(iovt_guest_mem_create(r, 4, NULL, NULL, &m), 0);
	assert_ptr_equal(iovt_guest_mem_va(m, 0, 64), bytes[3]);
	assert_null(iovt_guest_mem_va(m, 0, 65));
	assert_null(iovt_guest_mem_va(m, 64, 1));
	assert_null(iovt_guest_mem_va(m, 999, 1));
	assert_ptr_equal(iovt_guest_mem_va(m, 1000, 64), bytes[1]);
	assert_ptr_equal(iovt_guest_mem_va(m, 1063, 1), &bytes[1][63]);
	assert_null(iovt_guest_mem_va(m, 1063, 2)); /* crosses into the next one */
	assert_ptr_equal(iovt_guest_mem_va(m, 1064, 1), bytes[0]);
	assert_null(iovt_guest_mem_va(m, 1128, 1));
	assert_ptr_equal(iovt_guest_mem_va(m, UINT64_MAX, 1), &bytes[2][63]);
	assert_null(iovt_guest_mem_va(m, UINT64_MAX, 2)); /* would wrap to address 0 */
	assert_null(iovt_guest_mem_va(m, 1000, UINT64_MAX));
	assert_null(iovt_guest_mem_va(m, 1001, UINT64_MAX)); /* offset and length wrap to 0 */
	assert_null(iovt_guest_mem_find(m, UINT64_MAX - 64, 1));
	assert_int_equal(iovt_guest_mem_find(m, 1064, 64)->gpa, 1064);
	iovt_guest_mem_unref(m);
}

static void
test_iova_contiguous(void **state)
{
	const struct iovt_mem_region r = {.gpa = 0, .size = 64, .va = bytes[0], .iova = 0x5000};
	uint64_t iova = 0;

	assert_int_equal(iovt_guest_mem_iova(&r, bytes[0], 64, &iova), 0);
	assert_int_equal(iova, 0x5000);
	assert_int_equal(iovt_guest_mem_iova(&r, bytes[0] + 63, 1, &iova), 0);
	assert_int_equal(iova, 0x503f);
}

static void
test_iova_pages(void **state)
{
	/* Pages 0 and 1 follow one another, 2 lies elsewhere, 3 before it. */
	static const uint64_t pages[] = {0x10000, 0x11000, 0x90000, 0x8f000};
	static uint8_t memory[4 * 4096] __attribute__((aligned(4096)));
	struct iovt_mem_region r = {.size = sizeof(memory),
		.va = memory,
		.iova_pages = pages,
		.page_shift = 12};
	uint64_t iova = 0;

	assert_int_equal(iovt_guest_mem_iova(&r, memory, 1, &iova), 0);
	assert_int_equal(iova, 0x10000);
	assert_int_equal(iovt_guest_mem_iova(&r, memory + 0x10, 0x2000 - 0x10, &iova), 0);
	assert_int_equal(iova, 0x10010);
	assert_int_equal(iovt_guest_mem_iova(&r, memory + 0x10, 0x2001 - 0x10, &iova), -EFAULT);
	assert_int_equal(iovt_guest_mem_iova(&r, memory + 0x2fff, 1, &iova), 0);
	assert_int_equal(iova, 0x90fff);
	assert_int_equal(iovt_guest_mem_iova(&r, memory + 0x2fff, 2, &iova), -EFAULT);
	assert_int_equal(iovt_guest_mem_iova(&r, memory + 0x3fff, 1, &iova), 0);
	assert_int_equal(iova, 0x8ffff);
	/* A region that starts inside a page: the grid is that of the addresses. */
	r.va = memory + 0x400;
	r.size -= 0x400;
	assert_int_equal(iovt_guest_mem_iova(&r, r.va, 0xc00, &iova), 0);
	assert_int_equal(iova, 0x10400);
	assert_int_equal(iovt_guest_mem_iova(&r, r.va + 0xc00, 0x1000, &iova), 0);
	assert_int_equal(iova, 0x11000);
	assert_int_equal(iovt_guest_mem_iova(&r, r.va + 0x1bff, 2, &iova), -EFAULT);
}

static void
count(void *ctx)
{
	(*(unsigned int *)ctx)++;
}

static void
test_released_once(void **state)
{
	const struct iovt_mem_region r = region(0, 64);
	struct iovt_guest_mem *m;
	unsigned int released = 0;

	assert_int_equal(iovt_guest_mem_create(&r, 1, count, &released, &m), 0);
	for (int i = 0; i < 3; i++)
		iovt_guest_mem_ref(m);
	for (int i = 0; i < 3; i++) {
		iovt_guest_mem_unref(m);
		assert_int_equal(released, 0);
	}
	assert_ptr_equal(iovt_guest_mem_va(m, 0, 1), bytes[0]);
	iovt_guest_mem_unref(m);
	assert_int_equal(released, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		{"one to eight regions", test_number_of_regions},
		{"empty, unmapped and wrapping regions are refused", test_bad_regions},
		{"overlapping regions are refused, adjoining ones are not", test_overlaps},
		{"an address is found in its region alone, up to the edges", test_find_at_edges},
		{"a contiguous region's device addresses", test_iova_contiguous},
		{"page by page, only contiguous ranges have a device address", test_iova_pages},
		{"the last holder releases the memory, once", test_released_once},
	};

	return cmocka_run_group_tests_name("guest memory", tests, NULL, NULL);
}
