/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"

#define GAP UINT64_C(0x40000000)
/* Not 0: DPDK's back end takes a log address of 0 for none. */
#define BASE UINT64_C(0x10000)

/* The rings, then the three places where buffers are. */
#define SECTIONS (1 + FAKE_PLACES)

const char *const table_names[TABLE_KINDS] = {"right", "reversed", "overlap", "unaligned",
	"truncated", "short_rings", "nine", "no_fds", "few_fds", "empty"};

/* vhost-user specification, "Multiple memory regions description". */
struct table_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_address;
	uint64_t offset;
};

struct table_payload {
	uint32_t nr;
	uint32_t padding;
	struct table_region region[MEMORY_REGIONS_MAX + 1];
};

static size_t
pages_up(size_t bytes)
{
	return (bytes + FAKE_PAGE - 1) & ~(size_t)(FAKE_PAGE - 1);
}

static size_t
vring_bytes(uint16_t size, const struct fake_format *format)
{
	return pages_up(format->bytes(size)) + pages_up(fake_tables_bytes(size));
}

/* Cut the largest region in two, at a page in the middle of a buffer. */
static void
split_largest(struct fake_region_conf *r, unsigned int nr)
{
	unsigned int at = 0;
	size_t first;

	for (unsigned int i = 1; i < nr; i++)
		if (r[i].size > r[at].size)
			at = i;
	first = r[at].size / 2 / FAKE_AREA * FAKE_AREA + FAKE_PAGE;
	memmove(&r[at + 1], &r[at], (nr - at) * sizeof(*r));
	r[at].size = first;
	r[at + 1].gpa += first;
	r[at + 1].size -= first;
}

/*
 * Sections beyond the number of regions follow the one before them. The first two places of buffers always
 * adjoin, with a buffer's room between them across the border.
 */
void
memory_init(struct guest_memory *m, unsigned int vrings, uint16_t size,
	const struct fake_format *format, unsigned int regions)
{
	size_t areas = (size_t)vrings * size * FAKE_AREA;
	const size_t bytes[SECTIONS] = {vrings * vring_bytes(size, format), areas + FAKE_PAGE,
		areas + FAKE_PAGE, areas};
	struct fake_region_conf conf[MEMORY_REGIONS_MAX];
	uint64_t gpa[SECTIONS], next = BASE;
	unsigned int nr = 0;

	CHECK(regions >= 1 && regions <= MEMORY_REGIONS_MAX);
	for (unsigned int s = 0; s < SECTIONS; s++) {
		if (s > 0 && s < regions && s != 1 + FAKE_PAIRS)
			next = (next + GAP) & ~(GAP - 1);
		gpa[s] = next;
		next += bytes[s];
		if (s < regions)
			conf[nr++] = (struct fake_region_conf){gpa[s], bytes[s], FAKE_IOVA_LINEAR};
		else
			conf[nr - 1].size += bytes[s];
	}
	for (; nr < regions; nr++)
		split_largest(conf, nr);
	fake_mem_init(&m->mem, conf, nr, false);
	m->rings = gpa[0];
	m->area[FAKE_LINEAR] = gpa[1];
	m->area[FAKE_PAIRS] = gpa[2] + FAKE_PAGE;
	m->area[FAKE_SCATTERED] = gpa[3];
}

void
memory_fini(struct guest_memory *m)
{
	fake_mem_fini(&m->mem);
}

struct fake_places
memory_places(const struct guest_memory *m, unsigned int i, uint16_t size,
	const struct fake_format *format)
{
	struct fake_places p = {.rings = m->rings + i * vring_bytes(size, format)};

	p.tables = p.rings + pages_up(format->bytes(size));
	for (int place = 0; place < FAKE_PLACES; place++)
		p.area[place] = m->area[place] + (uint64_t)i * size * FAKE_AREA;
	p.crossing = i == 0 ? m->area[FAKE_PAIRS] - 2 * FAKE_PAGE : UINT64_MAX;
	return p;
}

uint64_t
memory_end(const struct guest_memory *m)
{
	const struct fake_region_conf *last = &m->mem.region[m->mem.nr - 1].conf;

	return last->gpa + last->size;
}

static struct table_payload
right_table(const struct guest_memory *m, bool reversed)
{
	struct table_payload t = {.nr = m->mem.nr};

	for (unsigned int i = 0; i < t.nr; i++) {
		const struct fake_region *r = &m->mem.region[reversed ? t.nr - 1 - i : i];

		t.region[i] = (struct table_region){r->conf.gpa, r->conf.size, (uintptr_t)r->guest,
			r->offset};
	}
	return t;
}

/* Make it wrong; returns how many file descriptors go with it. */
static unsigned int
spoil(struct table_payload *t, enum table kind)
{
	switch (kind) {
	case TABLE_OVERLAP:
		t->region[1].gpa = t->region[0].gpa + t->region[0].size / 2;
		break;
	case TABLE_UNALIGNED:
		t->region[0].gpa += 123;
		t->region[0].user_address += 123;
		t->region[0].offset += 123;
		t->region[0].size -= FAKE_PAGE;
		break;
	case TABLE_NINE:
		for (; t->nr <= MEMORY_REGIONS_MAX; t->nr++) {
			t->region[t->nr] = t->region[0];
			t->region[t->nr].gpa = (t->nr + 100) * GAP;
		}
		break;
	case TABLE_NO_FDS:
		return 0;
	case TABLE_FEW_FDS:
		return t->nr - 1;
	case TABLE_EMPTY:
		t->nr = 0;
		break;
	default:
		break;
	}
	return t->nr;
}

bool
memory_announce(const struct guest_memory *m, struct link *l, enum table kind)
{
	bool short_file = kind == TABLE_TRUNCATED || kind == TABLE_SHORT_RINGS;
	struct table_payload t = right_table(m, kind == TABLE_REVERSED || short_file);
	unsigned int nr_fds = spoil(&t, kind), at = kind == TABLE_SHORT_RINGS ? t.nr - 1 : 0;
	int fds[MEMORY_REGIONS_MAX + 1], file = m->mem.fd;
	bool ok;

	if (short_file) {
		file = memfd_create("short", MFD_CLOEXEC);
		CHECK(file >= 0 && ftruncate(file, t.region[at].offset + FAKE_PAGE) == 0);
	}
	for (unsigned int i = 0; i < nr_fds; i++)
		fds[i] = i == at ? file : m->mem.fd;
	ok = link_call(l, SET_MEM_TABLE, &t,
		offsetof(struct table_payload, region) + t.nr * sizeof(t.region[0]), fds, nr_fds);
	if (file != m->mem.fd)
		close(file);
	return ok;
}
