/* SPDX-License-Identifier: BSD-3-Clause */
/* When this process has no memory left: nothing is made, nothing lost. The linker wraps the allocators. */
#include <errno.h>
#include <stdlib.h>

#include "bed.h"
#include "txq.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t nr, size_t size);
void *__real_aligned_alloc(size_t to, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t nr, size_t size);
void *__wrap_aligned_alloc(size_t to, size_t size);

static int fail_at = -1; /* the how manieth allocation from now on fails; -1: none */

static bool
fails(void)
{
	return fail_at >= 0 && fail_at-- == 0;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t nr, size_t size)
{
	return fails() ? NULL : __real_calloc(nr, size);
}

void *
__wrap_aligned_alloc(size_t to, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(to, size);
}

static void
receive_queue(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	const struct iovt_rxq_conf rx = {
		.ring = fake_guest_ring(&b->guest, conf->start, conf->start),
		.hdr_len = 12,
	};
	struct iovt_rxq *q = NULL;

	/* The queue, bindings, reclaimed ids, taken ids. */
	for (int i = 0; i < 4; i++) {
		fail_at = i;
		assert_int_equal(iovt_rxq_create(&rx, &q), -ENOMEM);
		assert_int_equal(fail_at, -1);
		assert_null(q);
		assert_int_equal(b->guest.mem.snapshot->refs, 2);
	}
	bed_free(b);
}

static void
transmit_queue(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	const struct iovt_txq_conf tx = {
		.ring = fake_guest_ring(&b->guest, conf->start, conf->start),
		.hdr_len = 12,
	};
	struct iovt_txq *q = NULL;

	fail_at = 0;
	assert_int_equal(iovt_txq_create(&tx, &q), -ENOMEM);
	assert_int_equal(fail_at, -1);
	assert_null(q);
	assert_int_equal(b->guest.mem.snapshot->refs, 2);
	bed_free(b);
}

static void
guest_memory(const struct bed_conf *conf)
{
	static uint8_t bytes[4096];
	const struct iovt_mem_region r = {.size = sizeof(bytes), .va = bytes};
	struct iovt_guest_mem *mem = NULL;

	(void)conf;
	fail_at = 0;
	assert_int_equal(iovt_guest_mem_create(&r, 1, NULL, NULL, &mem), -ENOMEM);
	assert_int_equal(fail_at, -1);
	assert_null(mem);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"a receive queue", receive_queue},
		{"a transmit queue", transmit_queue},
		{"guest memory", guest_memory},
	};

	return unit_run("no memory", cases, sizeof(cases) / sizeof(cases[0]));
}
