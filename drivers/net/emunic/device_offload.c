/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums and segments that a Tx descriptor asks for, made as NICs make them: of the lengths that the descriptor says,
 * whatever the packet is, and of the pseudo header's sum in the checksum field. Runs under the device's lock.
 */
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "emunic.h"

/* A packet in emu->large, and what is to be done to it. */
struct request {
	uint16_t what; /* EMU_TX_* */
	uint16_t l3;   /* offsets */
	uint16_t l4;
	uint16_t payload;
	uint16_t mss;
	bool v6;
	uint32_t len;
};

/* false: the lengths are not those of such a packet. */
static bool
read_request(struct request *r, const struct emu *emu, const struct emu_tx_desc *d, uint32_t len)
{
	uint32_t l4_len = (d->offload >> EMU_TX_L4_SHIFT) * 4;

	r->what = d->control & EMU_TX_REQUESTS;
	r->len = len;
	r->l3 = d->control >> EMU_TX_L2_SHIFT;
	r->l4 = r->l3 + (d->offload >> EMU_TX_L3_SHIFT & 0x1ff);
	r->payload = r->l4 + l4_len;
	r->mss = d->offload;
	if (r->what & EMU_TX_CUT)
		r->what |= EMU_TX_TCP_SUM;
	r->v6 = emu->large[r->l3] >> 4 == 6;
	if (r->l3 < RTE_ETHER_HDR_LEN || r->payload > len ||
		r->l4 - r->l3 <
			(int)(r->v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) ||
		((r->what & EMU_TX_TCP_SUM) && r->l4 + sizeof(struct rte_tcp_hdr) > len) ||
		((r->what & EMU_TX_UDP_SUM) && r->l4 + sizeof(struct rte_udp_hdr) > len))
		return false;
	if (r->what & EMU_TX_CUT)
		return l4_len >= sizeof(struct rte_tcp_hdr) && r->mss > 0 &&
			(uint32_t)r->payload + r->mss <= EMU_MAX_FRAME;
	return len <= EMU_MAX_FRAME;
}

/* The segment whose payload begins off bytes into the packet's: headers as RFC 9293 and RFC 3168 have them. */
static void
set_segment(const struct request *r, uint8_t *frame, uint32_t off, uint32_t n)
{
	struct rte_tcp_hdr *tcp = (void *)(frame + r->l4);
	uint16_t l3_bytes = r->payload - r->l3 + n;

	if (r->v6) {
		struct rte_ipv6_hdr *ip = (void *)(frame + r->l3);

		ip->payload_len = rte_cpu_to_be_16(l3_bytes - sizeof(*ip));
	} else {
		struct rte_ipv4_hdr *ip = (void *)(frame + r->l3);

		ip->total_length = rte_cpu_to_be_16(l3_bytes);
		ip->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->packet_id) + off / r->mss);
	}
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + off);
	if (off > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
	if (r->payload + off + n < r->len)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
}

/* The field holds the pseudo header's sum; of a packet that is cut, without the length. */
static void
set_l4_sum(const struct request *r, uint8_t *frame, uint32_t len)
{
	const bool udp = r->what & EMU_TX_UDP_SUM;
	uint8_t *field = frame + r->l4 +
		(udp ? offsetof(struct rte_udp_hdr, dgram_cksum)
		     : offsetof(struct rte_tcp_hdr, cksum));
	uint32_t sum = rte_raw_cksum(frame + r->l4, len - r->l4);
	uint16_t result;

	if (r->what & EMU_TX_CUT)
		sum += rte_cpu_to_be_16(len - r->l4);
	sum = (sum & 0xffff) + (sum >> 16);
	result = ~((sum & 0xffff) + (sum >> 16));
	if (result == 0 && udp)
		result = 0xffff;
	memcpy(field, &result, sizeof(result));
}

static void
set_sums(const struct request *r, uint8_t *frame, uint32_t len)
{
	if (r->what & EMU_TX_IPV4_SUM) {
		struct rte_ipv4_hdr *ip = (void *)(frame + r->l3);

		ip->hdr_checksum = ~rte_raw_cksum(ip, r->l4 - r->l3);
	}
	if (r->what & (EMU_TX_TCP_SUM | EMU_TX_UDP_SUM))
		set_l4_sum(r, frame, len);
}

static unsigned int
send_one(struct emu *emu, const struct request *r, uint8_t *frame, uint32_t len)
{
	set_sums(r, frame, len);
	if (emu_transmit(emu, frame, len) == EMU_BLOCKED) {
		emu->counters[EMU_TX_DROPS]++; /* it cannot be taken up again */
		return 0;
	}
	emu->counters[EMU_TX_CHECKSUMS]++;
	return 1;
}

static unsigned int
send_cut(struct emu *emu, const struct request *r)
{
	unsigned int sent = 0;
	uint32_t off = 0;

	emu->counters[EMU_TX_CUTS]++;
	do {
		uint32_t n = RTE_MIN(r->len - r->payload - off, (uint32_t)r->mss);

		memcpy(emu->bounce, emu->large, r->payload);
		memcpy(emu->bounce + r->payload, emu->large + r->payload + off, n);
		set_segment(r, emu->bounce, off, n);
		sent += send_one(emu, r, emu->bounce, r->payload + n);
		off += n;
	} while (r->payload + off < r->len);
	return sent;
}

/** Send the packet at the head of the queue, which has requests. Returns how many frames went out. */
unsigned int
emu_tx_offload(struct emu *emu, const struct emu_txq *q, unsigned int descs, uint32_t len)
{
	struct request r;

	if (len < RTE_ETHER_HDR_LEN || len > EMU_TSO_MAX ||
		emu_tx_gather(emu, q, descs, emu->large, true) == NULL ||
		!read_request(&r, emu, &q->ring[q->index], len)) {
		emu->counters[EMU_TX_DROPS]++;
		return 0;
	}
	return r.what & EMU_TX_CUT ? send_cut(emu, &r) : send_one(emu, &r, emu->large, len);
}
