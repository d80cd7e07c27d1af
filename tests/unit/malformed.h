/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Malformed rings. Whatever a guest writes: the ring is broken, counted once, left alone; nothing is
 * written but what was legally offered; and later calls do no harm.
 */
#ifndef MALFORMED_H
#define MALFORMED_H

#include "hostile.h"

/* One way to offer what no driver may; two buffers are lent before. A list ends with what NULL. */
struct malformed {
	const char *what;
	void (*make)(struct bed *b, const struct iovt_buf lent[2]);
};

extern const struct malformed malformed_any[], malformed_split[], malformed_packed[];

#endif
