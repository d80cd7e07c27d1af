/* SPDX-License-Identifier: BSD-3-Clause */
/* What only a packed ring can have: chains by place, and tables without links. */
#include "malformed.h"

/* A chain of n descriptors, the last of which is linked, too. */
static void
linked(struct bed *b, unsigned int n)
{
	struct fake_raw d[SIZE];

	for (unsigned int i = 0; i < n; i++)
		d[i] = (struct fake_raw){good(b) + 200 * i, 200, W | N};
	fake_guest_offer(&b->guest, 3, d, n);
}

/* Every entry that is the driver's, and then into those of the two lent buffers. */
static void
into_lent(struct bed *b, const struct iovt_buf *lent)
{
	linked(b, SIZE - 2);
}

/* The chain ends with the entry of the buffer that was lent first. */
static void
one_too_many(struct bed *b, const struct iovt_buf *lent)
{
	struct fake_raw d[SIZE - 1];

	for (unsigned int i = 0; i < SIZE - 1; i++)
		d[i] = (struct fake_raw){good(b) + 200 * i, 200, W};
	fake_guest_offer(&b->guest, 3, d, SIZE - 1);
}

/* A good first id does not help. */
static void
first_id_good(struct bed *b, const struct iovt_buf *lent)
{
	uint16_t at = b->guest.packed.avail.idx;

	offer_two(b, SIZE, (struct fake_raw){good(b), 12, W},
		(struct fake_raw){good(b) + 12, 2000, W});
	b->guest.packed.desc[at].id = 3;
}

/* The first entry of the next chain is not there yet: what is there belongs to the lap before. */
static void
linked_to_old(struct bed *b, const struct iovt_buf *lent)
{
	linked(b, 1);
}

/* More entries than a driver has any use for, all of them good. */
static void
table_long(struct bed *b, const struct iovt_buf *lent)
{
	static struct fake_raw t[1025];
	uint64_t gpa = b->guest.mem.region[2].conf.gpa;

	for (unsigned int i = 0; i < 1025; i++)
		t[i] = (struct fake_raw){good(b), 2, W};
	fake_guest_table(&b->guest, gpa, t, 1025);
	offer(b, 3, gpa, sizeof(struct vring_packed_desc) * 1025, I);
}

const struct malformed malformed_packed[] = {
	{"a chain into entries that are in use", into_lent},
	{"a chain one entry longer than there are", one_too_many},
	{"id of a chain out of range, of its first descriptor not", first_id_good},
	{"a chain that goes on in an old entry", linked_to_old},
	{"an indirect table of 1,025 entries", table_long},
	{NULL, NULL},
};
