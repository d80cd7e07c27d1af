/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptor chains: reading what a guest offers as receive buffers, or sends.
 *
 * A chain is copied out of guest memory descriptor by descriptor, each read once, checked, and
 * kept here as a flat list of segments. Works for direct chains, indirect tables, and direct
 * descriptors that end in an indirect table (virtio 1.2, 2.7.5.3, 2.8.7), of both ring formats.
 */
#ifndef IOVT_CHAIN_H
#define IOVT_CHAIN_H

#include <stdint.h>

#include <linux/virtio_ring.h>

#include "guest_mem.h"

/*
 * Segments kept for one packet. Longer chains are legal; of a buffer, what lies beyond is left unused, a
 * packet is dropped.
 */
#define IOVT_SEGS_MAX 128

/* Which way the data of a chain goes: the flag that each of its descriptors has (2.7.5, 2.8.3). */
#define IOVT_FROM_GUEST 0
#define IOVT_TO_GUEST   VRING_DESC_F_WRITE

/* A chain that was taken, for the ring: what the guest calls it, and slots of a packed ring. */
struct iovt_chain {
	uint16_t id;
	uint16_t descs;
};

struct iovt_seg {
	uint64_t gpa;
	uint32_t len; /* bytes, not 0 */
};

struct iovt_segs {
	uint32_t n;
	struct iovt_seg seg[IOVT_SEGS_MAX];
};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "virtqueues are little endian; this code reads them on little-endian hosts only"
#endif

/* Eight bytes of guest memory, at whatever address a guest puts an indirect table. */
typedef uint64_t iovt_guest_u64 __attribute__((aligned(1), may_alias));

/* Read one split-ring descriptor from guest memory, each byte once. */
IOVT_INLINE struct vring_desc
iovt_desc_read(const void *desc)
{
	const volatile iovt_guest_u64 *d = desc;
	uint64_t addr = d[0], rest = d[1];

	return (struct vring_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/* The same for a packed ring (virtio 1.2, 2.8.13). */
IOVT_INLINE struct vring_packed_desc
iovt_packed_desc_read(const void *desc)
{
	const volatile iovt_guest_u64 *d = desc;
	uint64_t addr = d[0], rest = d[1];

	return (struct vring_packed_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.id = (uint16_t)(rest >> 32),
		.flags = (uint16_t)(rest >> 48),
	};
}

/* Append one segment. Returns the bytes it adds to the packet's capacity. */
IOVT_INLINE uint32_t
iovt_segs_add(struct iovt_segs *segs, uint64_t gpa, uint32_t len)
{
	if (iovt_unlikely(segs->n == IOVT_SEGS_MAX))
		return 0;
	segs->seg[segs->n].gpa = gpa;
	segs->seg[segs->n].len = len;
	segs->n++;
	return len;
}

/**
 * Read the chain that starts at table[head], appending its segments.
 *
 * @param table split descriptor table of size entries, in guest memory.
 * @param first the head descriptor, already read.
 * @param dir IOVT_TO_GUEST or IOVT_FROM_GUEST.
 * @param mem where indirect tables are looked up.
 * @return capacity in bytes (saturating), or -EPROTO: a loop, an index or an indirect table
 *   outside its bounds, a nested indirect table, a descriptor for the other direction or an empty one.
 */
int64_t iovt_chain_read(const struct vring_desc *table, uint16_t size, struct vring_desc first,
	uint16_t dir, const struct iovt_guest_mem *mem, struct iovt_segs *segs);

/**
 * Read the chain that starts at ring[slot] of a packed ring; the same, but for these.
 *
 * @param room descriptors that it can have at most, at least 1.
 * @param c set; the id is not checked.
 */
int64_t iovt_packed_chain_read(const struct vring_packed_desc *ring, uint16_t size, uint16_t slot,
	unsigned int room, struct vring_packed_desc first, uint16_t dir,
	const struct iovt_guest_mem *mem, struct iovt_segs *segs, struct iovt_chain *c);

#endif
