/* SPDX-License-Identifier: BSD-3-Clause */
/* The general copy: any chain layout, several buffers, several pieces. */
#include <errno.h>
#include <string.h>

#include "copy.h"

/* Buffers that one packet may take: 64 KiB in the smallest buffers a driver may offer. */
#define BUFS_MAX 64

/* What one packet is copied into: some buffers, and their segments in order. */
struct target {
	uint16_t nr_bufs;
	uint16_t nr_taken; /* how many of them came from the ring; the rest was reclaimed */
	uint32_t capacity;
	struct {
		struct iovt_chain chain;
		uint32_t len; /* capacity, then bytes used */
	} buf[BUFS_MAX];
	struct iovt_segs segs;
};

/* A writing position in a target. */
struct cursor {
	const struct iovt_segs *segs;
	uint32_t seg;
	uint32_t off;
};

static int
take_from_ring(struct iovt_rxq *q, struct target *t, struct iovt_chain *c, int64_t *len)
{
	const enum iovt_ring_format f = q->vr.format;
	int ready = iovt_vq_available(&q->vr, f, 1);

	if (ready == 0)
		return -ENOBUFS;
	if (ready < 0) {
		iovt_rxq_break(q, "avail index jumped");
		return -EPROTO;
	}
	*len = iovt_vq_take(&q->vr, f, IOVT_TO_GUEST, &t->segs, c);
	if (*len < 0) {
		iovt_rxq_break(q, "malformed descriptor chain");
		return -EPROTO;
	}
	if (q->binding[c->id].state != IOVT_FREE) {
		iovt_vq_untake(&q->vr, f, c->descs);
		iovt_rxq_break(q, "a buffer in use was made available again");
		return -EPROTO;
	}
	iovt_rxq_note_taken(q, *c, IOVT_RECLAIMED);
	t->nr_taken++;
	return 0;
}

/* A reclaimed buffer is known by its address here; its region gives the guest address back. */
static int
take_reclaimed(struct iovt_rxq *q, struct target *t, struct iovt_chain *c, int64_t *len)
{
	const struct iovt_mem_region *r;
	const struct iovt_binding *b;

	if (q->nr_reclaimed == 0)
		return -ENOBUFS;
	*c = iovt_rxq_chain(q, q->reclaimed[--q->nr_reclaimed]);
	b = &q->binding[c->id];
	r = iovt_guest_mem_find_va(q->mem, b->va);
	*len = iovt_segs_add(&t->segs, r->gpa + (b->va - r->va), b->len);
	return 0;
}

static int
add_buffer(struct iovt_rxq *q, struct target *t)
{
	struct iovt_chain *c;
	int64_t len = 0;
	int ret;

	if (t->nr_bufs == BUFS_MAX)
		return -EMSGSIZE;
	c = &t->buf[t->nr_bufs].chain;
	/* From the ring first: it must be used in order, so that untaking stays possible. */
	ret = t->nr_taken == t->nr_bufs ? take_from_ring(q, t, c, &len) : -ENOBUFS;
	if (ret == -ENOBUFS)
		ret = take_reclaimed(q, t, c, &len);
	if (ret < 0)
		return ret;
	t->buf[t->nr_bufs].len = len;
	t->nr_bufs++;
	t->capacity += len;
	return 0;
}

static void
undo_reclaimed(struct iovt_rxq *q, const struct target *t)
{
	for (uint16_t i = t->nr_bufs; i > t->nr_taken; i--)
		q->reclaimed[q->nr_reclaimed++] = t->buf[i - 1].chain.id;
}

static void
undo_taken(struct iovt_rxq *q, const struct target *t)
{
	for (uint16_t i = t->nr_taken; i > 0; i--) {
		iovt_binding_move(&q->binding[t->buf[i - 1].chain.id], IOVT_RECLAIMED, IOVT_FREE);
		iovt_vq_untake(&q->vr, q->vr.format, t->buf[i - 1].chain.descs);
	}
	q->nr_taken -= t->nr_taken;
}

static void
undo(struct iovt_rxq *q, const struct target *t)
{
	undo_reclaimed(q, t);
	undo_taken(q, t);
}

/* Enough buffers for total bytes, or an error and nothing taken. */
static int
gather(struct iovt_rxq *q, struct target *t, uint32_t total)
{
	int ret;

	t->nr_bufs = t->nr_taken = 0;
	t->capacity = t->segs.n = 0;
	do {
		ret = t->nr_bufs > 0 && !q->mergeable ? -EMSGSIZE : add_buffer(q, t);
		if (ret == 0 && t->buf[t->nr_bufs - 1].len < q->hdr_len)
			ret = -EMSGSIZE;
	} while (ret == 0 && t->capacity < total);
	if (ret < 0)
		undo(q, t);
	return ret;
}

/* Write len bytes at the cursor; a segment may cross regions that adjoin. */
static int
cursor_write(const struct iovt_rxq *q, struct cursor *c, const uint8_t *src, uint32_t len)
{
	while (len > 0) {
		const struct iovt_seg *s = &c->segs->seg[c->seg];
		uint64_t gpa = s->gpa + c->off;
		const struct iovt_mem_region *r = iovt_guest_mem_find(q->mem, gpa, 1);
		uint64_t n = s->len - c->off;

		if (r == NULL)
			return -EPROTO;
		if (n > len)
			n = len;
		if (n > r->size - (gpa - r->gpa))
			n = r->size - (gpa - r->gpa);
		memcpy(r->va + (gpa - r->gpa), src, n);
		if (q->log.mark != NULL)
			q->log.mark(q->log.ctx, gpa, n);
		src += n;
		len -= n;
		c->off += n;
		if (c->off == s->len) {
			c->seg++;
			c->off = 0;
		}
	}
	return 0;
}

static int
fill(const struct iovt_rxq *q, const struct target *t, const struct iovt_piece *pieces,
	unsigned int nr, const struct iovt_vnet_hdr *hdr)
{
	struct cursor c = {&t->segs, 0, 0};
	struct iovt_vnet_hdr h = *hdr;
	int ret;

	h.num_buffers = t->nr_bufs;
	ret = cursor_write(q, &c, (const uint8_t *)&h, q->hdr_len);
	for (unsigned int i = 0; i < nr && ret == 0; i++)
		ret = cursor_write(q, &c, pieces[i].data, pieces[i].len);
	return ret;
}

int
iovt_rx_copy_pieces(struct iovt_rxq *q, const struct iovt_piece *pieces, unsigned int nr,
	uint32_t len, const struct iovt_vnet_hdr *hdr)
{
	uint32_t left = q->hdr_len + len;
	struct target t;
	int ret;

	if (q->state != IOVT_RXQ_RUNNING)
		return -EPROTO;
	ret = gather(q, &t, left);
	if (ret < 0)
		return ret;
	ret = fill(q, &t, pieces, nr, hdr);
	if (ret < 0) {
		undo(q, &t);
		iovt_rxq_break(q, "a buffer lies outside the guest's memory");
		return ret;
	}
	for (uint16_t i = 0; i < t.nr_bufs; i++) {
		uint32_t used = t.buf[i].len < left ? t.buf[i].len : left;

		iovt_vq_put(&q->vr, q->vr.format, t.buf[i].chain, used);
		left -= used;
	}
	iovt_vq_commit(&q->vr, q->vr.format);
	for (uint16_t i = 0; i < t.nr_bufs; i++)
		iovt_binding_move(&q->binding[t.buf[i].chain.id], IOVT_RECLAIMED, IOVT_FREE);
	q->stats.copied_bufs += t.nr_bufs;
	q->stats.copied_reclaimed += t.nr_bufs - t.nr_taken;
	return 0;
}
