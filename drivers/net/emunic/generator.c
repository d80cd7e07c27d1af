/* SPDX-License-Identifier: BSD-3-Clause */
/* Synthetic traffic: UDP flows with valid checksums, written straight into the posted buffers. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#include "device_rx.h"
#include "tag.h"

#define UDP_OFF   (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr))
#define TAG_OFF   (UDP_OFF + sizeof(struct rte_udp_hdr))
#define CLAIM_LEN 512 /* bytes of each buffer of a batch that become this CPU's at once */
static_assert(TAG_OFF + sizeof(struct emu_tag) == EMU_MIN_FRAME, "a tag fits the shortest frame");

struct emu_pattern emu_pattern;

/* All that is constant in the frames of a flow, and where they go. */
struct flow {
	uint8_t head[TAG_OFF];
	uint16_t queue;
	uint32_t sum;   /* of pseudo header and UDP header, not folded */
	uint32_t epoch; /* of the steering that gave queue and desc */
	union emu_rx_desc desc;
};

struct emu_generator {
	struct rte_pmd_emunic_gen conf;
	uint64_t made;
	uint32_t next; /* flow of the next frame */
	uint8_t origin;
	struct flow *flows;
	uint32_t *seqs; /* next sequence number of every possible flow */
};

static const struct emu_parsed parsed = {
	.ptype = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP,
	.l3_off = RTE_ETHER_HDR_LEN,
	.l4_off = UDP_OFF,
	.cksum = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD,
};

RTE_INIT(emu_pattern_init)
{
	uint64_t state = 1;
	unsigned int i;

	for (i = 0; i < EMU_PATTERN_SIZE; i++) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		emu_pattern.bytes[i] = state >> 56;
	}
	for (i = 0; i < EMU_PATTERN_SIZE / 2; i++) {
		uint16_t word;

		memcpy(&word, &emu_pattern.bytes[2 * i], sizeof(word));
		emu_pattern.sums[i + 1] = emu_pattern.sums[i] + word;
	}
}

static void
build_flow(struct flow *flow, uint32_t id, const struct rte_ether_addr *src,
	const struct rte_pmd_emunic_gen *conf)
{
	struct rte_ether_hdr *eth = (void *)flow->head;
	struct rte_ipv4_hdr *ip = (void *)(flow->head + RTE_ETHER_HDR_LEN);
	struct rte_udp_hdr *udp = (void *)(flow->head + UDP_OFF);
	uint16_t ip_len = conf->frame - RTE_ETHER_HDR_LEN;

	eth->dst_addr = conf->dst;
	eth->dst_addr.addr_bytes[RTE_ETHER_ADDR_LEN - 1] += (uint64_t)id * conf->dsts / conf->flows;
	eth->src_addr = *src;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16(ip_len);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	/* 198.18.0.0/15 is for benchmarks: RFC 2544, C.2.2 */
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(198U, 18, 0, 0) + id);
	ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(198U, 19, 0, 1));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	/* Scattered: the RSS hash is linear, and would spread ports in a row over few queues. */
	udp->src_port = rte_cpu_to_be_16(1024 + (id * 2654435761u >> 17));
	udp->dst_port = rte_cpu_to_be_16(EMU_UDP_PORT);
	udp->dgram_len = rte_cpu_to_be_16(ip_len - sizeof(*ip));
	flow->sum = rte_ipv4_phdr_cksum(ip, 0) + rte_raw_cksum(udp, sizeof(*udp));
}

static bool
gen_conf_valid(const struct emu *emu, const struct rte_pmd_emunic_gen *conf)
{
	return conf->frame >= EMU_MIN_FRAME && conf->frame <= emu->conf.max_frame &&
		conf->flows >= 1 && conf->flows <= EMU_MAX_FLOWS && conf->dsts <= UINT8_MAX + 1 &&
		conf->dsts <= conf->flows;
}

/** Make a generator for this port; the port goes on with the old one until it is put in place. */
int
emu_gen_create(const struct emu *emu, const struct rte_pmd_emunic_gen *conf,
	struct emu_generator **gen)
{
	static uint8_t origins;
	struct emu_generator *g;
	uint32_t i;

	if (!gen_conf_valid(emu, conf))
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	g->flows = calloc(conf->flows, sizeof(*g->flows));
	g->seqs = calloc(EMU_MAX_FLOWS, sizeof(*g->seqs));
	if (g->flows == NULL || g->seqs == NULL) {
		emu_gen_free(g);
		return -ENOMEM;
	}
	g->conf = *conf;
	g->conf.dsts = RTE_MAX(conf->dsts, 1);
	g->origin = emu->conf.origin + __atomic_fetch_add(&origins, 1, __ATOMIC_RELAXED);
	for (i = 0; i < conf->flows; i++)
		build_flow(&g->flows[i], i, &emu->conf.mac, &g->conf);
	*gen = g;
	return 0;
}

void
emu_gen_free(struct emu_generator *gen)
{
	if (gen == NULL)
		return;
	free(gen->flows);
	free(gen->seqs);
	free(gen);
}

/** Go on with the sequence numbers of the generator that is replaced. */
void
emu_gen_inherit(struct emu_generator *gen, struct emu_generator *old)
{
	uint32_t *unused = gen->seqs;

	gen->origin = old->origin;
	gen->seqs = old->seqs;
	old->seqs = unused;
}

void
emu_gen_rewind(struct emu_generator *gen)
{
	gen->made = 0;
	gen->next = 0;
}

bool
emu_gen_done(const struct emu_generator *gen)
{
	return gen->conf.count != 0 && gen->made == gen->conf.count;
}

/* The frame, in place. */
static inline void
build_frame(const struct emu_generator *g, const struct flow *flow, uint32_t id, uint64_t now,
	uint8_t *va)
{
	const uint32_t bulk = g->conf.frame - EMU_MIN_FRAME, seq = g->seqs[id];
	const struct emu_tag tag = emu_tag_make(g->origin, id, seq, now, sizeof(tag) + bulk);
	uint32_t sum = flow->sum + emu_tag_sum(&tag);
	uint16_t cksum;

	if (bulk > 0) {
		const uint32_t start = emu_pattern_start(id, seq);

		sum += emu_pattern_sum(start, bulk);
		memcpy(va + EMU_MIN_FRAME, &emu_pattern.bytes[start], bulk);
	}
	cksum = ~emu_fold(sum);
	if (cksum == 0)
		cksum = 0xffff;
	memcpy(va, flow->head, sizeof(flow->head));
	memcpy(va + UDP_OFF + offsetof(struct rte_udp_hdr, dgram_cksum), &cksum, sizeof(cksum));
	memcpy(va + TAG_OFF, &tag, sizeof(tag));
}

/* Find the flow's queue, and what is written into its descriptors. */
static void
aim(const struct emu *emu, struct flow *flow)
{
	struct emu_target t;

	emu_steer_frame(&emu->steer, flow->head, &parsed, &t);
	flow->queue = t.queue;
	flow->desc = emu_rx_describe(emu, &parsed, &t);
	flow->epoch = emu->steer.epoch;
}

/*
 * The next descriptors will be written, too. The doorbell is looked at before all that is known is used, since descriptors
 * that were just posted come from the driver's core.
 */
static inline void
prepare_descriptors(struct emu_rxq *q)
{
	unsigned int n;

	if (q->limit - q->head < 2 * EMU_BATCH)
		q->limit = __atomic_load_n(&q->doorbell, __ATOMIC_ACQUIRE);
	n = RTE_MIN(q->limit - q->head, (uint32_t)EMU_BATCH);
	for (unsigned int i = 0; i < n; i += RTE_CACHE_LINE_SIZE / sizeof(q->ring[0]))
		rte_prefetch0_write(&q->ring[(q->index + i) % q->nb_desc]);
	if (q->limit - q->head < 3 * EMU_BATCH)
		rte_prefetch0(&q->doorbell);
}

static inline uint32_t
flow_after(const struct emu_generator *g, uint32_t flow)
{
	return flow + 1u < g->conf.flows ? flow + 1 : 0;
}

/* How many of the next n frames go to this queue, and fit? */
static inline unsigned int
run_length(const struct emu *emu, const struct emu_generator *g, const struct emu_rxq *q,
	unsigned int n)
{
	uint16_t index = q->index;
	uint32_t next = g->next;
	unsigned int k;

	for (k = 0; k < n;
		k++, index = emu_advance(index, q->nb_desc), next = flow_after(g, next)) {
		const struct flow *flow = &g->flows[next];

		if (unlikely(flow->queue != q->queue_id || flow->epoch != emu->steer.epoch ||
			    q->ring[index].read.len < g->conf.frame))
			break;
	}
	return k;
}

/*
 * Make lines of n buffers this CPU's, by one store into each: all at once, where frames that are written one after the
 * other wait for a few lines at a time. A fetch, even for writing, leaves a line that is shared as it is. Of long frames
 * only the first lines: those of a whole batch have to stay in the first cache until they are written.
 */
static inline void
claim_buffers(struct emu *emu, const struct emu_rxq *q, uint32_t frame, unsigned int n)
{
	const uint32_t len = RTE_MIN(frame, CLAIM_LEN);
	uint16_t index = q->index;

	for (; n > 0; n--, index = emu_advance(index, q->nb_desc)) {
		volatile uint8_t *va = iommu_access(&emu->mmu, &emu->hint, q->ring[index].read.iova,
			len);

		if (unlikely(va == NULL))
			continue;
		for (uint32_t off = 0; off < len; off += RTE_CACHE_LINE_SIZE)
			va[off] = 0;
	}
}

/* The next frame, where the NIC was told to. Returns what to write back. */
static inline const union emu_rx_desc *
deliver(struct emu *emu, struct emu_generator *g, uint64_t iova)
{
	const struct flow *flow = &g->flows[g->next];
	uint8_t *va = iommu_access(&emu->mmu, &emu->hint, iova, g->conf.frame);

	if (likely(va != NULL))
		build_frame(g, flow, g->next, emu->now, va);
	else
		emu_fault(emu, "write", iova, g->conf.frame);
	g->seqs[g->next]++;
	g->next = flow_after(g, g->next);
	return &flow->desc;
}

/*
 * The next frame was admitted: deliver it, and up to n in all, as long as they go to the same queue and
 * find room. All are written back at the end: a driver that polls pulls the line of a single one away.
 */
static unsigned int
deliver_run(struct emu *emu, struct emu_generator *g, unsigned int n)
{
	struct emu_rxq *q = emu->rxq[g->flows[g->next].queue];
	const union emu_rx_desc *desc[EMU_BATCH];
	uint16_t index = q->index;

	n = run_length(emu, g, q, RTE_MIN(n, q->limit - q->head));
	claim_buffers(emu, q, g->conf.frame, n);
	for (unsigned int i = 0; i < n; i++, index = emu_advance(index, q->nb_desc))
		desc[i] = deliver(emu, g, q->ring[index].read.iova);
	index = q->index;
	for (unsigned int i = 0; i < n; i++, index = emu_advance(index, q->nb_desc))
		emu_rx_write_back(&q->ring[index], desc[i], g->conf.frame);
	emu_rx_completed(emu, q, index, n);
	prepare_descriptors(q);
	return n;
}

/** Generate at most `budget` frames. */
unsigned int
emu_gen_run(struct emu *emu, unsigned int budget)
{
	struct emu_generator *g = emu->gen;
	unsigned int n = 0;

	if (g->conf.count != 0)
		budget = RTE_MIN(budget, g->conf.count - g->made);
	while (n < budget) {
		struct flow *flow = &g->flows[g->next];
		enum emu_verdict verdict;

		if (unlikely(flow->epoch != emu->steer.epoch))
			aim(emu, flow);
		verdict = emu_rx_admit(emu, flow->queue, g->conf.frame);
		if (likely(verdict == EMU_DELIVERED)) {
			n += deliver_run(emu, g, RTE_MIN(budget - n, (unsigned int)EMU_BATCH));
			continue;
		}
		if (emu_rx_refuse(emu, flow->queue, verdict) == EMU_BLOCKED)
			break;
		g->seqs[g->next]++;
		g->next = flow_after(g, g->next);
		n++;
	}
	g->made += n;
	return n;
}
