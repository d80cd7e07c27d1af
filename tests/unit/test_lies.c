/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest says is available, and what it says later. Not every lie is seen by a device, but none
 * makes it touch what was not offered, or give back other than it took.
 */
#include <errno.h>
#include <stdio.h>

#include "hostile.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static struct iovt_buf bufs[2 * SIZE];

/* Good buffers that are not available, and a packed ring's flags that must not say so. */
struct lie {
	const char *what;
	uint16_t flags; /* on a lap with wrap counter 1; the other way round with 0 */
	uint16_t ahead; /* that many entries from where the driver is */
};

static const struct lie packed_lies[] = {
	{"available on the other lap", W | USED, 0},
	{"used on this lap", W | AVAIL | USED, 0},
	{"used on the lap before", W, 0},
	{"available behind one that is not", W | AVAIL, 1},
	{"available at the end of the lap, and nothing before", W | AVAIL, SIZE - 3},
};

/* Entries are written, the index is not. */
static const struct lie split_lies[] = {{"entries behind the index", W, 0}};

static void
tell(struct bed *b, const struct lie *lie)
{
	struct fake_packed_ring *r = &b->guest.packed;
	uint16_t at, flags = lie->flags;
	bool wrap;

	if (b->conf.format == &fake_split) {
		offer(b, 3, good(b), 2000, W);
		b->guest.split.avail->idx--;
		return;
	}
	at = r->avail.idx + lie->ahead;
	wrap = r->avail.wrap;
	if (at >= SIZE) {
		at -= SIZE;
		wrap = !wrap;
	}
	if (!wrap)
		flags ^= AVAIL | USED;
	r->desc[at] = (struct vring_packed_desc){good(b), 2000, 3, flags};
}

/* Two buffers are lent already. Nothing else is available; and they are not disturbed. */
static void
not_believed(const struct bed_conf *conf, const struct lie *lie)
{
	struct bed *b = bed_new(conf);

	snprintf(fake_context, sizeof(fake_context), "%s, from %u", lie->what, conf->start);
	for (int i = 0; i < 2; i++)
		fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	tell(b, lie);
	fake_mem_save(&b->guest.mem);
	assert_int_equal(iovt_rxq_available(b->q), 0);
	assert_int_equal(fake_nic_harvest(b->q, bufs + 2, 1, 1), 0);
	assert_int_equal(bed_copy_burst(b, 1, 60), -ENOBUFS);
	assert_int_equal(b->q->state, IOVT_RXQ_RUNNING);
	assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
	for (uint64_t seq = 0; seq < 2; seq++) {
		bed_deliver(b, &bufs[seq], seq, 60);
		bed_expect(b, seq, 60);
	}
	bed_free(b);
}

static void
unavailable(const struct bed_conf *conf)
{
	bool split = conf->format == &fake_split;
	const struct lie *lies = split ? split_lies : packed_lies;
	unsigned int n = split ? 1 : sizeof(packed_lies) / sizeof(packed_lies[0]);

	for (unsigned int i = 0; i < n; i++) {
		for (uint16_t start = 0; start < 2 * SIZE; start++) {
			struct bed_conf c = *conf;

			c.start = c.format->after(SIZE, c.format->first, start);
			not_believed(&c, &lies[i]);
		}
	}
}

static void
expect_all_used_once(struct bed *b, unsigned int n)
{
	bool seen[SIZE] = {false};
	uint32_t len;
	uint16_t id;

	for (unsigned int i = 0; i < n; i++) {
		assert_true(fake_guest_used(&b->guest, &id, &len));
		assert_false(seen[id]);
		seen[id] = true;
	}
	assert_false(fake_guest_used(&b->guest, &id, &len));
}

/*
 * A ring full is made available although two buffers are lent: no more than the rest is taken. What is
 * behind that are, in a split ring, buffers that are in use.
 */
static void
overfull(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	uint16_t avail, used, n = 2;

	for (int i = 0; i < 2; i++)
		fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	for (uint16_t id = 0; id < SIZE; id++)
		if (id != bufs[0].id && id != bufs[1].id)
			offer(b, id, good(b) + id * 2000, 2000, W);
	offer(b, bufs[0].id, good(b), 2000, W);
	offer(b, bufs[1].id, good(b), 2000, W);
	n += fake_nic_harvest(b->q, bufs + 2, SIZE, 1);
	assert_int_equal(n, SIZE);
	assert_int_equal(fake_nic_harvest(b->q, bufs + n, 1, 1), 0);
	bed_check_accounts(b->q);
	if (conf->format == &fake_split) {
		assert_int_equal(bed_copy_burst(b, 1, 60), -EPROTO);
		bed_expect_broken(b);
		bed_reclaim(b, bufs, n);
		bed_free(b);
		return;
	}
	assert_int_equal(bed_copy_burst(b, 1, 60), -ENOBUFS);
	assert_int_equal(b->q->state, IOVT_RXQ_RUNNING);
	for (unsigned int i = n; i-- > 0;)
		bed_deliver(b, &bufs[i], i, 60);
	iovt_vq_bases(&b->q->vr, &avail, &used);
	assert_int_equal(avail, used);
	assert_int_equal(avail, conf->format->after(SIZE, conf->start, SIZE));
	b->guest.nr_posted = SIZE; /* two of them were offered twice */
	expect_all_used_once(b, SIZE);
	bed_free(b);
}

/* As a split ring's index, or a packed ring's flags, take back what they told of. */
static void
take_back(struct bed *b, unsigned int n)
{
	const struct fake_packed_ring *r = &b->guest.packed;

	if (b->conf.format == &fake_split)
		b->guest.split.avail->idx -= n;
	for (unsigned int i = 1; b->conf.format == &fake_packed && i <= n; i++)
		r->desc[(r->avail.idx + SIZE - i) % SIZE].flags ^= AVAIL | USED;
}

/* What was seen to be available is taken, once, whatever the driver says now. */
static void
taken_back(const struct bed_conf *conf)
{
	for (enum meeting how = 0; how < MEETINGS; how++) {
		for (uint16_t start = 0; start < 2 * SIZE; start++) {
			struct bed_conf c = *conf;
			struct bed *b;

			c.start = c.format->after(SIZE, c.format->first, start);
			b = bed_new(&c);
			for (uint16_t i = 0; i < 3; i++)
				offer(b, 3 + i, good(b) + i * 2000, 2000, W);
			assert_int_equal(iovt_rxq_available(b->q), 3);
			take_back(b, 3);
			/* One that does not fit takes nothing. */
			if (how == BY_COPY)
				assert_int_equal(bed_copy_burst(b, 99, 3000), -EMSGSIZE);
			if (how == BY_HARVEST)
				assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 3);
			for (uint16_t i = 0; i < 3; i++) {
				if (how == BY_HARVEST)
					bed_deliver(b, &bufs[i], i, 60);
				else
					assert_int_equal(bed_copy_burst(b, i, 60), 0);
			}
			assert_int_equal(bed_avail(b->q), c.format->after(SIZE, c.start, 3));
			expect_all_used_once(b, 3);
			bed_free(b);
		}
	}
}

/* A buffer that was good when it was seen, and is not any more when it is read. */
static void
changed(const struct bed_conf *conf)
{
	for (enum meeting how = 0; how < MEETINGS; how++) {
		struct bed *b = bed_new(conf);
		uint16_t at = b->guest.packed.avail.idx;

		offer(b, 3, good(b), 2000, W);
		assert_int_equal(iovt_rxq_available(b->q), 1);
		if (conf->format == &fake_split)
			b->guest.split.desc[3].flags = 0;
		else
			b->guest.packed.desc[at].flags &= ~W;
		fake_mem_save(&b->guest.mem);
		if (how == BY_HARVEST)
			assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 0);
		else
			assert_int_equal(bed_copy_burst(b, 1, 60), -EPROTO);
		bed_expect_broken(b);
		assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
		bed_free(b);
	}
}

/* An index that makes no sense tells of no buffers, however many are reclaimed. */
static void
nonsense(const struct bed_conf *conf)
{
	static struct iovt_buf lent[128];
	struct bed_conf c = *conf;
	struct bed *b;

	c.size = 128;
	b = bed_new(&c);
	fake_guest_fill(&b->guest, FAKE_ONE, 2000, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, lent, 128, 128), 128);
	bed_reclaim(b, lent, 128);
	assert_int_equal(iovt_rxq_available(b->q), 128);
	if (conf->format == &fake_split) {
		b->guest.split.avail->idx += 129;
		assert_int_equal(iovt_rxq_available(b->q), 0);
	}
	iovt_rxq_close(b->q);
	assert_int_equal(iovt_rxq_available(b->q), 0);
	bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"what is not available is not taken", unavailable},
		{"more than a ring holds", overfull},
		{"what was available is taken once", taken_back},
		{"no sense, and reclaimed buffers", nonsense},
		{"what was good is checked when it is read", changed},
	};

	return unit_run("lies", cases, sizeof(cases) / sizeof(cases[0]));
}
