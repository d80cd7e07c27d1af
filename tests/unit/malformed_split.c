/* SPDX-License-Identifier: BSD-3-Clause */
/* What only a split ring can have: an index, and links. */
#include "malformed.h"

/* Every entry of the ring names a good buffer, so that nothing but the index is wrong. */
static void
avail_jump(struct bed *b, const struct iovt_buf *lent)
{
	for (unsigned int i = 0; i < SIZE; i++)
		offer(b, lent[1].id ^ 7, good(b), 2000, W);
	b->guest.split.avail->idx++;
}

static void
avail_jump_far(struct bed *b, const struct iovt_buf *lent)
{
	avail_jump(b, lent);
	b->guest.split.avail->idx += 32768;
}

static void
avail_back(struct bed *b, const struct iovt_buf *lent)
{
	avail_jump(b, lent);
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
head_behind_table(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, SIZE, good(b), 2000, W);
	plausible_behind_table(b);
}

static void
next_behind_table(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, 3, good(b), 1000, W | N);
	b->guest.split.desc[3].next = SIZE;
	plausible_behind_table(b);
}

static void
loop_self(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, 3, good(b), 10, W | N);
	b->guest.split.desc[3].next = 3;
}

/* A good table of two entries, to be changed, with a third behind it that looks good, too. */
static struct vring_desc *
indirect(struct bed *b)
{
	const struct fake_raw t[] = {{good(b), 1000, W}, {good(b) + 2000, 1000, W},
		{good(b) + 4000, 1000, W}};

	fake_guest_table(&b->guest, b->guest.tables, t, 3);
	offer(b, 3, b->guest.tables, 32, I);
	return (struct vring_desc *)fake_mem_guest(&b->guest.mem, b->guest.tables, 48);
}

static void
indirect_loop(struct bed *b, const struct iovt_buf *lent)
{
	indirect(b)[1].next = 0;
}

static void
indirect_next_outside(struct bed *b, const struct iovt_buf *lent)
{
	indirect(b)[0].next = 2;
}

static void
indirect_next_max(struct bed *b, const struct iovt_buf *lent)
{
	indirect(b)[0].next = 65535;
}

const struct malformed malformed_split[] = {
	{"avail index jumps ahead", avail_jump},
	{"avail index jumps far ahead", avail_jump_far},
	{"avail index goes back", avail_back},
	{"head behind the table, where a buffer seems to be", head_behind_table},
	{"next behind the table, where a buffer seems to be", next_behind_table},
	{"descriptor linked to itself", loop_self},
	{"loop in an indirect table", indirect_loop},
	{"next just outside the indirect table", indirect_next_outside},
	{"next far outside the indirect table", indirect_next_max},
	{NULL, NULL},
};
