/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records that are not those of the queue, or make no sense: the queue begins where it was told to, and nothing was
 * done to the ring. Whatever is in a record, nothing else happens.
 */
#include <stdlib.h>
#include <string.h>

#include "cuts.h"

#include "bed.h"
#include "inflight.h"

#define SIZE 16

static struct iovt_buf bufs[SIZE];

/* What is wrong; NULL: nothing. */
typedef void (*spoil_fn)(struct bed *b, struct iovt_inflight *r);

static spoil_fn spoil;
static bool expect_resumed;
static int last_posted;

static void
nothing(void *arg)
{
	(void)arg;
}

static struct iovt_inflight *
record_of(const struct bed *b)
{
	return b->conf.record;
}

static uint16_t *
entry(struct iovt_inflight *r, unsigned int id)
{
	return (uint16_t *)((uint8_t *)iovt_inflight_entries(r) + id * r->entry);
}

static void
take_over(void *arg, unsigned int cut)
{
	struct bed *b = arg;
	struct fake_saved *guest = fake_guest_save(&b->guest);
	struct iovt_rxq *killed = b->q;
	uint16_t base = b->guest.format->next_used(&b->guest), avail, used;

	if (cut > 0) /* the child has nothing to do */
		return;
	spoil(b, record_of(b));
	base = b->guest.format->next_used(&b->guest);
	fake_mem_save(&b->guest.mem);
	bed_open(b, base, base);
	assert_int_equal(b->q->resumed, expect_resumed);
	if (!expect_resumed) {
		assert_int_equal(b->q->stats.resumed, 0);
		assert_int_equal(bed_avail(b->q), base);
		assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
	}
	bed_check_accounts(b->q);
	bed_close(b, &avail, &used);
	b->q = killed;
	fake_guest_restore(&b->guest, guest);
}

/* Buffers are in hand: the 3rd to the 7th that were posted. The first two were used. */
static void
prepare(struct bed *b)
{
	for (unsigned int i = 0; i < SIZE; i++) {
		last_posted = fake_guest_post(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
		assert_true(last_posted >= 0);
	}
	assert_int_equal(fake_nic_harvest(b->q, bufs, 7, 7), 7);
	for (unsigned int i = 0; i < 2; i++) {
		bed_deliver(b, &bufs[i], i, 60);
		bed_expect(b, i, 60);
	}
}

static void
play(const struct bed_conf *conf, spoil_fn fn, bool resumed)
{
	size_t bytes = iovt_rxq_record_bytes(SIZE);
	void *record = cuts_alloc(bytes);
	struct bed_conf c = *conf;
	struct cuts_shared s;
	struct bed *b;

	c.record = record;
	b = bed_new(&c);
	prepare(b);
	fake_mem_save(&b->guest.mem); /* what it needs for that stays when the guest is restored */
	spoil = fn;
	expect_resumed = resumed;
	s = cuts_shared_of(record, bytes, &b->guest.mem);
	cuts_run(&s, nothing, take_over, b);
	bed_reclaim(b, bufs + 2, 5);
	bed_free(b);
	cuts_free(record, bytes);
}

static void
nothing_wrong(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	(void)r;
}

static void
sound(const struct bed_conf *conf)
{
	play(conf, nothing_wrong, true);
}

/* ---- of another queue ---- */

static void
no_record(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->magic++;
}

static void
other_guest(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->owner++;
}

static void
other_size(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->size = SIZE / 2;
}

static void
huge_size(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->size = UINT32_MAX;
}

static void
other_format(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->format = !r->format;
}

static void
other_entries(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->entry = 4;
}

/* The guest was started anew meanwhile, and has offered no buffer yet, or all. */
static void
new_empty_ring(struct bed *b, struct iovt_inflight *r)
{
	(void)r;
	fake_guest_reset(&b->guest, b->guest.format->first);
	iovt_vq_no_kicks(&b->q->vr);
}

static void
new_ring(struct bed *b, struct iovt_inflight *r)
{
	new_empty_ring(b, r);
	while (fake_guest_post(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR) >= 0)
		;
}

static void
of_another(const struct bed_conf *conf)
{
	static const spoil_fn all[] = {no_record, other_guest, other_size, huge_size, other_format,
		other_entries, new_ring, new_empty_ring};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		play(conf, all[i], false);
}

/* ---- that make no sense ---- */

static void
bad_state(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	entry(r, bufs[4].id)[0] = 4;
}

/* Offered by the guest, as the last of all. */
static void
not_in_hand(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	entry(r, last_posted)[0] = IOVT_LENT;
	entry(r, last_posted)[1] = 1;
}

static void
put_far_ahead(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->progress.put += 12;
}

static void
put_beyond(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->progress.put += SIZE + 1;
}

static void
shown_elsewhere(struct bed *b, struct iovt_inflight *r)
{
	(void)b;
	r->progress.put += 0x4000;
	r->progress.shown += 0x4000;
}

static void
nonsense(const struct bed_conf *conf)
{
	static const spoil_fn all[] = {bad_state, not_in_hand, put_far_ahead, put_beyond,
		shown_elsewhere};

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		play(conf, all[i], false);
}

/* ---- anything ---- */

static void
scribble(uint8_t *p, size_t len)
{
	for (unsigned int n = rand() % 8; n > 0; n--)
		p[(unsigned int)rand() % len] = rand();
}

/* A queue can be made, and be closed again. */
static void
random_bytes(const struct bed_conf *conf)
{
	size_t bytes = iovt_rxq_record_bytes(SIZE);
	struct bed_conf c = *conf;

	srand(1);
	for (unsigned int i = 0; i < 1000; i++) {
		void *record = aligned_alloc(64, bytes);
		struct bed *b;
		uint8_t *rings;

		assert_non_null(record);
		memset(record, 0, bytes);
		c.record = record;
		b = bed_new(&c);
		prepare(b);
		rings = b->guest.mem.region[0].host;
		b->q->own_record = record; /* is freed with the queue; the next one has a copy */
		b->conf.record = memcpy(aligned_alloc(64, bytes), record, bytes);
		scribble((uint8_t *)b->conf.record + 24, bytes - 24);
		if (i % 2)
			scribble(rings, 600);
		iovt_rxq_close(b->q);
		bed_reclaim(b, bufs + 2, 5);
		iovt_rxq_put(b->q);
		bed_open(b, conf->start, conf->start);
		iovt_rxq_close(b->q);
		iovt_rxq_put(b->q);
		b->q = NULL;
		free(b->conf.record);
		bed_free(b);
	}
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"the right record", sound, false},
		{"of another queue", of_another, false},
		{"that makes no sense", nonsense, false},
		{"any bytes", random_bytes, false},
	};

	return unit_run("records", cases, sizeof(cases) / sizeof(cases[0]));
}
