/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "fake_area.h"

#define PATTERN 0xa5

/* Page by page, because the crossing area lies in two regions. */
void
fake_area_fill(const struct fake_guest *g, uint64_t gpa)
{
	for (int i = 0; i < 2; i++)
		memset(fake_mem_guest(&g->mem, gpa + i * FAKE_PAGE, FAKE_PAGE), PATTERN, FAKE_PAGE);
}

static void
area_check(const struct fake_guest *g, uint64_t gpa)
{
	for (int i = 0; i < 2; i++) {
		const uint8_t *p = fake_mem_guest(&g->mem, gpa + i * FAKE_PAGE, FAKE_PAGE);

		CHECK(p[0] == PATTERN && memcmp(p, p + 1, FAKE_PAGE - 1) == 0);
	}
}

void
fake_area_put(const struct fake_guest *g, const struct fake_seg *s, const uint8_t *src)
{
	for (uint32_t i = 0; i < s->len; i++)
		*fake_mem_guest(&g->mem, s->gpa + i, 1) = src[i];
}

/* Read a segment into dst, and make it look untouched again. */
static void
seg_take(const struct fake_guest *g, const struct fake_seg *s, uint8_t *dst)
{
	uint64_t gpa = s->gpa;
	uint32_t left = s->len;

	while (left > 0) {
		uint32_t n = FAKE_PAGE - gpa % FAKE_PAGE;
		uint8_t *p;

		if (n > left)
			n = left;
		p = fake_mem_guest(&g->mem, gpa, n);
		memcpy(dst, p, n);
		memset(p, PATTERN, n);
		dst += n;
		gpa += n;
		left -= n;
	}
}

/* What the device may have used before a buffer looks untouched again, too. */
void
fake_area_take(const struct fake_guest *g, const struct fake_chain *c, uint8_t *dst)
{
	for (uint8_t i = 0; i < c->nr_seg; i++) {
		seg_take(g, &c->seg[i], dst);
		dst += c->seg[i].len;
	}
	if (g->headroom > 0)
		memset(fake_mem_guest(&g->mem, c->seg[0].gpa - g->headroom, g->headroom), PATTERN,
			g->headroom);
	area_check(g, c->area);
}

static void
add_seg(struct fake_chain *c, uint32_t off, uint32_t len)
{
	c->seg[c->nr_seg++] = (struct fake_seg){c->area + off, len};
}

/* The pieces of a buffer, each apart from the others unless the layout says otherwise. */
void
fake_area_lay_out(const struct fake_guest *g, struct fake_chain *c, enum fake_layout layout,
	uint32_t len)
{
	uint32_t hdr = g->hdr_len, off = g->headroom + 64 + len % 7;

	switch (layout) {
	case FAKE_ONE:
	case FAKE_INDIRECT_ONE:
		add_seg(c, off, len);
		break;
	case FAKE_HDR_FOLLOWED:
	case FAKE_INDIRECT_HDR:
		add_seg(c, off, hdr);
		add_seg(c, off + hdr, len - hdr);
		break;
	case FAKE_HDR_APART:
		add_seg(c, off, hdr);
		add_seg(c, off + hdr + 1, len - hdr);
		break;
	case FAKE_CHAIN:
	case FAKE_INDIRECT_CHAIN:
	case FAKE_DIRECT_INDIRECT:
		CHECK(len >= 4);
		add_seg(c, FAKE_PAGE + off, len / 4);
		add_seg(c, off, len / 2);
		add_seg(c, FAKE_PAGE / 2 + off, len - len / 4 - len / 2);
		break;
	default:
		add_seg(c, FAKE_PAGE - len / 2, len);
	}
}
