/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest knows of its buffers, set aside and taken up again: its memory is somebody else's to keep. */
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"

struct fake_saved {
	struct fake_guest g;
	struct fake_chain *chain;
	uint16_t *free_desc;
	uint16_t *free_area[FAKE_PLACES];
};

static void *
copy(const void *p, size_t bytes)
{
	void *to = malloc(bytes);

	CHECK(to != NULL);
	return memcpy(to, p, bytes);
}

struct fake_saved *
fake_guest_save(const struct fake_guest *g)
{
	struct fake_saved *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->g = *g;
	s->chain = copy(g->chain, g->size * sizeof(*g->chain));
	s->free_desc = copy(g->free_desc, g->size * sizeof(*g->free_desc));
	for (int p = 0; p < FAKE_PLACES; p++)
		s->free_area[p] = copy(g->free_area[p], g->size * sizeof(uint16_t));
	return s;
}

void
fake_guest_restore(struct fake_guest *g, struct fake_saved *s)
{
	*g = s->g;
	memcpy(g->chain, s->chain, g->size * sizeof(*g->chain));
	memcpy(g->free_desc, s->free_desc, g->size * sizeof(*g->free_desc));
	for (int p = 0; p < FAKE_PLACES; p++) {
		memcpy(g->free_area[p], s->free_area[p], g->size * sizeof(uint16_t));
		free(s->free_area[p]);
	}
	free(s->chain);
	free(s->free_desc);
	free(s);
}
