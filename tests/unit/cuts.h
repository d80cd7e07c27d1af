/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that is killed: what it leaves in shared memory, whenever that is. Code runs in a child, one
 * instruction at a time, and each time that it has changed what is watched, its parent goes on from there as if
 * the child were dead.
 */
#ifndef CUTS_H
#define CUTS_H

#include <stddef.h>

#include "fake_mem.h"

struct cuts_memory {
	void *at;
	size_t len;
};

/* What both processes have. The first nr_watched pieces are looked at after each instruction. */
struct cuts_shared {
	struct cuts_memory piece[4];
	unsigned int nr;
	unsigned int nr_watched;
};

/* A record, and a guest's memory, whose first region has the rings: both of them are watched. */
struct cuts_shared cuts_shared_of(void *record, size_t bytes, const struct fake_mem *m);

/* Zeroed memory that a child shares. */
void *cuts_alloc(size_t len);
void cuts_free(void *p, size_t len);

/*
 * Run code(arg) in a child. look(arg, n) is called before its first instruction, for n 0, and after each that has
 * changed what is watched; shared memory is as the child left it, and will be so again when it goes on.
 *
 * @return how often. In the end, memory is as it was to begin with.
 */
unsigned int cuts_run(const struct cuts_shared *s, void (*code)(void *arg),
	void (*look)(void *arg, unsigned int n), void *arg);

#endif
