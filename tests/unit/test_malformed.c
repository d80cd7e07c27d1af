/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Malformed split rings. Whatever a guest writes: the ring is broken, counted once, left alone; nothing
 * is written but what was legally offered; and later calls do no harm.
 */
#include <errno.h>
#include <stdio.h>

#include "hostile.h"

static struct iovt_buf bufs[SIZE];

/* Memory for an indirect table. */
static struct vring_desc *
table_of(const struct bed *b, unsigned int entries)
{
	return (struct vring_desc *)fake_mem_guest(&b->guest.mem, b->guest.tables,
		entries * sizeof(struct vring_desc));
}

/* An indirect table of two entries behind descriptor 3. */
static struct vring_desc *
indirect(struct bed *b)
{
	struct vring_desc *t = table_of(b, 4);

	t[0] = (struct vring_desc){good(b), 1000, W | N, 1};
	t[1] = (struct vring_desc){good(b) + 2000, 1000, W, 0};
	desc(b, 3, b->guest.tables, 32, I, 0);
	offer(b, 3);
	return t;
}

/* Every entry of the ring names a good buffer, so that nothing but the index is wrong. */
static void
avail_jump(struct bed *b)
{
	for (unsigned int i = 0; i < SIZE; i++)
		offer(b, bufs[1].id ^ 7);
	desc(b, bufs[1].id ^ 7, good(b), 2000, W, 0);
	b->guest.split.avail->idx++;
}

static void
avail_jump_far(struct bed *b)
{
	avail_jump(b);
	b->guest.split.avail->idx += 32768;
}

static void
avail_back(struct bed *b)
{
	avail_jump(b);
	b->guest.split.avail->idx = b->guest.split.avail_idx - SIZE;
	b->guest.split.avail->idx--;
}

/*
 * Make what lies behind the descriptor table, the avail ring's first 16 bytes, look like a buffer: its
 * third and fourth entries are the length, the fifth the flags. (The ring starts at entry 0 or close.)
 */
static void
plausible_behind_table(struct bed *b)
{
	if (b->guest.split.avail_idx < SIZE)
		b->guest.split.avail->ring[4] = W;
}

static void
head_size(struct bed *b)
{
	offer(b, SIZE);
	plausible_behind_table(b);
}

static void
head_max(struct bed *b)
{
	offer(b, 65535);
}

static void
loop_self(struct bed *b)
{
	desc(b, 3, good(b), 10, W | N, 3);
	offer(b, 3);
}

static void
loop_all(struct bed *b)
{
	for (uint16_t i = 0; i < SIZE; i++)
		desc(b, i, good(b), 1, W | N, (i + 1) & (SIZE - 1));
	offer(b, 5);
}

static void
next_outside(struct bed *b)
{
	desc(b, 3, good(b), 1000, W | N, SIZE);
	offer(b, 3);
	plausible_behind_table(b);
}

static void
zero_length(struct bed *b)
{
	desc(b, 3, good(b), 0, W, 0);
	offer(b, 3);
}

static void
zero_length_second(struct bed *b)
{
	desc(b, 3, good(b), 12, W | N, 4);
	desc(b, 4, good(b) + 12, 0, W, 0);
	offer(b, 3);
}

static void
readable(struct bed *b)
{
	desc(b, 3, good(b), 2000, 0, 0);
	offer(b, 3);
}

static void
readable_second(struct bed *b)
{
	desc(b, 3, good(b), 12, W | N, 4);
	desc(b, 4, good(b) + 12, 2000, 0, 0);
	offer(b, 3);
}

static void
indirect_loop(struct bed *b)
{
	indirect(b)[1] = (struct vring_desc){good(b), 1000, W | N, 0};
}

static void
indirect_next_outside(struct bed *b)
{
	struct vring_desc *t = indirect(b);

	t[0].next = 2;
	t[2] = (struct vring_desc){good(b), 1000, W, 0}; /* looks good, but is not in the table */
}

static void
indirect_next_max(struct bed *b)
{
	indirect(b)[0].next = 65535;
}

static void
indirect_zero_length(struct bed *b)
{
	indirect(b)[1].len = 0;
}

static void
indirect_readable(struct bed *b)
{
	indirect(b)[1].flags = 0;
}

static void
indirect_nested(struct bed *b)
{
	struct vring_desc *t = indirect(b);

	t[0] = (struct vring_desc){b->guest.tables + 32, 32, I, 0};
	t[2] = (struct vring_desc){good(b), 2000, W, 0};
}

/* A nested table is refused even if the descriptor looks like a buffer, too. */
static void
indirect_nested_writable(struct bed *b)
{
	indirect(b)[1].flags = W | I;
}

static void
indirect_and_next(struct bed *b)
{
	indirect(b);
	desc(b, 3, b->guest.tables, 32, I | N, 4);
	desc(b, 4, good(b), 2000, W, 0);
}

static void
direct_then_bad_indirect(struct bed *b)
{
	indirect(b)[1].len = 0;
	desc(b, 4, good(b) + 4000, 12, W | N, 3);
	b->guest.split.avail->ring[(b->guest.split.avail_idx - 1) & (SIZE - 1)] = 4;
}

static void
table_empty(struct bed *b)
{
	indirect(b);
	b->guest.split.desc[3].len = 0;
}

static void
table_odd_length(struct bed *b)
{
	indirect(b);
	b->guest.split.desc[3].len = 40;
}

static void
table_huge(struct bed *b)
{
	indirect(b);
	b->guest.split.desc[3].len = 0xfffffff0;
}

static void
table_outside(struct bed *b)
{
	indirect(b);
	b->guest.split.desc[3].addr = UINT64_C(0x20000000);
}

/* The first entry lies in memory, the second behind it. */
static void
table_leaves_memory(struct bed *b)
{
	const struct fake_region_conf *last = &b->guest.mem.region[2].conf;
	uint64_t gpa = last->gpa + last->size - sizeof(struct vring_desc);

	*(struct vring_desc *)fake_mem_guest(&b->guest.mem, gpa,
		sizeof(struct vring_desc)) = (struct vring_desc){good(b), 1000, W | N, 1};
	desc(b, 3, gpa, 32, I, 0);
	offer(b, 3);
}

static void
used_twice(struct bed *b)
{
	/* The first chain that was lent is offered again. */
	offer(b, bufs[0].id);
}

static const struct {
	const char *what;
	void (*make)(struct bed *b);
} malformed[] = {
	{"avail index jumps ahead", avail_jump},
	{"avail index jumps far ahead", avail_jump_far},
	{"avail index goes back", avail_back},
	{"head just out of range", head_size},
	{"head far out of range", head_max},
	{"descriptor linked to itself", loop_self},
	{"all descriptors in a loop", loop_all},
	{"next out of range", next_outside},
	{"length 0", zero_length},
	{"length 0 behind the header", zero_length_second},
	{"device-readable", readable},
	{"device-readable behind the header", readable_second},
	{"loop in an indirect table", indirect_loop},
	{"next just outside the indirect table", indirect_next_outside},
	{"next far outside the indirect table", indirect_next_max},
	{"length 0 in an indirect table", indirect_zero_length},
	{"device-readable in an indirect table", indirect_readable},
	{"indirect in an indirect table", indirect_nested},
	{"indirect and writable in an indirect table", indirect_nested_writable},
	{"indirect with a next descriptor", indirect_and_next},
	{"bad indirect table behind a direct descriptor", direct_then_bad_indirect},
	{"empty indirect table", table_empty},
	{"indirect table length not a multiple of 16", table_odd_length},
	{"indirect table of 4 GiB", table_huge},
	{"indirect table outside memory", table_outside},
	{"indirect table leaves memory", table_leaves_memory},
	{"a lent buffer made available again", used_twice},
};

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
meet_malformed(const struct bed_conf *conf, unsigned int k, enum meeting how)
{
	struct bed *b = bed_new(conf);
	uint16_t used, avail;

	snprintf(fake_context, sizeof(fake_context), "%s, met by %s, from %u", malformed[k].what,
		how == BY_HARVEST        ? "harvest"
			: how == BY_COPY ? "copy"
					 : "copy in pieces",
		conf->start);
	fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_PAIRS);
	fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_PAIRS);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	malformed[k].make(b);
	fake_mem_save(&b->guest.mem);
	assert_int_equal(meet(b, how), -EPROTO);
	bed_expect_broken(b);
	bed_reclaim(b, bufs, 2);
	bed_expect_broken(b);
	assert_int_equal(iovt_rxq_give_back(b->q, &avail, &used), 0);
	assert_int_equal(b->q->stats.abandoned, 2);
	bed_check_given_back(&b->q->stats);
	assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
	iovt_rxq_put(b->q);
	b->q = NULL;
	bed_free(b);
}

static void
malformed_rings(const struct bed_conf *conf)
{
	static const uint16_t starts[] = {0, 65533, 65534, 65535};
	struct bed_conf c = *conf;

	c.size = SIZE;
	for (unsigned int k = 0; k < sizeof(malformed) / sizeof(malformed[0]); k++) {
		for (enum meeting how = 0; how < MEETINGS; how++) {
			for (unsigned int s = 0; s < 8; s++) {
				c.start = starts[s / 2];
				c.mergeable = s % 2;
				meet_malformed(&c, k, how);
			}
		}
	}
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"every malformed ring is broken once and left alone", malformed_rings, false,
			true},
	};

	return unit_run("malformed rings", cases, 1);
}
