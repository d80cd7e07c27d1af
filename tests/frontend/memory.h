/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest's memory: what is where in it, and the tables that tell a back end so, right or wrong. */
#ifndef MEMORY_H
#define MEMORY_H

#include "fake_guest.h"
#include "link.h"

#define MEMORY_REGIONS_MAX 8

enum table {
	TABLE_RIGHT,
	TABLE_REVERSED,  /* right, too */
	TABLE_OVERLAP,   /* the second region begins inside the first */
	TABLE_UNALIGNED, /* addresses and offset of the first are odd, its last page is missing */
	TABLE_TRUNCATED, /* reversed, and the first file, of buffers, is shorter than its region */
	TABLE_SHORT_RINGS, /* reversed, and the last file, of the rings, is */
	TABLE_NINE,        /* one region more than a table can have */
	TABLE_NO_FDS,      /* no file descriptors */
	TABLE_FEW_FDS,     /* one too few */
	TABLE_EMPTY,       /* no region */
	TABLE_KINDS,
};

extern const char *const table_names[TABLE_KINDS];

struct guest_memory {
	struct fake_mem mem;
	uint64_t rings; /* where each section begins */
	uint64_t area[FAKE_PLACES];
};

/* Memory for vrings of size entries each, in 1 to 8 regions. */
void memory_init(struct guest_memory *m, unsigned int vrings, uint16_t size,
	const struct fake_format *format, unsigned int regions);
void memory_fini(struct guest_memory *m);

/* Where vring i has its things. */
struct fake_places memory_places(const struct guest_memory *m, unsigned int i, uint16_t size,
	const struct fake_format *format);

/* One more than the highest address. */
uint64_t memory_end(const struct guest_memory *m);

/* SET_MEM_TABLE. */
bool memory_announce(const struct guest_memory *m, struct link *l, enum table kind);

#endif
