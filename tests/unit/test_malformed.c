/* SPDX-License-Identifier: BSD-3-Clause */
/* Every malformed ring, met in every way. */
#include <errno.h>
#include <stdio.h>

#include "malformed.h"

static struct iovt_buf bufs[SIZE];

static int
meet(struct bed *b, enum meeting how)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(1);
	struct iovt_piece pieces[2] = {{"0123456789", 10}, {"0123456789", 10}};
	int ret;

	if (how == BY_HARVEST)
		return fake_nic_harvest(b->q, bufs + 2, 1, 1) == 0 ? -EPROTO : 0;
	assert_true(iovt_rx_begin(b->q));
	ret = how == BY_COPY ? iovt_rx_copy(b->q, b->q->vr.format, pieces[0].data, 10, &hdr)
			     : iovt_rx_copy_pieces(b->q, pieces, 2, 20, &hdr);
	iovt_rx_end(b->q, b->q->vr.format);
	return ret;
}

/* Two good buffers are with the NIC when the bad chain comes. */
static void
meet_malformed(const struct bed_conf *conf, const struct malformed *m, enum meeting how)
{
	struct bed *b = bed_new(conf);
	struct iovt_vring_end end;

	snprintf(fake_context, sizeof(fake_context), "%s, met by %s, from %u", m->what,
		how == BY_HARVEST        ? "harvest"
			: how == BY_COPY ? "copy"
					 : "copy in pieces",
		conf->start);
	fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_PAIRS);
	fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_PAIRS);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	m->make(b, bufs);
	fake_mem_save(&b->guest.mem);
	assert_int_equal(meet(b, how), -EPROTO);
	bed_expect_broken(b);
	bed_reclaim(b, bufs, 2);
	bed_expect_broken(b);
	assert_int_equal(iovt_rxq_give_back(b->q, &end), 0);
	assert_int_equal(b->q->stats.abandoned, 2);
	bed_check_given_back(&b->q->stats);
	assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
	iovt_rxq_put(b->q);
	b->q = NULL;
	bed_free(b);
}

/* From the beginning, and around the turn of the index or of either wrap counter. */
static void
every_way(const struct bed_conf *conf, const struct malformed *m)
{
	static const uint16_t before[] = {0, 1, 2, 3, 4, 17, 18, 19};

	for (enum meeting how = 0; how < MEETINGS; how++) {
		for (unsigned int s = 0; s < 2 * sizeof(before) / sizeof(before[0]); s++) {
			struct bed_conf c = *conf;

			c.size = SIZE;
			c.start = fake_before_turn(conf->format, SIZE, before[s / 2]);
			c.mergeable = s % 2;
			meet_malformed(&c, m, how);
		}
	}
}

static void
in_any_ring(const struct bed_conf *conf)
{
	for (const struct malformed *m = malformed_any; m->what != NULL; m++)
		every_way(conf, m);
}

static void
in_this_ring(const struct bed_conf *conf)
{
	const struct malformed *m = conf->format == &fake_split ? malformed_split
								: malformed_packed;

	for (; m->what != NULL; m++)
		every_way(conf, m);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"what is wrong in any ring", in_any_ring},
		{"what is wrong in this one", in_this_ring},
	};

	return unit_run("malformed rings", cases, sizeof(cases) / sizeof(cases[0]));
}
