/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues that no guest can have are refused, and nothing is left of them. */
#include <errno.h>

#include "bed.h"
#include "txq.h"

/* What both kinds of queue say to a ring. */
static void
expect_refused(const struct iovt_vring_conf *ring)
{
	const struct iovt_rxq_conf rx = {.ring = *ring, .hdr_len = 12};
	const struct iovt_txq_conf tx = {.ring = *ring, .hdr_len = 12};
	struct iovt_rxq *rxq = NULL;
	struct iovt_txq *txq = NULL;

	assert_int_equal(iovt_rxq_create(&rx, &rxq), -EINVAL);
	assert_int_equal(iovt_txq_create(&tx, &txq), -EINVAL);
	assert_null(rxq);
	assert_null(txq);
}

static void
expect_accepted(const struct iovt_vring_conf *ring)
{
	const struct iovt_rxq_conf rx = {.ring = *ring, .hdr_len = 12};
	const struct iovt_txq_conf tx = {.ring = *ring, .hdr_len = 12};
	struct iovt_txq_stats stats;
	struct iovt_vring_end end;
	struct iovt_rxq *rxq;
	struct iovt_txq *txq;

	assert_int_equal(iovt_txq_create(&tx, &txq), 0);
	assert_int_equal(iovt_txq_destroy(txq, &end, &stats), 0);
	assert_int_equal(end.last_avail, ring->last_avail);
	assert_int_equal(end.last_used, ring->last_used);
	assert_false(end.notify);
	/* It has no release function, and needs none. */
	assert_int_equal(iovt_rxq_create(&rx, &rxq), 0);
	iovt_rxq_close(rxq);
	iovt_rxq_put(rxq);
}

static void
sizes(const struct bed_conf *conf)
{
	static const uint16_t never[] = {0, 32769, 65535}, odd[] = {3, 100, 32767};
	struct bed *b = bed_new(conf);
	struct iovt_vring_conf ring = fake_guest_ring(&b->guest, conf->start, conf->start);

	for (unsigned int i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		ring.size = never[i];
		expect_refused(&ring);
	}
	for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		ring.size = odd[i];
		if (conf->format == &fake_split)
			expect_refused(&ring);
		else
			expect_accepted(&ring);
	}
	ring.size = 1;
	expect_accepted(&ring);
	ring.size = 32768;
	expect_accepted(&ring);
	bed_free(b);
}

static void
pointers(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	struct iovt_vring_conf good = fake_guest_ring(&b->guest, conf->start, conf->start), bad;

	bad = good;
	bad.mem = NULL;
	expect_refused(&bad);
	bad = good;
	bad.desc = NULL;
	expect_refused(&bad);
	bad = good;
	bad.driver = NULL;
	expect_refused(&bad);
	bad = good;
	bad.device = NULL;
	expect_refused(&bad);
	bed_free(b);
}

/* 2.7, 2.8.10.1: 16 for descriptors; 2 and 4 for the rings, 4 for event suppression. */
static void
alignment(const struct bed_conf *conf)
{
	uintptr_t driver_to = conf->format == &fake_split ? 2 : 4;
	struct bed *b = bed_new(conf);
	struct iovt_vring_conf good = fake_guest_ring(&b->guest, conf->start, conf->start), ring;

	for (uintptr_t off = 1; off <= 16; off++) {
		ring = good;
		ring.desc = (uint8_t *)good.desc + off;
		off % 16 ? expect_refused(&ring) : expect_accepted(&ring);
		ring = good;
		ring.driver = (uint8_t *)good.driver + off;
		off % driver_to ? expect_refused(&ring) : expect_accepted(&ring);
		ring = good;
		ring.device = (uint8_t *)good.device + off;
		off % 4 ? expect_refused(&ring) : expect_accepted(&ring);
	}
	bed_free(b);
}

static uint16_t
base(uint16_t slot, bool wrap)
{
	return wrap << 15 | slot;
}

/* Of a split ring, any. Else a slot of the ring, and not more than a lap from used to avail. */
static void
bases(const struct bed_conf *conf)
{
	static const struct {
		uint16_t avail, used;
		bool refused;
	} places[] = {
		{15, 15, false},
		/* outside */
		{16, 0, true},
		{0, 16, true},
		{0, 16 | 1 << 15, true},
		{0x7fff, 0x7fff, true},
		/* used before it was available */
		{7, 9, true},
		{9, 7, false},
		{7, 9 | 1 << 15, false},
		/* all of the ring, and more than all */
		{9, 9 | 1 << 15, false},
		{10, 9 | 1 << 15, true},
	};
	struct bed *b = bed_new(conf);

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (unsigned int wrap = 0; wrap < 2; wrap++) {
			struct iovt_vring_conf ring = fake_guest_ring(&b->guest,
				places[i].avail ^ base(0, wrap), places[i].used ^ base(0, wrap));

			if (places[i].refused && conf->format == &fake_packed)
				expect_refused(&ring);
			else
				expect_accepted(&ring);
		}
	}
	bed_free(b);
}

static void
headers(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	struct iovt_vring_conf ring = fake_guest_ring(&b->guest, conf->start, conf->start);
	struct iovt_rxq *rxq = NULL;
	struct iovt_txq *txq = NULL;

	for (unsigned int hdr_len = 0; hdr_len < 256; hdr_len++) {
		struct iovt_rxq_conf rx = {.ring = ring, .hdr_len = hdr_len, .mergeable = true};
		struct iovt_txq_conf tx = {.ring = ring, .hdr_len = hdr_len};

		if (hdr_len == 12)
			continue;
		assert_int_equal(iovt_rxq_create(&rx, &rxq), -EINVAL);
		if (hdr_len == 10)
			continue; /* without mergeable buffers */
		rx.mergeable = false;
		assert_int_equal(iovt_rxq_create(&rx, &rxq), -EINVAL);
		assert_int_equal(iovt_txq_create(&tx, &txq), -EINVAL);
	}
	assert_null(rxq);
	assert_null(txq);
	bed_free(b);
}

static void
lends_too_many(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	const struct iovt_rxq_conf rx = {
		.ring = fake_guest_ring(&b->guest, conf->start, conf->start),
		.lend_max = conf->size + 1,
		.hdr_len = 12,
	};
	struct iovt_rxq *q = NULL;

	assert_int_equal(iovt_rxq_create(&rx, &q), -EINVAL);
	assert_null(q);
	bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"ring sizes", sizes},
		{"pointers that are missing", pointers},
		{"areas at any alignment", alignment},
		{"where to go on", bases},
		{"header lengths", headers},
		{"more to lend than there is", lends_too_many},
	};

	return unit_run("configuration", cases, sizeof(cases) / sizeof(cases[0]));
}
