/* SPDX-License-Identifier: BSD-3-Clause */
/* What is wrong in either ring format. */
#include "malformed.h"

static void
id_size(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, SIZE, good(b), 2000, W);
}

static void
id_max(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, 65535, good(b), 2000, W);
}

static void
id_of_chain(struct bed *b, const struct iovt_buf *lent)
{
	offer_two(b, SIZE, (struct fake_raw){good(b), 12, W},
		(struct fake_raw){good(b) + 12, 2000, W});
}

/* All entries, those of the lent buffers too, and the last is linked, too. */
static void
endless(struct bed *b, const struct iovt_buf *lent)
{
	struct fake_raw d[SIZE];

	for (unsigned int i = 0; i < SIZE; i++)
		d[i] = (struct fake_raw){good(b), 1, W | N};
	fake_guest_offer(&b->guest, 5, d, SIZE);
}

static void
zero_length(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, 3, good(b), 0, W);
}

static void
zero_length_second(struct bed *b, const struct iovt_buf *lent)
{
	offer_two(b, 3, (struct fake_raw){good(b), 12, W}, (struct fake_raw){good(b) + 12, 0, W});
}

static void
readable(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, 3, good(b), 2000, 0);
}

static void
readable_first(struct bed *b, const struct iovt_buf *lent)
{
	offer_two(b, 3, (struct fake_raw){good(b), 12, 0},
		(struct fake_raw){good(b) + 12, 2000, W});
}

static void
readable_second(struct bed *b, const struct iovt_buf *lent)
{
	offer_two(b, 3, (struct fake_raw){good(b), 12, W},
		(struct fake_raw){good(b) + 12, 2000, 0});
}

/* A buffer in an indirect table of two entries, the second of which is this. */
static void
indirect(struct bed *b, uint64_t gpa, uint32_t len, uint16_t flags)
{
	const struct fake_raw t[] = {{good(b), 1000, W}, {gpa, len, flags}};

	fake_guest_table(&b->guest, b->guest.tables, t, 2);
	offer(b, 3, b->guest.tables, 32, I);
}

static void
indirect_zero_length(struct bed *b, const struct iovt_buf *lent)
{
	indirect(b, good(b) + 2000, 0, W);
}

static void
indirect_readable(struct bed *b, const struct iovt_buf *lent)
{
	indirect(b, good(b) + 2000, 1000, 0);
}

/* The table that is in the table is good. */
static void
nested(struct bed *b, uint16_t flags)
{
	const struct fake_raw buffer = {good(b), 2000, W};

	fake_guest_table(&b->guest, b->guest.tables + 64, &buffer, 1);
	indirect(b, b->guest.tables + 64, 16, flags);
}

static void
indirect_nested(struct bed *b, const struct iovt_buf *lent)
{
	nested(b, I);
}

/* A nested table is refused even if the descriptor looks like a buffer, too. */
static void
indirect_nested_writable(struct bed *b, const struct iovt_buf *lent)
{
	nested(b, I | W);
}

/* Two descriptors, the first of which is a table, the second a buffer. */
static void
indirect_and_next(struct bed *b, const struct iovt_buf *lent)
{
	const struct fake_raw t = {good(b), 1000, W};

	fake_guest_table(&b->guest, b->guest.tables, &t, 1);
	offer_two(b, 3, (struct fake_raw){b->guest.tables, 16, I},
		(struct fake_raw){good(b) + 2000, 2000, W});
}

static void
direct_then_bad_indirect(struct bed *b, const struct iovt_buf *lent)
{
	const struct fake_raw t[] = {{good(b), 1000, W}, {good(b) + 2000, 0, W}};

	fake_guest_table(&b->guest, b->guest.tables, t, 2);
	offer_two(b, 3, (struct fake_raw){good(b) + 4000, 12, W},
		(struct fake_raw){b->guest.tables, 32, I});
}

/* A good table, but for where it is said to be. */
static void
table_at(struct bed *b, uint64_t gpa, uint32_t bytes)
{
	const struct fake_raw t[] = {{good(b), 1000, W}, {good(b) + 2000, 1000, W}};

	fake_guest_table(&b->guest, b->guest.tables, t, 2);
	offer(b, 3, gpa, bytes, I);
}

static void
table_empty(struct bed *b, const struct iovt_buf *lent)
{
	table_at(b, b->guest.tables, 0);
}

static void
table_odd_length(struct bed *b, const struct iovt_buf *lent)
{
	table_at(b, b->guest.tables, 40);
}

static void
table_huge(struct bed *b, const struct iovt_buf *lent)
{
	table_at(b, b->guest.tables, 0xfffffff0);
}

static void
table_outside(struct bed *b, const struct iovt_buf *lent)
{
	table_at(b, OUTSIDE, 32);
}

/* The first entry lies in memory, the second behind it. */
static void
table_leaves_memory(struct bed *b, const struct iovt_buf *lent)
{
	const struct fake_region_conf *r = &b->guest.mem.region[2].conf;
	uint64_t gpa = r->gpa + r->size - sizeof(struct vring_desc);
	const struct fake_raw linked = {good(b), 1000, W | N};

	fake_guest_table(&b->guest, gpa, &linked, 1);
	((struct vring_desc *)fake_mem_guest(&b->guest.mem, gpa, 16))->next = b->guest.format ==
			&fake_split
		? 1
		: W | N;
	offer(b, 3, gpa, 32, I);
}

/* The first buffer that was lent, once more, in each layout. */
static void
in_use(struct bed *b, const struct iovt_buf *lent)
{
	offer(b, lent[0].id, good(b), 2000, W);
}

static void
in_use_chain(struct bed *b, const struct iovt_buf *lent)
{
	offer_two(b, lent[0].id, (struct fake_raw){good(b), 12, W},
		(struct fake_raw){good(b) + 12, 2000, W});
}

static void
in_use_indirect(struct bed *b, const struct iovt_buf *lent)
{
	const struct fake_raw t = {good(b), 2000, W};

	fake_guest_table(&b->guest, b->guest.tables, &t, 1);
	offer(b, lent[0].id, b->guest.tables, 16, I);
}

const struct malformed malformed_any[] = {
	{"id just out of range", id_size},
	{"id far out of range", id_max},
	{"id of a chain out of range", id_of_chain},
	{"a chain of all descriptors, without an end", endless},
	{"length 0", zero_length},
	{"length 0 behind the header", zero_length_second},
	{"device-readable", readable},
	{"device-readable header", readable_first},
	{"device-readable behind the header", readable_second},
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
	{"a lent buffer made available again", in_use},
	{"a lent buffer made available again as a chain", in_use_chain},
	{"a lent buffer made available again in a table", in_use_indirect},
	{NULL, NULL},
};
