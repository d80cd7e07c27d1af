/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "send_bed.h"

static void
released(void *ctx)
{
	((struct send_bed *)ctx)->released++;
}

void
send_bed_open(struct send_bed *b, uint16_t last_avail, uint16_t last_used)
{
	struct iovt_txq_conf conf = {
		.ring = fake_guest_ring(&b->guest, last_avail, last_used),
		.hdr_len = b->guest.hdr_len,
		.log = b->log,
		.inflight = {b->record, BED_OWNER},
		.borrow_max = b->borrow_max,
		.release = released,
		.ctx = b,
	};

	CHECK(iovt_txq_create(&conf, &b->q) == 0);
}

struct send_bed *
send_bed_new(const struct bed_conf *conf)
{
	const struct fake_guest_conf guest = {
		.format = conf->format,
		.size = conf->size,
		.start = conf->start,
		.hdr_len = conf->hdr_len,
		.event_idx = conf->event_idx,
		.one_view = conf->one_view,
		.sends = true,
	};
	struct send_bed *b = calloc(1, sizeof(*b));

	CHECK(b != NULL);
	b->log = conf->log;
	b->record = conf->record;
	b->room = SEND_ROOM;
	b->borrow_max = conf->lend_max;
	b->reads = conf->lend_max > 0 ? (struct iovt_tx_reads){0, UINT32_MAX} : IOVT_TX_READS_ALL;
	fake_guest_init(&b->guest, &guest);
	send_bed_open(b, conf->start, conf->start);
	return b;
}

void
send_bed_forget(struct send_bed *b)
{
	for (unsigned int i = 0; i < b->nr_got; i++)
		if (!b->got[i].borrowed)
			free(b->got[i].data);
	b->nr_got = 0;
}

unsigned int
send_bed_close(struct send_bed *b, uint16_t *last_avail, uint16_t *last_used)
{
	unsigned int before = b->released;
	unsigned int out = iovt_txq_destroy(b->q, &b->end, &b->last);

	*last_avail = b->end.last_avail;
	*last_used = b->end.last_used;
	CHECK(b->released == before + (out == 0));
	CHECK(b->last.borrowed == b->last.returned + b->last.overdue && b->last.overdue == out);
	b->q = NULL;
	return out;
}

void
send_bed_free(struct send_bed *b)
{
	uint16_t last_avail, last_used;

	send_bed_forget(b);
	if (b->q != NULL)
		CHECK(send_bed_close(b, &last_avail, &last_used) == 0);
	fake_guest_fini(&b->guest);
	free(b);
}

static struct send_packet *
add(struct send_bed *b, size_t k, uint32_t len)
{
	struct send_packet *p = &b->got[b->nr_got + k];

	CHECK(b->nr_got + k < SIZE_MAX_TESTED);
	*p = (struct send_packet){.len = len, .data = malloc(len), .hdr = p->hdr};
	CHECK(p->data != NULL);
	return p;
}

static bool
drops(struct send_bed *b)
{
	return b->drop > 0 && ++b->seen % b->drop == 0;
}

static enum iovt_tx_fate
borrow_frame(struct send_bed *b, size_t k, const struct iovt_frame *f)
{
	struct send_packet *p = &b->got[b->nr_got + k];

	CHECK(b->nr_got + k < SIZE_MAX_TESTED);
	*p = (struct send_packet){.len = f->len, .borrowed = true, .id = f->id, .hdr = p->hdr};
	p->data = fake_mem_device(&b->guest.mem, f->iova, f->len);
	CHECK(p->data != NULL);
	return IOVT_TX_BORROWED;
}

static enum iovt_tx_fate
take_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct send_bed *b = ctx;

	CHECK(f->len >= IOVT_TX_LEN_MIN && f->len <= b->room);
	CHECK(!may_borrow || f->len >= b->reads.all_below);
	if (drops(b))
		return IOVT_TX_DROPPED;
	b->got[b->nr_got + k].hdr = iovt_tx_header(b->q, f);
	if (may_borrow)
		return borrow_frame(b, k, f);
	if (b->borrow_max > 0 && b->refuse > 0) {
		b->refuse--;
		return IOVT_TX_LEFT;
	}
	memcpy(add(ctx, k, f->len)->data, f->data, f->len);
	return IOVT_TX_COPIED;
}

static int
take_pieces(void *ctx, size_t k, const struct iovt_pieces *packet)
{
	const struct iovt_piece *piece = packet->piece;
	const uint32_t len = packet->len;
	struct send_bed *b = ctx;
	uint32_t off = 0;
	struct send_packet *p;

	CHECK(len >= IOVT_TX_LEN_MIN && len <= IOVT_TX_LEN_MAX);
	if (b->refuse > 0) {
		b->refuse--;
		return -ENOMEM;
	}
	if (drops(b))
		return -EINVAL;
	p = add(b, k, len);
	p->pieced = true;
	p->hdr = packet->hdr;
	for (unsigned int i = 0; i < packet->nr; i++) {
		CHECK(piece[i].len > 0 && piece[i].len <= len - off);
		memcpy(p->data + off, piece[i].data, piece[i].len);
		off += piece[i].len;
	}
	CHECK(off == len);
	return 0;
}

unsigned int
send_bed_take(struct send_bed *b, unsigned int n)
{
	unsigned int ready = iovt_tx_ready(b->q, b->q->vr.format, n), got;

	CHECK(ready <= n && ready <= IOVT_TX_BATCH);
	if (ready == 0)
		return 0;
	got = iovt_tx_take(b->q, b->q->vr.format, ready, b->room, b->reads, take_frame, take_pieces,
		b);
	CHECK(got <= ready);
	b->nr_got += got;
	return got;
}

int
send_bed_take_chain(struct send_bed *b)
{
	return iovt_tx_take_chain(b->q, take_pieces, b, 0);
}

unsigned int
send_bed_burst(struct send_bed *b, unsigned int n)
{
	unsigned int got = send_bed_take(b, n);

	iovt_tx_end(b->q, b->q->vr.format);
	return got;
}

void
send_bed_return(struct send_bed *b, unsigned int k)
{
	CHECK(k < b->nr_got && b->got[k].borrowed);
	iovt_txq_return(b->q, &b->got[k].id, 1);
}

void
send_bed_expect(const struct send_bed *b, unsigned int k, uint64_t seq, uint32_t len)
{
	const struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);

	assert_true(k < b->nr_got);
	assert_int_equal(b->got[k].len, len);
	assert_true(fake_frame_equal(b->got[k].data, seq, len));
	assert_memory_equal(&b->got[k].hdr, &hdr, offsetof(struct iovt_vnet_hdr, num_buffers));
}
