/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations against a model that knows, for every buffer, where it must be. The seed is
 * printed; IOVTEE_SEED=<n> repeats a run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bed.h"

#define RUN_STEPS 4000
#define SECONDS   3
#define BURST_MAX 12
#define COPY_MAX  4000

enum where { NOWHERE, RING, LENT, RECLAIMED, USED };

/* What the guest must find next. */
struct expected {
	bool flushed;
	uint16_t entries;
	uint64_t seq;
	uint32_t len;
	uint16_t nr;
};

/* Buffers that outlived their queue. */
struct stray {
	struct iovt_rxq *q;
	uint16_t id;
};

struct model {
	uint64_t random;
	uint64_t seq;
	struct bed *b;
	uint64_t posted, taken;          /* positions in order */
	uint16_t order[SIZE_MAX_TESTED]; /* ids as posted */
	enum where where[SIZE_MAX_TESTED];
	bool bindable[SIZE_MAX_TESTED];
	struct iovt_buf lent[SIZE_MAX_TESTED];
	unsigned int nr_lent, nr_reclaimed;
	struct expected expected[SIZE_MAX_TESTED];
	unsigned int first_expected, nr_expected;
	uint64_t used;  /* ring entries used so far, in a packed ring a chain's all at once */
	uint16_t wish;  /* notify once so many more are used, 0: never */
	uint64_t event; /* value of used at the entry that notifies */
	struct stray stray[4 * SIZE_MAX_TESTED];
	unsigned int nr_stray;
};

static uint32_t
below(struct model *m, uint32_t n)
{
	m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (m->random >> 33) % n;
}

static uint16_t
at(const struct model *m, uint64_t position)
{
	return m->order[position % m->b->conf.size];
}

static void
move(struct model *m, uint16_t id, enum where from, enum where to)
{
	CHECK(m->where[id] == from);
	m->where[id] = to;
	m->nr_reclaimed += (to == RECLAIMED) - (from == RECLAIMED);
}

static void
expect(struct model *m, struct expected e)
{
	m->expected[(m->first_expected + m->nr_expected++) % SIZE_MAX_TESTED] = e;
	m->used += e.entries;
}

/* Entries of the used ring that the guest sees gone when this chain is used. */
static uint16_t
entries(const struct model *m, uint16_t id)
{
	return m->b->conf.format == &fake_packed ? m->b->guest.chain[id].nr_desc : 1;
}

static void
post(struct model *m)
{
	for (unsigned int i = below(m, 2 * BURST_MAX); i > 0; i--) {
		enum fake_layout layout = below(m, 3) ? below(m, 2) : below(m, FAKE_LAYOUTS);
		uint32_t len = below(m, 6) ? BUF_MIN + below(m, FAKE_LEN_MAX - BUF_MIN)
					   : 100 + below(m, BUF_MIN);
		int id = fake_guest_post(&m->b->guest, layout, len, below(m, FAKE_PLACES));

		if (id < 0)
			continue;
		move(m, id, NOWHERE, RING);
		m->order[m->posted++ % m->b->conf.size] = id;
		m->bindable[id] = m->b->guest.chain[id].contiguous &&
			len >= m->b->conf.hdr_len + NIC_MAX && layout != FAKE_REGION_CROSS;
	}
}

/* What the ring tells of before its chains are read: in a packed ring, entries. */
static unsigned int
in_ring(const struct model *m)
{
	unsigned int n = 0;

	for (uint64_t i = m->taken; i < m->posted; i++)
		n += entries(m, at(m, i));
	return n;
}

/* How many a harvest must lend, and how many it takes from the ring for that, or in vain. */
static unsigned int
harvest_expected(struct model *m, unsigned int n, unsigned int min, unsigned int *from_ring)
{
	unsigned int room = m->b->q->lend_max - m->nr_lent;
	unsigned int k;

	*from_ring = 0;
	n = n < room ? n : room;
	if (n > m->nr_reclaimed + in_ring(m))
		n = m->nr_reclaimed + in_ring(m);
	if (n < min)
		return 0;
	k = n < m->nr_reclaimed ? n : m->nr_reclaimed;
	while (k + *from_ring < n && m->taken + *from_ring < m->posted &&
		m->bindable[at(m, m->taken + *from_ring)])
		(*from_ring)++;
	return k + *from_ring;
}

static void
harvest(struct model *m)
{
	unsigned int n = below(m, 2 * BURST_MAX), min = below(m, 3) ? 1 : below(m, n + 1);
	unsigned int from_ring, want = harvest_expected(m, n, min, &from_ring), k;
	struct iovt_buf bufs[2 * BURST_MAX];

	k = fake_nic_harvest(m->b->q, bufs, n, min);
	CHECK(k == (want < min ? 0 : want));
	for (unsigned int i = 0; i < from_ring; i++)
		move(m, at(m, m->taken++), RING, RECLAIMED);
	for (unsigned int i = 0; i < k; i++) {
		const struct fake_chain *c = &m->b->guest.chain[bufs[i].id];

		move(m, bufs[i].id, RECLAIMED, LENT);
		CHECK(bufs[i].len == c->len);
		CHECK(bufs[i].va == fake_mem_host(&m->b->guest.mem, c->seg[0].gpa, c->len));
		/* The newest ones are from the ring, in order. */
		if (i >= k - from_ring)
			CHECK(bufs[i].id == at(m, m->taken - (k - i)));
		m->lent[m->nr_lent++] = bufs[i];
	}
}

static struct iovt_buf
take_lent(struct model *m)
{
	unsigned int i = below(m, m->nr_lent);
	struct iovt_buf buf = m->lent[i];

	m->lent[i] = m->lent[--m->nr_lent];
	return buf;
}

static void
complete(struct model *m)
{
	struct expected e = {.seq = ++m->seq, .len = 1 + below(m, NIC_MAX), .nr = 1};
	struct iovt_buf buf;

	if (m->nr_lent == 0)
		return;
	buf = take_lent(m);
	e.entries = entries(m, buf.id);
	bed_nic_fill(m->b, &buf, e.seq, e.len);
	CHECK(bed_complete(m->b, &buf, e.seq, e.len));
	move(m, buf.id, LENT, USED);
	expect(m, e);
}

static void
copy(struct model *m)
{
	const struct iovt_rxq *q = m->b->q;
	struct expected e = {.seq = ++m->seq, .len = 1 + below(m, COPY_MAX)};
	unsigned int ring = m->posted - m->taken, reclaimed = m->nr_reclaimed;
	uint16_t ids[SIZE_MAX_TESTED];
	uint32_t room = 0;
	int want = 0;

	do {
		if (e.nr > 0 && !q->mergeable)
			want = -EMSGSIZE;
		else if (e.nr < ring)
			ids[e.nr] = at(m, m->taken + e.nr);
		else if (e.nr - ring < reclaimed)
			ids[e.nr] = q->reclaimed[reclaimed - 1 - (e.nr - ring)];
		else
			want = -ENOBUFS;
		if (want == 0)
			room += m->b->guest.chain[ids[e.nr++]].len;
	} while (want == 0 && room < q->hdr_len + e.len);
	CHECK(bed_copy(m->b, e.seq, e.len) == want);
	if (want != 0)
		return;
	for (uint16_t i = 0; i < e.nr; i++) {
		e.entries += entries(m, ids[i]);
		move(m, ids[i], i < ring ? RING : RECLAIMED, USED);
	}
	m->taken += e.nr < ring ? e.nr : ring;
	expect(m, e);
}

/* A ring index comes again after so many entries, and with it an event that was not renewed. */
static bool
passed(const struct model *m, uint64_t before)
{
	const struct bed_conf *c = &m->b->conf;
	int64_t again = c->format == &fake_split ? 65536 : 2 * c->size;

	for (uint64_t i = before; i != m->used; i++)
		if ((int64_t)(i - m->event) % again == 0)
			return true;
	return false;
}

static void
burst(struct model *m)
{
	uint64_t before = m->used;
	bool notify = false;

	CHECK(iovt_rx_begin(m->b->q));
	for (unsigned int i = below(m, BURST_MAX); i > 0; i--) {
		if (below(m, 3))
			complete(m);
		else
			copy(m);
	}
	if (m->b->conf.event_idx && (m->wish != 0 || m->b->conf.format == &fake_split))
		notify = passed(m, before);
	else
		notify = m->wish != 0 && before != m->used;
	CHECK(iovt_rx_end(m->b->q, m->b->q->vr.format) == notify);
}

static void
reclaim(struct model *m)
{
	uint16_t ids[BURST_MAX];
	unsigned int n = below(m, BURST_MAX), k = 0;

	while (k < n && m->nr_lent > 0) {
		ids[k] = take_lent(m).id;
		move(m, ids[k++], LENT, RECLAIMED);
	}
	iovt_rxq_reclaim(m->b->q, ids, k);
}

static void
receive(struct model *m)
{
	struct fake_packet *p = &m->b->packet;

	for (unsigned int i = below(m, 2 * BURST_MAX); i > 0; i--) {
		struct expected *e = &m->expected[m->first_expected];

		CHECK(fake_guest_receive(&m->b->guest, p) == (m->nr_expected > 0));
		if (m->nr_expected == 0)
			break;
		if (e->flushed)
			CHECK(p->flushed);
		else
			fake_packet_check(&m->b->guest, p, e->seq, e->len);
		CHECK(p->nr == e->nr);
		for (uint16_t k = 0; k < p->nr; k++)
			move(m, p->id[k], USED, NOWHERE);
		m->first_expected = (m->first_expected + 1) % SIZE_MAX_TESTED;
		m->nr_expected--;
	}
	if (below(m, 4) == 0) {
		m->wish = below(m, BURST_MAX < m->b->conf.size ? BURST_MAX : m->b->conf.size);
		m->event = m->used;
		for (unsigned int i = 0; i < m->nr_expected; i++)
			m->event -= m->expected[(m->first_expected + i) % SIZE_MAX_TESTED].entries;
		m->event += m->wish - 1;
		m->b->guest.format->notify_after(&m->b->guest, m->wish);
	}
}

/* An index from which a ring may go on, often just before it turns. */
static uint16_t
any_start(struct model *m, const struct bed_conf *c)
{
	uint16_t back = below(m, 2) ? below(m, 100) : below(m, 65536);

	if (c->format == &fake_packed)
		back %= 2 * c->size;
	return fake_before_turn(c->format, c->size, back + 1);
}

/* The guest resets: all that it had posted is gone. */
static void
reset(struct model *m)
{
	uint16_t start = any_start(m, &m->b->conf);

	for (unsigned int id = 0; id < m->b->conf.size; id++)
		m->where[id] = NOWHERE;
	m->nr_reclaimed = m->nr_expected = 0;
	m->posted = m->taken = 0;
	m->wish = 1;
	m->event = m->used;
	fake_guest_reset(&m->b->guest, start);
	m->b->guest.format->notify_after(&m->b->guest, 1);
	bed_open(m->b, start, start);
}

static void
revoke(struct model *m)
{
	struct iovt_rxq *old = m->b->q;
	unsigned int rewound = 0;
	uint64_t used = m->used;
	uint16_t avail, old_used, new_avail, new_used;

	if (below(m, 3))
		while (m->nr_lent > 0)
			reclaim(m);
	if (m->nr_stray + m->nr_lent > 4 * SIZE_MAX_TESTED)
		return;
	iovt_vq_bases(&m->b->q->vr, &avail, &old_used);
	CHECK(bed_close(m->b, &new_avail, &new_used) == m->nr_lent);
	while (m->taken > 0 && m->where[at(m, m->taken - 1)] == RECLAIMED) {
		rewound += entries(m, at(m, m->taken - 1));
		move(m, at(m, --m->taken), RECLAIMED, RING);
	}
	CHECK(m->b->conf.format->after(m->b->conf.size, new_avail, rewound) == avail);
	for (unsigned int id = 0; id < m->b->conf.size; id++) {
		if (m->where[id] != RECLAIMED && m->where[id] != LENT)
			continue;
		move(m, id, m->where[id], USED);
		expect(m, (struct expected){.flushed = true, .nr = 1, .entries = entries(m, id)});
	}
	CHECK(new_used == m->b->conf.format->after(m->b->conf.size, old_used, m->used - used));
	for (; m->nr_lent > 0; m->nr_lent--)
		m->stray[m->nr_stray++] = (struct stray){old, m->lent[m->nr_lent - 1].id};
	if (below(m, 4) == 0)
		reset(m);
	else
		bed_open(m->b, new_avail, new_used);
}

static void
return_stray(struct model *m)
{
	for (unsigned int i = below(m, BURST_MAX); i > 0 && m->nr_stray > 0; i--) {
		unsigned int k = below(m, m->nr_stray);
		struct stray s = m->stray[k];

		m->stray[k] = m->stray[--m->nr_stray];
		iovt_rxq_reclaim(s.q, &s.id, 1);
	}
}

static void
step(struct model *m)
{
	unsigned int what = below(m, 100);

	if (what < 20)
		post(m);
	else if (what < 45)
		harvest(m);
	else if (what < 70)
		burst(m);
	else if (what < 76)
		reclaim(m);
	else if (what < 97)
		receive(m);
	else if (what < 99)
		return_stray(m);
	else
		revoke(m);
	bed_check_accounts(m->b->q);
	CHECK(m->b->q->nr_lent == m->nr_lent && m->b->q->nr_reclaimed == m->nr_reclaimed);
}

static void
run(uint64_t seed, const struct fake_format *format)
{
	struct model *m = calloc(1, sizeof(*m));
	struct bed_conf conf = {.format = format};

	CHECK(m != NULL);
	m->random = seed;
	conf.size = 2 << below(m, 10);
	if (format == &fake_packed && below(m, 2))
		conf.size = 2 + below(m, SIZE_MAX_TESTED - 1);
	conf.start = any_start(m, &conf);
	conf.lend_max = 1 + below(m, conf.size);
	conf.hdr_len = below(m, 4) ? 12 : 10;
	conf.mergeable = conf.hdr_len == 12 && below(m, 2);
	conf.event_idx = below(m, 2);
	snprintf(fake_context, sizeof(fake_context), "IOVTEE_SEED=%llu, ring size %u",
		(unsigned long long)seed, conf.size);
	m->b = bed_new(&conf);
	m->used = 0;
	m->wish = 1;
	m->event = 0;
	m->b->guest.format->notify_after(&m->b->guest, 1);
	for (unsigned int i = 0; i < RUN_STEPS; i++)
		step(m);
	while (m->nr_lent > 0)
		reclaim(m);
	while (m->nr_stray > 0)
		return_stray(m);
	bed_free(m->b);
	free(m);
}

static void
random_operations(const struct bed_conf *conf)
{
	const char *given = getenv("IOVTEE_SEED");
	time_t end = time(NULL) + SECONDS;
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) << 20;
	unsigned int runs = 0;

	print_message("first seed %llu\n", (unsigned long long)seed);
	do
		run(seed + runs++, conf->format);
	while (given == NULL && time(NULL) < end);
	print_message("%u runs of %u steps\n", runs, RUN_STEPS);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"random operations agree with the model", random_operations},
	};

	return unit_run("model", cases, sizeof(cases) / sizeof(cases[0]));
}
