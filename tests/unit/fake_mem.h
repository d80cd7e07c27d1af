/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory under test: one memfd, mapped once as the guest (and a device) sees it and once, region
 * by region and between guard pages, as the back end sees it. Guest physical, guest virtual, back-end
 * virtual and IO virtual addresses all differ, so that a missing or wrong translation shows.
 */
#ifndef FAKE_MEM_H
#define FAKE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_mem.h"

#define FAKE_PAGE        4096u
#define FAKE_REGIONS_MAX 8

/* Fail the test that is running (fake_fail_hook), or the whole program (fuzzer, threads). */
#define CHECK(cond) ((cond) ? (void)0 : fake_fail(__FILE__, __LINE__, #cond))
void fake_fail(const char *file, int line, const char *what) __attribute__((noreturn));
extern void (*fake_fail_hook)(const char *file, int line);
/* Printed with a failure: ring size, seed and the like. */
extern char fake_context[160];

enum fake_iova {
	FAKE_IOVA_LINEAR,    /* contiguous */
	FAKE_IOVA_PAIRS,     /* page list, every second page follows the one before it */
	FAKE_IOVA_SCATTERED, /* page list, no page follows another */
};

struct fake_region_conf {
	uint64_t gpa;
	size_t size; /* whole pages */
	enum fake_iova kind;
};

struct fake_region {
	struct fake_region_conf conf;
	uint8_t *guest;  /* first byte as the guest sees it */
	uint8_t *host;   /* as the back end sees it */
	uint64_t offset; /* in the file */
	uint64_t iova;
	uint64_t *pages;
};

struct fake_mem {
	int fd;
	unsigned int nr;
	struct fake_region region[FAKE_REGIONS_MAX];
	uint8_t *base; /* all regions, guest view */
	size_t total;
	uint8_t *saved;
	bool one_view;
	struct iovt_guest_mem *snapshot;
	unsigned int released;
};

/* one_view: guest and back end share one mapping, so that a thread checker relates their accesses. */
void fake_mem_init(struct fake_mem *m, const struct fake_region_conf *conf, unsigned int nr,
	bool one_view);
/* Drops the reference that init took; everybody else must have dropped theirs. */
void fake_mem_fini(struct fake_mem *m);

/* Bytes at a guest physical address, whole in one region, as the guest sees them. */
uint8_t *fake_mem_guest(const struct fake_mem *m, uint64_t gpa, uint64_t len);
/* The same as the back end sees them. */
uint8_t *fake_mem_host(const struct fake_mem *m, uint64_t gpa, uint64_t len);
/* Bytes at an IO virtual address, as a device reaches them; fails if it cannot. */
uint8_t *fake_mem_device(const struct fake_mem *m, uint64_t iova, uint64_t len);

/* Remember all of guest memory; then the address of the first byte that changed outside
 * [skip, skip + skip_len), or UINT64_MAX. */
void fake_mem_save(struct fake_mem *m);
/* Remember the first region, in which the rings are, anew. */
void fake_mem_save_rings(struct fake_mem *m);
uint64_t fake_mem_changed(const struct fake_mem *m, uint64_t skip, uint64_t skip_len);

#endif
