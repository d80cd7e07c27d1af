/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "template.h"

static_assert(VIRTQUEUE_SIZE == 1 << VIRTQUEUE_LOG2, "one size, said in two ways");

static const char *
word(const struct words *w, char key)
{
	switch (key) {
	case 'I':
		return w->datapath;
	case 'J':
		return w->nf;
	case 'N':
		return w->queues;
	case 'Q':
		return w->queue;
	case 'S':
		return w->socket;
	case 'M':
		return w->mac;
	default:
		return NULL;
	}
}

int
template_expand(char *out, size_t size, const char *template, const struct words *w)
{
	size_t used = 0;

	for (const char *p = template; *p != '\0'; p++) {
		const char *value = *p == '@' ? word(w, p[1]) : NULL;
		const size_t len = value != NULL ? strlen(value) : 1;

		if (used + len >= size)
			return -E2BIG;
		memcpy(out + used, value != NULL ? value : p, len);
		used += len;
		if (value != NULL)
			p++;
	}
	out[used] = '\0';
	return 0;
}
