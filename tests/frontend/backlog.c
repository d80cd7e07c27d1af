/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "backlog.h"
#include "fake_mem.h"

struct backlog_packet *
backlog_append(struct backlog *b, uint32_t len)
{
	struct backlog_packet *p = calloc(1, sizeof(*p) + len);

	CHECK(p != NULL);
	p->len = len;
	if (b->nr++ == 0)
		b->first = p;
	else
		b->last->next = p;
	b->last = p;
	return p;
}

void
backlog_pop(struct backlog *b)
{
	struct backlog_packet *p = b->first;

	b->first = p->next;
	b->nr--;
	free(p);
}

void
backlog_clear(struct backlog *b)
{
	while (b->nr > 0)
		backlog_pop(b);
}
