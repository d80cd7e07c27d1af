/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EMUNIC_TAG_H
#define EMUNIC_TAG_H

/*
 * Payload of a generator frame: this tag, then bytes of a fixed pattern, which begin at a place
 * that depends on flow and sequence number. A stale or partly written buffer so differs from what
 * the tag promises, and the receiver needs no copy of the frame to check every byte. The tag is in
 * the byte order of the machine: generator and receiver run on the same one.
 */

#include <stdint.h>
#include <string.h>

#include <rte_common.h>

#include "emunic.h"

#define EMU_MAGIC    0x7ee1
#define EMU_UDP_PORT 7001
#define EMU_TSC_MASK ((UINT64_C(1) << 40) - 1)

/* Fields from the lowest bit on. */
struct emu_tag {
	uint64_t
		lo; /* magic 15, generator of this process 8, stamp bits 32 to 39, flow 17, seq 0 to 15 */
	uint64_t hi;  /* seq 16 to 31, stamp 0 to 31, digest 0 to 15 */
	uint16_t end; /* digest 16 to 31 */
} __attribute__((packed));
static_assert(sizeof(struct emu_tag) == 18, "the payload of the shortest frame");

static inline uint16_t
emu_tag_magic(const struct emu_tag *t)
{
	return t->lo & 0x7fff;
}

static inline uint8_t
emu_tag_origin(const struct emu_tag *t)
{
	return t->lo >> 15;
}

static inline uint32_t
emu_tag_flow(const struct emu_tag *t)
{
	return t->lo >> 31 & (EMU_MAX_FLOWS - 1);
}

/* Of the flow; seq * flows + flow is the port's. */
static inline uint32_t
emu_tag_seq(const struct emu_tag *t)
{
	return t->lo >> 48 | (uint32_t)t->hi << 16;
}

static inline uint64_t
emu_tag_stamp(const struct emu_tag *t)
{
	return (t->lo >> 23 & 0xff) << 32 | (uint32_t)(t->hi >> 16);
}

static inline uint32_t
emu_tag_digest(const struct emu_tag *t)
{
	return t->hi >> 48 | (uint32_t)t->end << 16;
}

#define EMU_PATTERN_STARTS 2048 /* different even offsets */
#define EMU_PATTERN_SIZE   (2 * EMU_PATTERN_STARTS + EMU_MAX_FRAME)

/** The pattern, and for each of its 16-bit words the sum of all words before. */
struct emu_pattern {
	uint8_t bytes[EMU_PATTERN_SIZE];
	uint32_t sums[EMU_PATTERN_SIZE / 2 + 1];
};
extern struct emu_pattern emu_pattern;

static inline uint32_t
emu_pattern_start(uint32_t flow, uint32_t seq)
{
	return (((seq + flow * 97u) * 2654435761u) >> 21) * 2;
}
static_assert(EMU_PATTERN_STARTS == 1 << (32 - 21), "emu_pattern_start() covers all starts");

/** One's complement sum of `len` pattern bytes from the even offset `start`, not folded. */
static inline uint32_t
emu_pattern_sum(uint32_t start, uint32_t len)
{
	uint32_t sum = emu_pattern.sums[(start + len) / 2] - emu_pattern.sums[start / 2];

	/* Of an even length gcc 14 reads that byte, too: start + len - 1 would be far outside where both are 0. */
	return len & 1 ? sum + emu_pattern.bytes[start + (len & ~UINT32_C(1))] : sum;
}

/** What the digest should be: of all before it, and of the length of the payload. */
static inline uint32_t
emu_tag_digest_of(const struct emu_tag *t, uint32_t payload)
{
	const uint64_t a = t->lo, b = a >> 48 | t->hi << 16;
	unsigned __int128 product;
	uint64_t mix;

	product = (unsigned __int128)(a ^ UINT64_C(0xa0761d6478bd642f)) *
		(b ^ UINT64_C(0xe7037ed1a0b428db) ^ (uint64_t)payload << 48);
	mix = (uint64_t)product ^ (uint64_t)(product >> 64);
	return mix ^ mix >> 32;
}

static inline struct emu_tag
emu_tag_make(uint8_t origin, uint32_t flow, uint32_t seq, uint64_t stamp, uint32_t payload)
{
	struct emu_tag t = {
		.lo = EMU_MAGIC | (uint64_t)origin << 15 | (stamp >> 32 & 0xff) << 23 |
			(uint64_t)flow << 31 | (uint64_t)seq << 48,
		.hi = seq >> 16 | (stamp & UINT32_MAX) << 16,
	};
	uint32_t digest = emu_tag_digest_of(&t, payload);

	t.hi |= (uint64_t)digest << 48;
	t.end = digest >> 16;
	return t;
}

static inline uint16_t
emu_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/** One's complement sum of the tag, not folded. */
static inline uint32_t
emu_tag_sum(const struct emu_tag *t)
{
	uint64_t sum = (t->lo & UINT32_MAX) + (t->lo >> 32) + (t->hi & UINT32_MAX) + (t->hi >> 32) +
		t->end;

	return (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
}

#endif /* EMUNIC_TAG_H */
