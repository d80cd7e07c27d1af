/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dirty log: every byte of guest memory that NIC or engine changed is marked by the time its queue is
 * given back, and what they did not touch is not.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "send_bed.h"

#define STEPS 1000

struct log {
	const struct fake_mem *mem;
	uint8_t *marked;  /* by byte, as memory lies in the guest's view */
	uint8_t *changed; /* the same */
};

static void
mark(void *ctx, uint64_t gpa, uint64_t len)
{
	const struct log *l = ctx;

	if (l->mem == NULL) /* the bed's first queue */
		return;
	CHECK(len > 0);
	memset(l->marked + (fake_mem_guest(l->mem, gpa, len) - l->mem->base), 1, len);
}

static void
log_init(struct log *l, const struct fake_mem *mem)
{
	l->mem = mem;
	l->marked = calloc(1, mem->total);
	l->changed = calloc(1, mem->total);
	CHECK(l->marked != NULL && l->changed != NULL);
}

static void
log_fini(struct log *l)
{
	free(l->marked);
	free(l->changed);
}

/* What differs from the memory that was saved was changed by NIC or engine. */
static void
note_changes(struct log *l)
{
	const uint8_t *now = l->mem->base, *then = l->mem->saved;

	for (size_t page = 0; page < l->mem->total; page += FAKE_PAGE) {
		if (memcmp(now + page, then + page, FAKE_PAGE) == 0)
			continue;
		for (size_t i = page; i < page + FAKE_PAGE; i++)
			l->changed[i] |= now[i] != then[i];
	}
}

static void
check_all_marked(struct log *l)
{
	for (size_t i = 0; i < l->mem->total; i++)
		CHECK(!l->changed[i] || l->marked[i]);
	memset(l->changed, 0, l->mem->total);
	memset(l->marked, 0, l->mem->total);
}

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 33) % n;
}

struct receiver {
	struct bed *b;
	struct log log;
	struct iovt_buf lent[64];
	unsigned int nr_lent;
	uint64_t seq;
};

static struct iovt_buf
take_lent(struct receiver *r)
{
	unsigned int i = below(r->nr_lent);
	struct iovt_buf buf = r->lent[i];

	r->lent[i] = r->lent[--r->nr_lent];
	return buf;
}

static void
fill_and_drop(struct receiver *r)
{
	struct iovt_buf buf;

	if (r->nr_lent == 0)
		return;
	buf = take_lent(r);
	bed_nic_fill(r->b, &buf, r->seq++, 1 + below(NIC_MAX));
	iovt_rxq_reclaim(r->b->q, &buf.id, 1);
}

/* As the driver's send function for such a queue does it. */
static void
burst(struct receiver *r)
{
	struct iovt_rxq *q = r->b->q;

	CHECK(iovt_rx_begin(q));
	for (unsigned int n = below(6); n > 0; n--) {
		uint32_t len = 1 + below(4000);
		struct iovt_vnet_hdr hdr = fake_frame_hdr(r->seq);
		struct iovt_buf buf;
		uint8_t data[4000];

		if (r->nr_lent > 0 && below(2)) {
			buf = take_lent(r);
			len = 1 + len % NIC_MAX;
			bed_nic_fill(r->b, &buf, r->seq, len);
			CHECK(bed_complete(r->b, &buf, r->seq++, len));
			iovt_rxq_mark_dirty(q, buf.id);
		} else {
			const struct iovt_piece piece = {data, len};

			fake_frame_write(data, r->seq++, len);
			iovt_rx_copy_pieces(q, &piece, 1, len, &hdr);
		}
	}
	iovt_rx_end_logged(q);
}

/* Where the engine says that it wants no kicks: not so at the moment. */
static void
forget_wish(struct bed *b)
{
	struct iovt_vring_conf ring = fake_guest_ring(&b->guest, 0, 0);

	((uint16_t *)ring.device)[ring.format == IOVT_SPLIT ? 0 : 1] = 0;
	fake_mem_save(&b->guest.mem);
}

/* Close with some buffers filled and lent, and go on. */
static void
revoke(struct receiver *r)
{
	struct iovt_rxq *old = r->b->q;
	uint16_t avail, used;

	for (unsigned int i = 0; i < r->nr_lent; i += 2)
		bed_nic_fill(r->b, &r->lent[i], r->seq++, 1 + below(NIC_MAX));
	bed_close(r->b, &avail, &used);
	note_changes(&r->log);
	check_all_marked(&r->log);
	fake_mem_save(&r->b->guest.mem);
	for (; r->nr_lent > 0; r->nr_lent--)
		iovt_rxq_reclaim(old, &r->lent[r->nr_lent - 1].id, 1);
	CHECK(fake_mem_changed(&r->b->guest.mem, 0, 0) == UINT64_MAX);
	forget_wish(r->b);
	bed_open(r->b, avail, used);
}

static void
engine_step(struct receiver *r, unsigned int what)
{
	if (what < 30)
		r->nr_lent += fake_nic_harvest(r->b->q, r->lent + r->nr_lent, below(6), 0);
	else if (what < 45)
		fill_and_drop(r);
	else if (what < 90)
		burst(r);
	else
		revoke(r);
}

static void
receiving(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct receiver r = {0};

	seed = time(NULL);
	print_message("seed %llu\n", (unsigned long long)seed);
	c.mergeable = true;
	c.log = (struct iovt_dirty_log){mark, &r.log};
	r.b = bed_new(&c);
	log_init(&r.log, &r.b->guest.mem);
	for (unsigned int i = 0; i < STEPS; i++) {
		while (fake_guest_receive(&r.b->guest, &r.b->packet))
			;
		while (below(4) != 0 &&
			fake_guest_post(&r.b->guest, below(FAKE_LAYOUTS), 64 + below(3000),
				below(FAKE_PLACES)) >= 0)
			;
		fake_mem_save(&r.b->guest.mem);
		engine_step(&r, below(100));
		note_changes(&r.log);
	}
	iovt_rxq_close(r.b->q);
	while (r.nr_lent > 0)
		fill_and_drop(&r);
	bed_free(r.b);
	log_fini(&r.log);
}

static void
sending(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct log log = {0};
	struct send_bed *b;
	uint64_t seq = 0;

	seed = time(NULL);
	c.log = (struct iovt_dirty_log){mark, &log};
	b = send_bed_new(&c);
	log_init(&log, &b->guest.mem);
	for (unsigned int i = 0; i < STEPS; i++) {
		while (fake_guest_reap(&b->guest) >= 0)
			;
		while (below(4) != 0 &&
			fake_guest_send(&b->guest, below(2) ? FAKE_ONE : FAKE_CHAIN,
				64 + below(3000), FAKE_LINEAR, seq++) >= 0)
			;
		fake_mem_save(&b->guest.mem);
		send_bed_take(b, 1 + below(16));
		iovt_tx_end_logged(b->q);
		note_changes(&log);
		check_all_marked(&log);
		send_bed_forget(b);
	}
	send_bed_free(b);
	log_fini(&log);
}

/* Nothing but the ring and the buffer is marked, and no more of that than can have changed. */
static void
precise(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct log log = {0};
	uint64_t marked = 0;
	struct iovt_buf buf;
	struct bed *b;

	c.log = (struct iovt_dirty_log){mark, &log};
	b = bed_new(&c);
	log_init(&log, &b->guest.mem);
	fake_guest_post(&b->guest, FAKE_ONE, 3000, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, &buf, 1, 1), 1);
	bed_nic_fill(b, &buf, 1, 60);
	assert_true(iovt_rx_begin(b->q));
	assert_true(bed_complete(b, &buf, 1, 60));
	iovt_rxq_mark_dirty(b->q, buf.id);
	iovt_rx_end_logged(b->q);
	for (size_t i = 0; i < log.mem->total; i++)
		marked += log.marked[i];
	/* Split: an element and the index; packed: a descriptor. */
	assert_int_equal(marked, 12 + NIC_MAX + (conf->format == &fake_split ? 8 + 2 : 16));
	/* An empty burst marks nothing. */
	memset(log.marked, 0, log.mem->total);
	assert_true(iovt_rx_begin(b->q));
	assert_false(iovt_rx_end_logged(b->q));
	for (size_t i = 0; i < log.mem->total; i++)
		assert_int_equal(log.marked[i], 0);
	bed_free(b);
	log_fini(&log);
}

/* Neither the log nor what it belongs to need outlive the queue's last buffer. */
static void
not_after_give_back(const struct bed_conf *conf)
{
	for (int broken = 0; broken < 2; broken++) {
		struct bed_conf c = *conf;
		struct log log = {0};
		uint16_t avail, used;
		struct iovt_rxq *old;
		struct iovt_buf buf;
		struct bed *b;

		c.log = (struct iovt_dirty_log){mark, &log};
		b = bed_new(&c);
		old = b->q;
		fake_guest_post(&b->guest, FAKE_ONE, 3000, FAKE_LINEAR);
		assert_int_equal(fake_nic_harvest(old, &buf, 1, 1), 1);
		if (broken) {
			assert_true(iovt_rx_begin(old));
			iovt_rxq_break(old, "for a test");
			iovt_rx_end_logged(old);
		}
		assert_int_equal(bed_close(b, &avail, &used), 1);
		log_init(&log, &b->guest.mem);
		iovt_rxq_reclaim(old, &buf.id, 1);
		for (size_t i = 0; i < log.mem->total; i++)
			assert_int_equal(log.marked[i], 0);
		bed_free(b);
		log_fini(&log);
	}
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"all that is written to a receiving guest is marked", receiving},
		{"all that is written to a sending guest is marked", sending},
		{"nothing else is marked", precise},
		{"nothing is marked after the queue is given back", not_after_give_back},
	};

	return unit_run("dirty log", cases, sizeof(cases) / sizeof(cases[0]));
}
