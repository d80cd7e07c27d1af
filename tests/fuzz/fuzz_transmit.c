/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "fuzz_guest.h"
#include "fuzz_target.h"
#include "transmit.h"

#define ROOM_MAX 4096u

struct sink {
	struct fuzz_input *in;
	uint32_t room;
	size_t taken;
	uint64_t sum; /* every byte was read */
};

static void
read_all(struct sink *s, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		s->sum += data[i];
}

static void
take_frame(void *ctx, size_t k, const void *data, uint32_t len)
{
	struct sink *s = ctx;

	CHECK(k == s->taken++);
	CHECK(len >= IOVT_TX_LEN_MIN && len <= s->room);
	read_all(s, data, len);
}

static int
take_pieces(void *ctx, size_t k, const struct iovt_piece *piece, unsigned int nr, uint32_t len)
{
	struct sink *s = ctx;
	uint64_t total = 0;

	if (fuzz_take(s->in, 1) >= 0xf0)
		return -ENOMEM;
	CHECK(k == s->taken++);
	CHECK(len >= IOVT_TX_LEN_MIN && len <= IOVT_TX_LEN_MAX);
	for (unsigned int i = 0; i < nr; i++) {
		CHECK(piece[i].len > 0);
		read_all(s, piece[i].data, piece[i].len);
		total += piece[i].len;
	}
	CHECK(total == len);
	return 0;
}

static void
burst(struct fuzz_guest *g, struct iovt_txq *q)
{
	unsigned int n = fuzz_take(&g->in, 1) % (FUZZ_RING_MAX + 1);
	struct sink s = {&g->in, IOVT_TX_LEN_MIN + fuzz_take(&g->in, 2) % ROOM_MAX, 0, 0};
	bool broken = q->error != NULL;
	unsigned int ready = iovt_tx_ready(q, q->vr.format, n), got = 0;

	CHECK(ready <= n && ready <= g->size && !(broken && ready > 0));
	if (ready > 0)
		got = iovt_tx_take(q, q->vr.format, ready, s.room, take_frame, take_pieces, &s);
	iovt_tx_end(q, q->vr.format);
	CHECK(got == s.taken && got <= ready);
	/* Whatever was taken from the ring was given back to it, and shown. */
	CHECK(fuzz_taken(&q->vr) == 0);
	CHECK(q->vr.format == IOVT_PACKED ? q->vr.packed.hidden == 0
					  : q->vr.split.published == q->vr.split.last_used);
	CHECK(q->stats.ring_errors == (q->error != NULL));
}

void
fuzz_target(const uint8_t *data, size_t size)
{
	struct fuzz_guest g = {.in = {data, size}};
	struct iovt_txq_conf conf = {0};
	uint16_t last_avail, last_used;
	struct iovt_txq *q;

	conf.hdr_len = fuzz_guest_open(&g, IOVT_FROM_GUEST, &conf.ring) & 0x10 ? 12 : 10;
	CHECK(iovt_txq_create(&conf, &q) == 0);
	for (unsigned int i = 0; i < FUZZ_OPERATIONS_MAX && g.in.left > 0; i++) {
		if (fuzz_take(&g.in, 1) % 4 == 0)
			burst(&g, q);
		else
			fuzz_guest_writes(&g);
	}
	iovt_txq_destroy(q, &last_avail, &last_used);
	fake_mem_fini(&g.mem);
}
