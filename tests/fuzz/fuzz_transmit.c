/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "fuzz_guest.h"
#include "fuzz_target.h"
#include "transmit.h"

#define ROOM_MAX 4096u

/* Packets that are borrowed now. */
struct loans {
	unsigned int max, n;
	uint16_t id[FUZZ_RING_MAX];
};

struct sink {
	struct fuzz_input *in;
	struct loans *loans;
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

static enum iovt_tx_fate
take_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct sink *s = ctx;
	uint64_t wish = s->loans->max > 0 ? fuzz_take(s->in, 1) : 0;

	CHECK(f->len >= IOVT_TX_LEN_MIN && f->len <= s->room);
	if (wish >= 0xf0)
		return IOVT_TX_LEFT;
	if (wish >= 0xe0)
		return IOVT_TX_DROPPED;
	CHECK(k == s->taken++);
	read_all(s, f->data, f->len);
	if (wish < 0x60 || !may_borrow)
		return IOVT_TX_COPIED;
	s->loans->id[s->loans->n++] = f->id;
	return IOVT_TX_BORROWED;
}

/* Some of them, the newest or the oldest. */
static void
give_back(struct fuzz_input *in, struct iovt_txq *q, struct loans *l)
{
	unsigned int n = l->n > 0 ? 1 + fuzz_take(in, 1) % l->n : 0;
	unsigned int first = fuzz_take(in, 1) % 2 ? l->n - n : 0;

	if (n > 0)
		iovt_txq_return(q, &l->id[first], n);
	memmove(&l->id[first], &l->id[first + n], (l->n - first - n) * sizeof(l->id[0]));
	l->n -= n;
}

static int
take_pieces(void *ctx, size_t k, const struct iovt_pieces *p)
{
	struct sink *s = ctx;
	uint64_t total = 0, wish = fuzz_take(s->in, 1);

	if (wish >= 0xf0)
		return -ENOMEM;
	if (wish >= 0xe0)
		return -EINVAL;
	CHECK(k == s->taken++);
	CHECK(p->len >= IOVT_TX_LEN_MIN && p->len <= IOVT_TX_LEN_MAX);
	for (unsigned int i = 0; i < p->nr; i++) {
		CHECK(p->piece[i].len > 0);
		read_all(s, p->piece[i].data, p->piece[i].len);
		total += p->piece[i].len;
	}
	CHECK(total == p->len);
	return 0;
}

static void
burst(struct fuzz_guest *g, struct iovt_txq *q, struct loans *loans)
{
	unsigned int n = fuzz_take(&g->in, 1) % (FUZZ_RING_MAX + 1);
	struct sink s = {
		.in = &g->in,
		.loans = loans,
		.room = IOVT_TX_LEN_MIN + fuzz_take(&g->in, 2) % ROOM_MAX,
	};
	bool broken = q->error != NULL;
	const struct iovt_tx_reads reads = {loans->max > 0 ? n * 4 : UINT32_MAX, 64};
	unsigned int ready = iovt_tx_ready(q, q->vr.format, n), got = 0;

	CHECK(ready <= n && ready <= g->size && !(broken && ready > 0));
	if (ready > 0)
		got = iovt_tx_take(q, q->vr.format, ready, s.room, reads, take_frame, take_pieces,
			&s);
	iovt_tx_end(q, q->vr.format);
	CHECK(got == s.taken && got <= ready);
	/* Whatever was taken from the ring and is not out was given back to it, and shown. */
	CHECK(q->nr_borrowed == loans->n && loans->n <= q->borrow_max);
	if (q->error == NULL)
		CHECK(fuzz_taken(&q->vr) == loans->n);
	CHECK(q->vr.format == IOVT_PACKED ? q->vr.packed.hidden == 0
					  : q->vr.split.published == q->vr.split.last_used);
	CHECK(q->stats.ring_errors == (q->error != NULL));
}

void
fuzz_target(const uint8_t *data, size_t size)
{
	struct fuzz_guest g = {.in = {data, size}};
	struct iovt_txq_conf conf = {0};
	struct iovt_txq_stats stats;
	struct loans loans = {0};
	struct iovt_vring_end end;
	struct iovt_txq *q;

	conf.hdr_len = fuzz_guest_open(&g, IOVT_FROM_GUEST, &conf.ring) & 0x10 ? 12 : 10;
	conf.borrow_max = loans.max = fuzz_take(&g.in, 1) % (g.size + 1);
	CHECK(iovt_txq_create(&conf, &q) == 0);
	for (unsigned int i = 0; i < FUZZ_OPERATIONS_MAX && g.in.left > 0; i++) {
		switch (fuzz_take(&g.in, 1) % 8) {
		case 0:
		case 1:
			burst(&g, q, &loans);
			break;
		case 2:
			give_back(&g.in, q, &loans);
			break;
		default:
			fuzz_guest_writes(&g);
		}
	}
	CHECK(iovt_txq_destroy(q, &end, &stats) == loans.n);
	CHECK(stats.borrowed == stats.returned + stats.overdue);
	while (loans.n > 0)
		give_back(&g.in, q, &loans);
	fake_mem_fini(&g.mem);
}
