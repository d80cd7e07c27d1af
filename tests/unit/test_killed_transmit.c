/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A transmit queue whose process is killed, at each point of everything that the engine does: another one goes on with
 * its record. It takes the packets that were not taken, each whole and once and in order; the guest has all buffers
 * back, each once.
 */
#include <stdlib.h>
#include <string.h>

#include "cuts.h"

#include "send_bed.h"

#define SIZE 16

/* Shorter ones are copied. */
#define WORTH_IT 300u

/* What is done when the process is killed. */
struct scene {
	bool borrows;
	void (*prepare)(struct send_bed *b);
	void (*act)(struct send_bed *b);
};

static const struct scene *scene;
static uint64_t sent;         /* packets 1, 2, ... of frame_len(), so many */
static unsigned int not_sent; /* of them, left to take at the cut before */
static uint16_t first_base;

static uint32_t
frame_len(uint64_t seq)
{
	return seq % 2 ? 400 : 100;
}

/* One descriptor, but for a few. */
static void
send(struct send_bed *b, unsigned int n)
{
	for (; n > 0; n--) {
		enum fake_layout layout = (sent + 1) % 6 ? FAKE_ONE : FAKE_HDR_APART;

		sent++;
		assert_true(fake_guest_send(&b->guest, layout, 12 + frame_len(sent), FAKE_LINEAR,
				    sent) >= 0);
	}
}

static void
reap(struct send_bed *b)
{
	while (fake_guest_reap(&b->guest) >= 0)
		;
}

/* ---- the next process ---- */

static void
return_all(struct send_bed *b)
{
	for (uint16_t id = 0; id < SIZE; id++)
		if (b->q->loan[id].state == IOVT_LOAN_BORROWED)
			iovt_txq_return(b->q, &id, 1);
	iovt_tx_end(b->q, b->q->vr.format);
}

/* The packets that are left, and some more laps. */
static void
goes_on(struct send_bed *b)
{
	uint64_t before = sent;
	unsigned int left;

	while (send_bed_burst(b, 8) > 0)
		;
	left = b->nr_got;
	assert_true(left <= not_sent);
	not_sent = left;
	for (unsigned int i = 0; i < left; i++)
		send_bed_expect(b, i, sent - left + i + 1, frame_len(sent - left + i + 1));
	return_all(b);
	reap(b);
	assert_int_equal(b->guest.nr_posted, 0);
	for (unsigned int i = 0; i < SIZE; i++) {
		send_bed_forget(b);
		send(b, 3);
		assert_int_equal(send_bed_burst(b, 3), 3);
		return_all(b);
		reap(b);
		assert_int_equal(b->guest.nr_posted, 0);
	}
	sent = before;
}

/* Front ends tell the used index, if they can know it, or the base that they knew last. */
static void
take_over(void *arg, unsigned int cut)
{
	static struct send_packet got[SIZE_MAX_TESTED];
	struct send_bed *b = arg;
	struct fake_saved *guest = fake_guest_save(&b->guest);
	struct iovt_txq *killed = b->q;
	unsigned int nr_got = b->nr_got;
	uint16_t avail, used, base = first_base;

	memcpy(got, b->got, sizeof(got));
	b->nr_got = 0;
	if (cut % 2 || b->guest.format == &fake_split) {
		reap(b);
		base = b->guest.format->next_used(&b->guest);
	}
	send_bed_open(b, base, base);
	reap(b);
	goes_on(b);
	send_bed_forget(b);
	assert_int_equal(send_bed_close(b, &avail, &used), 0);
	assert_int_equal(avail, used);
	b->q = killed;
	memcpy(b->got, got, sizeof(got));
	b->nr_got = nr_got;
	fake_guest_restore(&b->guest, guest);
}

/* ---- */

static void
act(void *arg)
{
	scene->act(arg);
}

static void
play(const struct bed_conf *conf, uint16_t start)
{
	size_t bytes = iovt_txq_record_bytes(SIZE);
	void *record = cuts_alloc(bytes);
	struct bed_conf c = *conf;
	struct cuts_shared s;
	struct send_bed *b;

	c.start = first_base = start;
	c.record = record;
	c.lend_max = scene->borrows ? SIZE - 2 : 0;
	b = send_bed_new(&c);
	if (scene->borrows)
		b->reads.all_below = WORTH_IT;
	sent = 0;
	scene->prepare(b);
	s = cuts_shared_of(record, bytes, &b->guest.mem);
	not_sent = sent;
	assert_true(cuts_run(&s, act, take_over, b) > 3);
	return_all(b);
	reap(b);
	send_bed_free(b);
	cuts_free(record, bytes);
}

/* From the beginning, and such that the ring's index turns meanwhile. */
static void
cut_up(const struct bed_conf *conf, const struct scene *sc)
{
	scene = sc;
	play(conf, conf->start);
	play(conf, fake_before_turn(conf->format, SIZE, 4));
}

/* ---- scenes ---- */

/* Some are out, others are back and not shown yet, and some wait. The first finds out where packets are. */
static void
prepare(struct send_bed *b)
{
	send(b, 1);
	assert_int_equal(send_bed_burst(b, 1), 1);
	send_bed_forget(b);
	send(b, 6);
	assert_int_equal(send_bed_burst(b, 6), 6);
	reap(b);
	if (scene->borrows)
		send_bed_return(b, 3);
	send(b, 7);
}

static void
take(struct send_bed *b)
{
	CHECK(send_bed_burst(b, 8) == 7);
}

static void
while_copying(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){false, prepare, take});
	assert_int_equal(not_sent, 0);
}

static void
while_borrowing(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){true, prepare, take});
	assert_int_equal(not_sent, 0);
}

/* As a switch that copies a run of packets, and lends what comes behind it, before the guest is shown any. */
static void
copy_and_lend(struct send_bed *b)
{
	b->reads = IOVT_TX_READS_ALL;
	CHECK(send_bed_take(b, 3) == 3);
	b->reads = (struct iovt_tx_reads){WORTH_IT, UINT32_MAX};
	CHECK(send_bed_burst(b, 8) == 4);
}

static void
while_lending_behind_copies(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){true, prepare, copy_and_lend});
	assert_int_equal(not_sent, 0);
}

static void
give_back(struct send_bed *b)
{
	send_bed_return(b, 5);
	send_bed_return(b, 1);
	iovt_tx_end(b->q, b->q->vr.format);
}

static void
while_returning(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){true, prepare, give_back});
	assert_int_equal(not_sent, 7);
}

static void
destroy(struct send_bed *b)
{
	uint16_t avail, used;

	CHECK(send_bed_close(b, &avail, &used) == 2);
}

static void
while_destroyed(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){true, prepare, destroy});
	assert_int_equal(not_sent, 7);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"killed while copying", while_copying, false},
		{"killed while borrowing", while_borrowing, false},
		{"killed while lending behind copies", while_lending_behind_copies, false},
		{"killed while packets come back", while_returning, false},
		{"killed while it is destroyed", while_destroyed, false},
	};

	return unit_run("killed, transmit", cases, sizeof(cases) / sizeof(cases[0]));
}
