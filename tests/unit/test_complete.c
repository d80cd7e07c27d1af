/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "bed.h"

static struct iovt_buf bufs[SIZE_MAX_TESTED];

/* Headers and lengths are checked by bed_expect; the order is that of completion. */
static void
backwards(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	for (unsigned int round = 0; round < 3; round++) {
		fake_guest_fill(&b->guest, FAKE_HDR_FOLLOWED, 1800, round);
		assert_true(fake_nic_harvest(b->q, bufs, conf->size / 2, 1) == conf->size / 2);
		assert_true(iovt_rx_begin(b->q));
		for (unsigned int i = conf->size / 2; i-- > 0;) {
			bed_nic_fill(b, &bufs[i], i, 60 + i % 1000);
			assert_true(bed_complete(b, &bufs[i], i, 60 + i % 1000));
		}
		bed_expect_nothing(b); /* published at the end of the burst only */
		iovt_rx_end(b->q, b->q->vr.format);
		for (unsigned int i = conf->size / 2; i-- > 0;)
			assert_int_equal(bed_expect(b, i, 60 + i % 1000), bufs[i].id);
		bed_expect_nothing(b);
		bed_check_accounts(b->q);
	}
	bed_free(b);
}

static void
one_at_a_time(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	for (unsigned int i = 0; i < 3u * conf->size; i++) {
		int id = fake_guest_post(&b->guest, FAKE_ONE, 2048, i % FAKE_PLACES);

		assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
		bed_deliver(b, &bufs[0], i, NIC_MAX);
		assert_int_equal(bed_expect(b, i, NIC_MAX), id);
	}
	bed_free(b);
}

static void
headers(const struct bed_conf *conf)
{
	for (uint8_t hdr_len = 10; hdr_len <= 12; hdr_len += 2) {
		struct bed_conf c = *conf;
		struct bed *b;

		c.hdr_len = hdr_len;
		b = bed_new(&c);
		for (uint64_t seq = 0; seq < 1000; seq++) {
			fake_guest_post(&b->guest, seq % 2 ? FAKE_ONE : FAKE_HDR_FOLLOWED, 1600,
				FAKE_SCATTERED);
			assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
			bed_deliver(b, &bufs[0], seq, 1 + seq);
			bed_expect(b, seq, 1 + seq);
		}
		bed_free(b);
	}
}

/* A header that is there already is left alone; one that differs in a single byte is not there. */
static void
headers_left_alone(const struct bed_conf *conf)
{
	for (uint8_t hdr_len = 10; hdr_len <= 12; hdr_len += 2) {
		struct bed_conf c = *conf;
		struct bed *b;

		c.hdr_len = hdr_len;
		b = bed_new(&c);
		for (uint64_t seq = 0; seq <= hdr_len; seq++) {
			struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);

			if (seq < hdr_len)
				((uint8_t *)&hdr)[seq] ^= 1;
			fake_guest_post(&b->guest, FAKE_ONE, 1600, FAKE_LINEAR);
			assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
			bed_nic_fill(b, &bufs[0], seq, 60);
			memcpy(bufs[0].va, &hdr, hdr_len);
			assert_true(iovt_rx_begin(b->q));
			assert_true(bed_complete(b, &bufs[0], seq, 60));
			iovt_rx_end(b->q, b->q->vr.format);
			bed_expect(b, seq, 60);
		}
		bed_free(b);
	}
}

static void
refused(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	struct iovt_vnet_hdr hdr = fake_frame_hdr(1);
	uint8_t *data;

	fake_guest_post(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
	data = bufs[0].va + 12;
	bed_nic_fill(b, &bufs[0], 1, NIC_MAX);
	fake_mem_save(&b->guest.mem);
	assert_true(iovt_rx_begin(b->q));
	assert_false(iovt_rx_complete(b->q, b->q->vr.format, bufs[0].id, data - 1, 60, &hdr));
	assert_false(iovt_rx_complete(b->q, b->q->vr.format, bufs[0].id, data + 1, 60, &hdr));
	assert_false(
		iovt_rx_complete(b->q, b->q->vr.format, bufs[0].id, data, 2048 - 12 + 1, &hdr));
	assert_false(iovt_rx_complete(b->q, b->q->vr.format, bufs[0].id, data, UINT32_MAX, &hdr));
	assert_false(
		iovt_rx_complete(b->q, b->q->vr.format, bufs[0].id, data, UINT32_MAX - 11, &hdr));
	assert_false(iovt_rx_end(b->q, b->q->vr.format));
	assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
	bed_expect_nothing(b);
	assert_int_equal(b->q->nr_lent, 1);
	assert_int_equal(b->q->stats.completed, 0);
	/* Still lent: the longest frame fits, and is delivered. */
	fake_frame_write(data, 1, 2048 - 12);
	assert_true(iovt_rx_begin(b->q));
	assert_true(iovt_rx_complete(b->q, b->q->vr.format, bufs[0].id, data, 2048 - 12, &hdr));
	iovt_rx_end(b->q, b->q->vr.format);
	bed_expect(b, 1, 2048 - 12);
	bed_free(b);
}

/* Complete n frames in one burst. Is the guest notified? */
static bool
burst(struct bed *b, unsigned int n)
{
	bool notify;

	for (unsigned int i = 0; i < n; i++)
		assert_true(fake_guest_post(&b->guest, FAKE_ONE, 1600, FAKE_LINEAR) >= 0);
	assert_int_equal(fake_nic_harvest(b->q, bufs, n, n), n);
	assert_true(iovt_rx_begin(b->q));
	for (unsigned int i = 0; i < n; i++) {
		bed_nic_fill(b, &bufs[i], i, 60);
		assert_true(bed_complete(b, &bufs[i], i, 60));
	}
	notify = iovt_rx_end(b->q, b->q->vr.format);
	return notify;
}

static void
drain(struct bed *b)
{
	while (fake_guest_receive(&b->guest, &b->packet))
		;
}

static void
notify_by_flag(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	for (int i = 0; i < 4; i++) {
		b->guest.format->notify_after(&b->guest, 0);
		assert_false(burst(b, 1));
		drain(b);
		b->guest.format->notify_after(&b->guest, 1);
		assert_true(burst(b, 1));
		drain(b);
		/* An empty burst shows nothing, so it notifies nobody. */
		assert_true(iovt_rx_begin(b->q));
		assert_false(iovt_rx_end(b->q, b->q->vr.format));
	}
	bed_free(b);
}

/* The event may be any of the next entries: exactly the burst that passes it notifies. */
static void
notify_by_event(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	unsigned int half = conf->size / 2;
	struct bed *b;

	c.event_idx = true;
	b = bed_new(&c);
	for (unsigned int after = 0; after <= conf->size; after += half > 8 ? half / 8 : 1) {
		unsigned int first = half ? half : 1;

		b->guest.format->notify_after(&b->guest, after);
		assert_int_equal(burst(b, first), after >= 1 && after <= first);
		assert_int_equal(burst(b, first), after > first && after <= 2 * first);
		drain(b);
	}
	bed_free(b);
}

/* What the driver's flags say, and its event index, which this many entries from the start. */
struct wish {
	bool event_idx;
	uint16_t flags;
	uint16_t after;
	bool notify; /* of the first buffer */
};

static void
notify_by_either(const struct bed_conf *conf)
{
	static const struct wish split[] = {
		{true, VRING_AVAIL_F_NO_INTERRUPT, 0, true},
		{true, 0, 1, false},
		{false, VRING_AVAIL_F_NO_INTERRUPT, 0, false},
		{false, 0, 1, true},
	};
	static const struct wish packed[] = {
		{true, VRING_PACKED_EVENT_FLAG_DESC, 0, true},
		{true, VRING_PACKED_EVENT_FLAG_DESC, 1, false},
		{true, VRING_PACKED_EVENT_FLAG_ENABLE, 1, true},
		{true, VRING_PACKED_EVENT_FLAG_DISABLE, 0, false},
		{false, VRING_PACKED_EVENT_FLAG_DESC, 1, true}, /* not negotiated */
		{false, VRING_PACKED_EVENT_FLAG_ENABLE, 1, true},
		{false, VRING_PACKED_EVENT_FLAG_DISABLE, 0, false},
	};
	const struct wish *w = conf->format == &fake_split ? split : packed;
	unsigned int n = conf->format == &fake_split ? 4 : 7;

	for (; n > 0; n--, w++) {
		struct bed_conf c = *conf;
		struct bed *b;

		c.event_idx = w->event_idx;
		b = bed_new(&c);
		c.format->wish(&b->guest, w->flags, c.format->after(c.size, c.start, w->after));
		assert_int_equal(burst(b, 1), w->notify);
		drain(b);
		bed_free(b);
	}
}

static void
closed(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	fake_guest_fill(&b->guest, FAKE_ONE, 1600, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	iovt_rxq_close(b->q);
	assert_false(iovt_rx_begin(b->q));
	assert_int_equal(fake_nic_harvest(b->q, bufs + 2, 1, 0), 0);
	bed_reclaim(b, bufs, 2);
	assert_int_equal(fake_nic_harvest(b->q, bufs + 2, 1, 0), 0);
	bed_check_accounts(b->q);
	bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"frames arrive in the order of completion, shown at the burst's end", backwards,
			true},
		{"ring indexes wrap many times", one_at_a_time, true},
		{"both header lengths, every frame length", headers},
		{"a header that is almost there already", headers_left_alone},
		{"moved data and too long frames are refused, the buffer stays lent", refused},
		{"notification by flag", notify_by_flag, true},
		{"notification by event index, exactly when it is passed", notify_by_event, true},
		{"notification by flag or by event index, whichever counts", notify_by_either},
		{"nothing is delivered to a closed queue", closed},
	};

	return unit_run("complete", cases, sizeof(cases) / sizeof(cases[0]));
}
