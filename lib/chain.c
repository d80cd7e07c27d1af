/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>

#include "chain.h"

/*
 * Entries of an indirect chain that are followed. The specification allows no chain longer than the
 * queue, some drivers make longer ones; without a bound a guest could keep us busy for 65,535 steps.
 */
#define INDIRECT_MAX 1024

/* Add one descriptor, if it is for that direction and holds something. */
static int64_t
add_desc(struct iovt_segs *segs, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t dir)
{
	if ((flags & VRING_DESC_F_WRITE) != dir || len == 0)
		return -EPROTO;
	return iovt_segs_add(segs, gpa, len);
}

/* Entries of an indirect table of bytes, 0: it can have no such size. Entries are alike in size. */
static uint32_t
table_entries(uint32_t bytes)
{
	uint32_t n = bytes / sizeof(struct vring_desc);

	_Static_assert(sizeof(struct vring_desc) == sizeof(struct vring_packed_desc), "2.8.13");
	return n <= UINT16_MAX && bytes % sizeof(struct vring_desc) == 0 ? n : 0;
}

/* An indirect table (virtio 1.2, 2.7.5.3), read in place through the memory snapshot. */
static int64_t
read_indirect(const struct vring_desc *indirect, uint16_t dir, const struct iovt_guest_mem *mem,
	struct iovt_segs *segs)
{
	uint32_t n = table_entries(indirect->len);
	uint32_t i = 0;
	int64_t total = 0;

	if (n == 0)
		return -EPROTO;
	for (uint32_t steps = 0; steps < INDIRECT_MAX; steps++) {
		struct vring_desc d;
		const void *entry = iovt_guest_mem_va(mem, indirect->addr + i * sizeof(d),
			sizeof(d));
		int64_t len;

		if (entry == NULL)
			return -EPROTO;
		d = iovt_desc_read(entry);
		if (d.flags & VRING_DESC_F_INDIRECT)
			return -EPROTO;
		len = add_desc(segs, d.addr, d.len, d.flags, dir);
		if (len < 0)
			return len;
		total += len;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return total;
		if (d.next >= n)
			return -EPROTO;
		i = d.next;
	}
	return -EPROTO; /* a loop, or as good as one */
}

int64_t
iovt_chain_read(const struct vring_desc *table, uint16_t size, struct vring_desc first,
	uint16_t dir, const struct iovt_guest_mem *mem, struct iovt_segs *segs)
{
	struct vring_desc d = first;
	int64_t total = 0, len;

	for (uint32_t steps = 0; steps < size; steps++) {
		if (d.flags & VRING_DESC_F_INDIRECT) {
			/* An indirect descriptor ends its chain. */
			if (d.flags & VRING_DESC_F_NEXT)
				return -EPROTO;
			len = read_indirect(&d, dir, mem, segs);
			return len < 0 ? len : total + len;
		}
		len = add_desc(segs, d.addr, d.len, d.flags, dir);
		if (len < 0)
			return len;
		total += len;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return total;
		if (d.next >= size)
			return -EPROTO;
		d = iovt_desc_read(&table[d.next]);
	}
	return -EPROTO; /* more links than descriptors: a loop */
}

/* An indirect table of a packed ring (2.8.7): as many entries as it has room for, one after the other. */
static int64_t
read_packed_indirect(const struct vring_packed_desc *indirect, uint16_t dir,
	const struct iovt_guest_mem *mem, struct iovt_segs *segs)
{
	uint32_t n = table_entries(indirect->len);
	int64_t total = 0;

	if (n == 0 || n > INDIRECT_MAX)
		return -EPROTO;
	for (uint32_t i = 0; i < n; i++) {
		struct vring_packed_desc d;
		const void *entry = iovt_guest_mem_va(mem, indirect->addr + i * sizeof(d),
			sizeof(d));
		int64_t len;

		if (entry == NULL)
			return -EPROTO;
		d = iovt_packed_desc_read(entry);
		if (d.flags & VRING_DESC_F_INDIRECT)
			return -EPROTO;
		len = add_desc(segs, d.addr, d.len, d.flags, dir);
		if (len < 0)
			return len;
		total += len;
	}
	return total;
}

int64_t
iovt_packed_chain_read(const struct vring_packed_desc *ring, uint16_t size, uint16_t slot,
	unsigned int room, struct vring_packed_desc first, uint16_t dir,
	const struct iovt_guest_mem *mem, struct iovt_segs *segs, struct iovt_chain *c)
{
	struct vring_packed_desc d = first;
	int64_t total = 0, len;

	for (c->descs = 1; c->descs <= room; c->descs++) {
		bool indirect = d.flags & VRING_DESC_F_INDIRECT;

		/* An indirect descriptor ends its chain; the last one has the id (2.8.6). */
		if (indirect && (d.flags & VRING_DESC_F_NEXT))
			return -EPROTO;
		c->id = d.id;
		len = indirect ? read_packed_indirect(&d, dir, mem, segs)
			       : add_desc(segs, d.addr, d.len, d.flags, dir);
		if (len < 0)
			return len;
		total += len;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return total;
		slot = slot + 1 == size ? 0 : slot + 1;
		d = iovt_packed_desc_read(&ring[slot]);
	}
	return -EPROTO; /* it runs into descriptors that are in use */
}
