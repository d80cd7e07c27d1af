/* SPDX-License-Identifier: BSD-3-Clause */
/* Check of generator frames that the port sends: payload, checksums, order, loss, latency. */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>

#include "emunic.h"
#include "tag.h"

/* Latency buckets: exact below 64 cycles, then 32 for each power of two, to 2^40 cycles. */
#define SUB_BITS 5
#define SUBS     (1u << SUB_BITS)
#define BUCKETS  ((40 - SUB_BITS + 1) * SUBS)

#define WINDOW 64 /* sequence numbers remembered behind the newest */

struct flow_state {
	uint32_t first; /* sequence number seen first */
	uint32_t next;  /* sequence number expected */
	uint64_t seen;  /* bit i: next - 1 - i came; 0: nothing came yet */
};

struct emu_verify {
	uint32_t every;
	uint32_t countdown;
	bool sequence;
	uint64_t run_latency; /* of the run frames that came last, not in a bucket yet */
	uint64_t run;
	uint64_t buckets[BUCKETS];
	struct flow_state *origins[UINT8_MAX + 1]; /* each for all flow numbers, made when needed */
};

/* Where the parts of a generator frame are. */
struct view {
	const struct rte_ipv4_hdr *ip;
	const struct rte_udp_hdr *udp;
	const uint8_t *bulk;
	uint32_t bulk_len;
	struct emu_tag tag;
};

/** Check every n-th frame in full; sequence: do frames pass once, in order? */
struct emu_verify *
emu_verify_create(uint32_t every, bool sequence)
{
	struct emu_verify *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->every = every;
	v->sequence = sequence;
	return v;
}

void
emu_verify_free(struct emu_verify *v)
{
	unsigned int i;

	if (v == NULL)
		return;
	for (i = 0; i < RTE_DIM(v->origins); i++)
		free(v->origins[i]);
	free(v);
}

static unsigned int
bucket_of(uint64_t cycles)
{
	unsigned int shift;

	if (cycles < 2 * SUBS)
		return cycles;
	shift = 63 - __builtin_clzll(cycles) - SUB_BITS;
	return shift * SUBS + (cycles >> shift);
}

/* Middle of a bucket. */
static uint64_t
bucket_value(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 2 * SUBS)
		return bucket;
	shift = bucket / SUBS - 1;
	return ((uint64_t)(bucket % SUBS + SUBS) << shift) + (UINT64_C(1) << shift) / 2;
}

static void
end_run(struct emu_verify *v)
{
	/* The upper half of the range is a clock that is a little behind another CPU's. */
	const uint64_t cycles = v->run_latency > EMU_TSC_MASK / 2 ? 0 : v->run_latency;

	v->buckets[bucket_of(cycles)] += v->run;
	v->run = 0;
}

static inline void
record_latency(struct emu_verify *v, const struct emu_tag *tag, uint64_t now)
{
	uint64_t cycles = (now - emu_tag_stamp(tag)) & EMU_TSC_MASK;

	/* Frames that were made in one batch and are sent in one have the same latency. */
	if (likely(cycles == v->run_latency)) {
		v->run++;
		return;
	}
	end_run(v);
	v->run_latency = cycles;
	v->run = 1;
}

/** Cycles below which `percentile` percent of the frames stayed. */
int
emu_verify_latency(struct emu_verify *v, double percentile, uint64_t *tsc)
{
	uint64_t rank, below = 0, samples = 0;
	unsigned int i;

	if (!(percentile >= 0 && percentile <= 100))
		return -EINVAL;
	end_run(v);
	for (i = 0; i < BUCKETS; i++)
		samples += v->buckets[i];
	if (samples == 0)
		return -ENODATA;
	rank = RTE_MAX((uint64_t)ceil(percentile / 100 * samples), UINT64_C(1));
	for (i = 0; i < BUCKETS - 1; i++) {
		below += v->buckets[i];
		if (below >= rank)
			break;
	}
	*tsc = bucket_value(i);
	return 0;
}

void
emu_verify_latency_reset(struct emu_verify *v)
{
	memset(v->buckets, 0, sizeof(v->buckets));
	v->run = 0;
}

/* 198.18.0.0/15, on either side. */
static bool
benchmark_address(const struct rte_ipv4_hdr *ip)
{
	const rte_be32_t mask = rte_cpu_to_be_32(UINT32_C(0xfffe0000));
	const rte_be32_t net = rte_cpu_to_be_32(RTE_IPV4(198U, 18, 0, 0));

	return (ip->src_addr & mask) == net || (ip->dst_addr & mask) == net;
}

/* The headers that the generator makes, whatever their addresses and ports. */
static inline bool
as_generated(const uint8_t *data, uint16_t len)
{
	const struct rte_ether_hdr *eth = (const void *)data;
	const struct rte_ipv4_hdr *ip = (const void *)(eth + 1);

	return len >= EMU_MIN_FRAME && eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
		ip->version_ihl == RTE_IPV4_VHL_DEF && ip->next_proto_id == IPPROTO_UDP &&
		(ip->fragment_offset & ~rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG)) == 0;
}

/* Other headers may have been put in front. */
static bool
find_udp(const uint8_t *data, uint16_t len, uint16_t *l3, uint16_t *l4)
{
	struct emu_parsed p;

	emu_frame_parse(data, len, &p);
	*l3 = p.l3_off;
	*l4 = p.l4_off;
	return (p.ptype & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP &&
		(p.ptype & RTE_PTYPE_L3_MASK) == RTE_PTYPE_L3_IPV4 &&
		len >= p.l4_off + sizeof(struct rte_udp_hdr) + sizeof(struct emu_tag);
}

/* Find the parts; false if this is no generator frame. Tags that a switch pushed are skipped. */
static bool
look(const uint8_t *data, uint16_t len, struct view *f)
{
	const rte_be16_t port = rte_cpu_to_be_16(EMU_UDP_PORT);
	uint16_t l3 = RTE_ETHER_HDR_LEN, l4 = l3 + sizeof(*f->ip), udp_len;

	if (unlikely(!as_generated(data, len)) && !find_udp(data, len, &l3, &l4))
		return false;
	f->ip = (const void *)(data + l3);
	f->udp = (const void *)(data + l4);
	memcpy(&f->tag, f->udp + 1, sizeof(f->tag));
	if (emu_tag_magic(&f->tag) != EMU_MAGIC)
		return false;
	if (f->udp->dst_port != port && f->udp->src_port != port && !benchmark_address(f->ip))
		return false;
	udp_len = len - l4;
	f->bulk = (const uint8_t *)(f->udp + 1) + sizeof(f->tag);
	f->bulk_len = udp_len - sizeof(*f->udp) - sizeof(f->tag);
	return true;
}

/* Every byte from the IPv4 header on. */
static bool
intact(const struct view *f)
{
	const uint32_t start = emu_pattern_start(emu_tag_flow(&f->tag), emu_tag_seq(&f->tag));
	const uint32_t payload = sizeof(f->tag) + f->bulk_len;
	uint32_t sum;

	if (f->udp->dgram_len != rte_cpu_to_be_16(sizeof(*f->udp) + payload) ||
		emu_tag_digest(&f->tag) != emu_tag_digest_of(&f->tag, payload) ||
		memcmp(f->bulk, &emu_pattern.bytes[start], f->bulk_len) != 0 ||
		rte_raw_cksum(f->ip, sizeof(*f->ip)) != 0xffff)
		return false;
	if (f->udp->dgram_cksum == 0)
		return true;
	sum = rte_ipv4_phdr_cksum(f->ip, 0) + rte_raw_cksum(f->udp, sizeof(*f->udp)) +
		emu_tag_sum(&f->tag) + emu_pattern_sum(start, f->bulk_len);
	return emu_fold(sum) == 0xffff;
}

/* A frame behind the newest one of its flow: late, or a second copy. */
static void
note_behind(struct emu *emu, struct flow_state *s, uint32_t behind)
{
	if (behind < WINDOW && (s->seen >> behind & 1)) {
		emu->counters[EMU_TX_DUPLICATE]++;
		return;
	}
	emu->counters[EMU_TX_OUT_OF_ORDER]++;
	if (behind < WINDOW)
		s->seen |= UINT64_C(1) << behind;
	/* It was taken for lost when it was overtaken, unless it was before all others. */
	if (behind < WINDOW && behind < s->next - s->first)
		emu->counters[EMU_TX_LOST]--;
}

/* The first of its flow, or one that others are missing before, or late. */
static void
note_unexpected(struct emu *emu, struct flow_state *s, uint32_t seq)
{
	uint32_t gap;

	if (s->seen == 0) {
		s->first = seq;
		s->next = seq;
	}
	gap = seq - s->next;
	if (gap > INT32_MAX) {
		note_behind(emu, s, s->next - 1 - seq);
		return;
	}
	emu->counters[EMU_TX_LOST] += gap;
	s->seen = gap + 1 < WINDOW ? s->seen << (gap + 1) | 1 : 1;
	s->next = seq + 1;
}

static inline void
check_sequence(struct emu *emu, const struct emu_tag *tag)
{
	struct flow_state **states = &emu->verify->origins[emu_tag_origin(tag)], *s;
	const uint32_t seq = emu_tag_seq(tag);

	if (unlikely(*states == NULL)) {
		*states = calloc(EMU_MAX_FLOWS, sizeof(**states));
		if (*states == NULL)
			return;
	}
	s = &(*states)[emu_tag_flow(tag)];
	if (unlikely(seq != s->next || s->seen == 0)) {
		note_unexpected(emu, s, seq);
		return;
	}
	s->seen = s->seen << 1 | 1;
	s->next = seq + 1;
}

/** Of a frame whose first len bytes are these: will emu_verify_frame() read more of it? */
bool
emu_verify_wants_all(const struct emu_verify *v, const uint8_t *data, uint16_t len)
{
	return v->countdown == 0 || !as_generated(data, len);
}

/** Look at a frame that leaves the port. */
void
emu_verify_frame(struct emu *emu, const uint8_t *data, uint16_t len)
{
	struct emu_verify *v = emu->verify;
	struct view f;

	if (!look(data, len, &f)) {
		emu->counters[EMU_TX_OTHER]++;
		return;
	}
	if (v->countdown == 0) {
		v->countdown = v->every;
		if (!intact(&f)) {
			emu->counters[EMU_TX_CORRUPT]++;
			v->countdown--;
			return;
		}
		emu->counters[EMU_TX_VERIFIED]++;
	}
	v->countdown--;
	if (v->sequence)
		check_sequence(emu, &f.tag);
	record_latency(v, &f.tag, emu->now);
}
