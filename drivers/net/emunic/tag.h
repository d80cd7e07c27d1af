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

struct emu_tag {
	uint16_t magic;
	uint8_t origin;   /* which generator of this process */
	uint8_t tsc_high; /* bits 32 to 39 of the stamp */
	uint16_t flow;
	uint32_t seq; /* of the flow; seq * flows + flow is the port's */
	uint32_t tsc_low;
	uint32_t digest;
} __rte_packed;
static_assert(sizeof(struct emu_tag) == 18, "the payload of the shortest frame");

#define EMU_PATTERN_STARTS 2048 /* different even offsets */
#define EMU_PATTERN_SIZE   (2 * EMU_PATTERN_STARTS + EMU_MAX_FRAME)

/** The pattern, and for each of its 16-bit words the sum of all words before. */
struct emu_pattern {
	uint8_t bytes[EMU_PATTERN_SIZE];
	uint32_t sums[EMU_PATTERN_SIZE / 2 + 1];
};
extern struct emu_pattern emu_pattern;

static inline uint32_t
emu_pattern_start(uint16_t flow, uint32_t seq)
{
	return (((seq + flow * 97u) * 2654435761u) >> 21) * 2;
}
static_assert(EMU_PATTERN_STARTS == 1 << (32 - 21), "emu_pattern_start() covers all starts");

/** One's complement sum of `len` pattern bytes from the even offset `start`, not folded. */
static inline uint32_t
emu_pattern_sum(uint32_t start, uint32_t len)
{
	uint32_t sum = emu_pattern.sums[(start + len) / 2] - emu_pattern.sums[start / 2];

	return len & 1 ? sum + emu_pattern.bytes[start + len - 1] : sum;
}

/** Digest of a tag (without the digest itself) and of the length of the payload. */
static inline uint32_t
emu_tag_digest(const struct emu_tag *tag, uint32_t payload)
{
	const uint8_t *bytes = (const uint8_t *)tag;
	unsigned __int128 product;
	uint64_t a, b, mix;

	memcpy(&a, bytes, sizeof(a));
	memcpy(&b, bytes + offsetof(struct emu_tag, digest) - sizeof(b), sizeof(b));
	product = (unsigned __int128)(a ^ UINT64_C(0xa0761d6478bd642f)) *
		(b ^ UINT64_C(0xe7037ed1a0b428db) ^ (uint64_t)payload << 48);
	mix = (uint64_t)product ^ (uint64_t)(product >> 64);
	return mix ^ mix >> 32;
}

static inline uint16_t
emu_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/** One's complement sum of the tag, not folded. */
static inline uint32_t
emu_tag_sum(const struct emu_tag *tag)
{
	uint16_t words[sizeof(*tag) / 2];
	uint32_t sum = 0;
	unsigned int i;

	memcpy(words, tag, sizeof(words));
	for (i = 0; i < RTE_DIM(words); i++)
		sum += words[i];
	return sum;
}

#endif /* EMUNIC_TAG_H */
