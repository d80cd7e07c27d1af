/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_mem.h"

#define GUARD     (16 * FAKE_PAGE)
#define IOVA_BASE UINT64_C(0x200000000000)
#define IOVA_STEP UINT64_C(0x010000000000)

char fake_context[160] = "none";
void (*fake_fail_hook)(const char *file, int line);

void
fake_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: failed: %s (%s)\n", file, line, what, fake_context);
	if (fake_fail_hook != NULL)
		fake_fail_hook(file, line);
	abort();
}

static void
count_release(void *ctx)
{
	__atomic_add_fetch(&((struct fake_mem *)ctx)->released, 1, __ATOMIC_RELAXED);
}

/* IO virtual address of page p, relative to the region's. */
static uint64_t
page_iova(enum fake_iova kind, uint64_t p)
{
	if (kind == FAKE_IOVA_PAIRS)
		return ((p / 2) * 4 + p % 2) * FAKE_PAGE;
	return p * 2 * FAKE_PAGE;
}

static void
map_region(struct fake_mem *m, struct fake_region *r)
{
	size_t size = r->conf.size;
	uint8_t *hole = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(hole != MAP_FAILED);
	r->host = mmap(hole + GUARD, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m->fd,
		r->offset);
	CHECK(r->host != MAP_FAILED);
	r->guest = m->one_view ? r->host : m->base + r->offset;
	if (r->conf.kind == FAKE_IOVA_LINEAR)
		return;
	r->pages = calloc(size / FAKE_PAGE, sizeof(*r->pages));
	CHECK(r->pages != NULL);
	for (size_t p = 0; p < size / FAKE_PAGE; p++)
		r->pages[p] = r->iova + page_iova(r->conf.kind, p);
}

void
fake_mem_init(struct fake_mem *m, const struct fake_region_conf *conf, unsigned int nr,
	bool one_view)
{
	struct iovt_mem_region table[FAKE_REGIONS_MAX];
	uint64_t off;

	*m = (struct fake_mem){.nr = nr, .one_view = one_view};
	m->fd = memfd_create("guest", MFD_CLOEXEC);
	CHECK(nr <= FAKE_REGIONS_MAX && m->fd >= 0);
	for (unsigned int i = 0; i < nr; i++)
		m->total += conf[i].size;
	CHECK(ftruncate(m->fd, m->total) == 0);
	m->base = mmap(NULL, m->total, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	CHECK(m->base != MAP_FAILED);
	off = m->total; /* the file holds the regions backwards */
	for (unsigned int i = 0; i < nr; i++) {
		struct fake_region *r = &m->region[i];

		r->conf = conf[i];
		r->iova = IOVA_BASE + i * IOVA_STEP;
		off -= conf[i].size;
		r->offset = off;
		map_region(m, r);
		table[i] = (struct iovt_mem_region){
			.gpa = conf[i].gpa,
			.size = conf[i].size,
			.va = r->host,
			.iova = r->pages != NULL ? 0 : r->iova,
			.iova_pages = r->pages,
			.page_shift = 12,
		};
	}
	CHECK(iovt_guest_mem_create(table, nr, count_release, m, &m->snapshot) == 0);
}

void
fake_mem_fini(struct fake_mem *m)
{
	CHECK(m->released == 0);
	iovt_guest_mem_unref(m->snapshot);
	CHECK(m->released == 1);
	for (unsigned int i = 0; i < m->nr; i++) {
		struct fake_region *r = &m->region[i];

		munmap(r->host - GUARD, r->conf.size + 2 * GUARD);
		free(r->pages);
	}
	munmap(m->base, m->total);
	close(m->fd);
	free(m->saved);
}

static const struct fake_region *
region_of(const struct fake_mem *m, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < m->nr; i++) {
		const struct fake_region *r = &m->region[i];

		if (gpa >= r->conf.gpa && gpa - r->conf.gpa < r->conf.size &&
			len <= r->conf.size - (gpa - r->conf.gpa))
			return r;
	}
	fake_fail(__FILE__, __LINE__, "address is in a region");
}

uint8_t *
fake_mem_guest(const struct fake_mem *m, uint64_t gpa, uint64_t len)
{
	const struct fake_region *r = region_of(m, gpa, len);

	return r->guest + (gpa - r->conf.gpa);
}

uint8_t *
fake_mem_host(const struct fake_mem *m, uint64_t gpa, uint64_t len)
{
	const struct fake_region *r = region_of(m, gpa, len);

	return r->host + (gpa - r->conf.gpa);
}

uint8_t *
fake_mem_device(const struct fake_mem *m, uint64_t iova, uint64_t len)
{
	uint64_t i = (iova - IOVA_BASE) / IOVA_STEP;
	uint64_t off = (iova - IOVA_BASE) % IOVA_STEP;
	const struct fake_region *r = &m->region[i];
	/* A run of pages that follow one another, then as much that is not mapped. */
	uint64_t run = (r->conf.kind == FAKE_IOVA_PAIRS ? 2 : 1) * FAKE_PAGE;

	CHECK(iova >= IOVA_BASE && i < m->nr);
	if (r->conf.kind != FAKE_IOVA_LINEAR) {
		uint64_t in = off % (2 * run);

		CHECK(in < run && len <= run - in);
		off = off / (2 * run) * run + in;
	}
	CHECK(off < r->conf.size && len <= r->conf.size - off);
	return r->guest + off;
}

void
fake_mem_save(struct fake_mem *m)
{
	if (m->saved == NULL)
		m->saved = malloc(m->total);
	CHECK(m->saved != NULL);
	memcpy(m->saved, m->base, m->total);
}

void
fake_mem_save_rings(struct fake_mem *m)
{
	const struct fake_region *r = &m->region[0];

	memcpy(m->saved + (r->guest - m->base), r->guest, r->conf.size);
}

uint64_t
fake_mem_changed(const struct fake_mem *m, uint64_t skip, uint64_t skip_len)
{
	for (unsigned int i = 0; i < m->nr; i++) {
		const struct fake_region *r = &m->region[i];
		const uint8_t *now = r->guest, *then = m->saved + (r->guest - m->base);

		if (memcmp(now, then, r->conf.size) == 0)
			continue;
		for (uint64_t b = 0; b < r->conf.size; b++)
			if (now[b] != then[b] && r->conf.gpa + b - skip >= skip_len)
				return r->conf.gpa + b;
	}
	return UINT64_MAX;
}
