/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A receive queue whose process is killed, at each point of everything that the engine does: another one goes on with
 * its record. The guest has each packet that it was shown whole and once, all buffers come back once, and the ring
 * is served as before.
 */
#include "cuts.h"

#include "bed.h"

#define SIZE 16

static struct iovt_buf bufs[SIZE];

/* What is done when the process is killed. */
struct scene {
	void (*prepare)(struct bed *b);
	void (*act)(struct bed *b);
	unsigned int packets; /* that the guest has at the end: 1, 2, ... of frame_len() */
};

static const struct scene *scene;
static unsigned int delivered; /* of them, at the cut before */

static uint32_t
frame_len(uint64_t seq)
{
	return seq == 3 ? 3000 : 60 + 100 * seq; /* in several buffers, if copied */
}

/* ---- the next process ---- */

/* Take all that came: packets in order. Returns how many buffers came back empty. */
static unsigned int
drain(struct bed *b, uint64_t *seq)
{
	unsigned int flushed = 0;

	while (fake_guest_receive(&b->guest, &b->packet)) {
		if (b->packet.flushed) {
			flushed++;
			continue;
		}
		fake_packet_check(&b->guest, &b->packet, *seq, frame_len(*seq));
		(*seq)++;
	}
	return flushed;
}

/* Copies fill whatever is posted; then new buffers go by the NIC. */
static void
goes_on(struct bed *b)
{
	for (uint64_t seq = 50; b->guest.nr_posted > 0; seq++) {
		assert_int_equal(bed_copy_burst(b, seq, 60), 0);
		bed_expect(b, seq, 60);
	}
	for (uint64_t seq = 70; seq < 70 + 2 * SIZE; seq++) {
		struct iovt_buf buf;

		assert_true(fake_guest_post(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR) >= 0);
		assert_int_equal(fake_nic_harvest(b->q, &buf, 1, 1), 1);
		bed_deliver(b, &buf, seq, 60);
		bed_expect(b, seq, 60);
	}
	bed_expect_nothing(b);
}

/* Front ends tell the used index, if they can know it, or the base that they knew last. */
static uint16_t
base_told(const struct bed *b, bool knows)
{
	return knows ? b->guest.format->next_used(&b->guest) : b->conf.start;
}

static void
take_over(void *arg, unsigned int cut)
{
	struct bed *b = arg;
	struct iovt_rxq *killed = b->q;
	bool split = b->conf.format == &fake_split;
	struct fake_saved *guest = fake_guest_save(&b->guest);
	unsigned int flushed = 0, back;
	uint16_t avail, used, base;
	uint64_t seq = 1;

	if (cut % 2 || split)
		flushed = drain(b, &seq);
	base = base_told(b, cut % 2 || split);
	bed_open(b, base, base);
	bed_check_accounts(b->q);
	back = drain(b, &seq);
	assert_true(flushed + back >= b->q->stats.resumed);
	assert_true(seq - 1 >= delivered && seq - 1 <= scene->packets);
	delivered = seq - 1;
	goes_on(b);
	bed_close(b, &avail, &used);
	assert_int_equal(avail, used);
	b->q = killed;
	fake_guest_restore(&b->guest, guest);
}

/* ---- */

static void
act(void *arg)
{
	scene->act(arg);
}

/* The queue as it was before is closed the regular way. */
static void
finish(struct bed *b)
{
	uint64_t seq = 1;

	if (b->q->lock.held)
		iovt_rx_end(b->q, b->q->vr.format);
	for (uint16_t id = 0; id < SIZE; id++)
		if (b->q->binding[id].state == IOVT_LENT)
			iovt_rxq_reclaim(b->q, &id, 1);
	drain(b, &seq);
	bed_free(b);
}

static void
play(const struct bed_conf *conf, uint16_t start)
{
	size_t bytes = iovt_rxq_record_bytes(SIZE);
	void *record = cuts_alloc(bytes);
	struct bed_conf c = *conf;
	struct cuts_shared s;
	struct bed *b;

	c.mergeable = true;
	c.start = start;
	c.record = record;
	b = bed_new(&c);
	scene->prepare(b);
	s = cuts_shared_of(record, bytes, &b->guest.mem);
	delivered = 0;
	assert_true(cuts_run(&s, act, take_over, b) > 3);
	assert_int_equal(delivered, scene->packets);
	finish(b);
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

/* Ids that do not follow one another, and chains of one descriptor and of two. */
static void
post(struct bed *b)
{
	static const enum fake_layout layouts[] = {FAKE_ONE, FAKE_HDR_FOLLOWED, FAKE_ONE};
	unsigned int i = 0;

	while (fake_guest_post(&b->guest, layouts[i % 3], 2048, FAKE_LINEAR) >= 0)
		i++;
}

static void
lend(struct bed *b, unsigned int n)
{
	assert_int_equal(fake_nic_harvest(b->q, bufs, n, n), n);
}

static void
prepare_harvest(struct bed *b)
{
	post(b);
	lend(b, 4);
	bed_reclaim(b, bufs, 2);
}

static void
harvest(struct bed *b)
{
	CHECK(fake_nic_harvest(b->q, bufs, 6, 6) == 6);
}

static void
while_harvesting(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){prepare_harvest, harvest, 0});
}

static const uint8_t order[] = {4, 1, 5, 0};

static void
fill(const struct bed *b)
{
	for (unsigned int i = 0; i < sizeof(order); i++)
		if (i + 1 != 3)
			bed_nic_fill(b, &bufs[order[i]], i + 1, frame_len(i + 1));
}

static void
prepare_complete(struct bed *b)
{
	post(b);
	lend(b, 7);
	fill(b);
}

static void
complete(struct bed *b)
{
	CHECK(iovt_rx_begin(b->q));
	CHECK(bed_complete(b, &bufs[order[0]], 1, frame_len(1)));
	CHECK(bed_complete(b, &bufs[order[1]], 2, frame_len(2)));
	iovt_rx_end(b->q, b->q->vr.format);
}

static void
while_completing(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){prepare_complete, complete, 2});
}

/* A packet in two buffers, one of the ring's last and one that was reclaimed. */
static void
prepare_mixed(struct bed *b)
{
	const struct fake_format *f = b->conf.format;

	for (unsigned int i = 0; i < 8; i++)
		assert_true(
			fake_guest_post(&b->guest, f == &fake_split ? FAKE_ONE : FAKE_HDR_FOLLOWED,
				2048, FAKE_LINEAR) >= 0);
	lend(b, 6);
	fill(b);
	bed_reclaim(b, &bufs[2], 1);
}

static void
mixed(struct bed *b)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(3);
	uint8_t data[3000];
	const struct iovt_piece piece = {data, sizeof(data)};

	fake_frame_write(data, 3, sizeof(data));
	CHECK(iovt_rx_begin(b->q));
	CHECK(bed_complete(b, &bufs[order[0]], 1, frame_len(1)));
	CHECK(bed_copy(b, 2, frame_len(2)) == 0);
	CHECK(iovt_rx_copy_pieces(b->q, &piece, 1, sizeof(data), &hdr) == 0);
	CHECK(bed_complete(b, &bufs[order[3]], 4, frame_len(4)));
	iovt_rx_end(b->q, b->q->vr.format);
}

static void
while_copying(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){prepare_mixed, mixed, 4});
}

static void
prepare_give_back(struct bed *b)
{
	post(b);
	lend(b, 7);
	bed_reclaim(b, &bufs[1], 1);
	bed_reclaim(b, &bufs[3], 1);
	bed_reclaim(b, &bufs[5], 2);
}

static void
give_back(struct bed *b)
{
	struct iovt_vring_end end;

	iovt_rxq_close(b->q);
	CHECK(iovt_rxq_give_back(b->q, &end) == 3);
}

static void
while_giving_back(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){prepare_give_back, give_back, 0});
}

/* Killed in the middle of a burst, and the next one when it takes over. */
static void
prepare_take_over(struct bed *b)
{
	prepare_complete(b);
	CHECK(iovt_rx_begin(b->q));
	CHECK(bed_complete(b, &bufs[order[0]], 1, frame_len(1)));
	CHECK(bed_complete(b, &bufs[order[1]], 2, frame_len(2)));
}

static void
open_again(struct bed *b)
{
	bed_open(b, b->conf.start, b->conf.start);
}

static void
while_taking_over(const struct bed_conf *conf)
{
	cut_up(conf, &(struct scene){prepare_take_over, open_again, 2});
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"killed while harvesting", while_harvesting, false},
		{"killed while completing", while_completing, false},
		{"killed while copying", while_copying, false},
		{"killed while giving back", while_giving_back, false},
		{"killed while taking over", while_taking_over, false},
	};

	return unit_run("killed", cases, sizeof(cases) / sizeof(cases[0]));
}
