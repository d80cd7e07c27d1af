/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a fake guest's buffers lie in memory: all around them is a pattern, which must stay. */
#ifndef FAKE_AREA_H
#define FAKE_AREA_H

#include "fake_guest.h"

/* The pieces of a buffer of len bytes, each apart from the others unless the layout says otherwise. */
void fake_area_lay_out(const struct fake_guest *g, struct fake_chain *c, enum fake_layout layout,
	uint32_t len);
/* Nothing has been written to this area. */
void fake_area_fill(const struct fake_guest *g, uint64_t gpa);
void fake_area_put(const struct fake_guest *g, const struct fake_seg *s, const uint8_t *src);
/* Read a buffer into dst, and make it look untouched again: then its area must be. */
void fake_area_take(const struct fake_guest *g, const struct fake_chain *c, uint8_t *dst);

#endif
