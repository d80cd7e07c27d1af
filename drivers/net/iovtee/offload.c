/* SPDX-License-Identifier: BSD-3-Clause */
/* What the switch asks for, put into headers. */
#include <errno.h>
#include <stddef.h>

#include <linux/virtio_net.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "offload.h"

#define TAG_AT   (2 * RTE_ETHER_ADDR_LEN) /* a VLAN tag goes behind the addresses */
#define L3_MAX   65535u                   /* bytes of an IP packet */
#define IP_FLAGS (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)

/* ---- what is asked for ---- */

static bool
asks_l4(const struct offload *o)
{
	return o->flags & RTE_MBUF_F_TX_L4_MASK;
}

static bool
is_udp(const struct offload *o)
{
	return (o->flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM;
}

static bool
is_ipv4(const struct offload *o)
{
	return o->flags & RTE_MBUF_F_TX_IPV4;
}

/* Segments that a NIC has merged are what a segmentation request is, but nobody has said where its headers are. */
static int
read_merged(struct offload *o, const struct rte_mbuf *m, uint64_t leave)
{
	struct rte_net_hdr_lens lens;
	uint32_t type = rte_net_get_ptype(m, &lens,
		RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);

	if ((type & RTE_PTYPE_L4_MASK) != RTE_PTYPE_L4_TCP)
		return -EINVAL;
	o->flags = RTE_MBUF_F_TX_TCP_SEG | (m->ol_flags & RTE_MBUF_F_TX_VLAN & ~leave) |
		(RTE_ETH_IS_IPV4_HDR(type) ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM
					   : RTE_MBUF_F_TX_IPV6);
	o->l3 = lens.l2_len;
	o->l3_len = lens.l3_len;
	o->l4_len = lens.l4_len;
	return 0;
}

static int
read_request(struct offload *o, const struct rte_mbuf *m, uint64_t leave)
{
	o->flags = m->ol_flags & (OFFLOAD_REQUESTS | IP_FLAGS) & ~leave;
	if ((m->ol_flags & RTE_MBUF_F_RX_LRO) && !(o->flags & RTE_MBUF_F_TX_TCP_SEG)) {
		if (read_merged(o, m, leave) < 0)
			return -EINVAL;
	} else {
		o->l3 = m->l2_len;
		o->l3_len = m->l3_len;
		o->l4_len = m->l4_len;
	}
	if (o->flags & RTE_MBUF_F_TX_TCP_SEG) {
		o->flags = (o->flags & ~RTE_MBUF_F_TX_L4_MASK) | RTE_MBUF_F_TX_TCP_CKSUM;
		o->mss = m->tso_segsz;
		return o->mss > 0 ? 0 : -EINVAL;
	}
	/* Where only a checksum is asked for, its length is not always said. */
	o->l4_len = is_udp(o) ? sizeof(struct rte_udp_hdr) : sizeof(struct rte_tcp_hdr);
	return 0;
}

static bool
is_possible(const struct offload *o, const struct rte_mbuf *m)
{
	uint64_t ip = o->flags & IP_FLAGS;

	if (m->ol_flags & OFFLOAD_REFUSED)
		return false;
	if (!asks_l4(o) && !(o->flags & RTE_MBUF_F_TX_IP_CKSUM))
		return true;
	if ((m->ol_flags & RTE_MBUF_F_TX_TUNNEL_MASK) ||
		(o->flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM ||
		o->l3 < sizeof(struct rte_ether_hdr))
		return false;
	if (ip == RTE_MBUF_F_TX_IPV4)
		return o->l3_len >= sizeof(struct rte_ipv4_hdr);
	return ip == RTE_MBUF_F_TX_IPV6 && !(o->flags & RTE_MBUF_F_TX_IP_CKSUM) &&
		o->l3_len >= sizeof(struct rte_ipv6_hdr);
}

/* ---- the headers as they are ---- */

static int
read_head(struct offload *o, const struct rte_mbuf *m)
{
	uint32_t len = TAG_AT;
	const void *data;

	if (asks_l4(o))
		len = o->l3 + o->l3_len + o->l4_len;
	else if (o->flags & RTE_MBUF_F_TX_IP_CKSUM)
		len = o->l3 + o->l3_len;
	if (len > OFFLOAD_HEAD_MAX - sizeof(struct rte_vlan_hdr))
		return -EINVAL;
	data = rte_pktmbuf_read(m, 0, len, o->head);
	if (data == NULL)
		return -EINVAL;
	if (data != o->head)
		memcpy(o->head, data, len);
	o->head_len = o->from = len;
	o->payload = m->pkt_len - len;
	return 0;
}

static void
insert_tag(struct offload *o, uint16_t tci)
{
	uint8_t *at = o->head + TAG_AT;
	struct {
		rte_be16_t proto;
		rte_be16_t tci;
	} tag = {rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(tci)};

	memmove(at + sizeof(tag), at, o->head_len - TAG_AT);
	memcpy(at, &tag, sizeof(tag));
	o->head_len += sizeof(tag);
	o->l3 += sizeof(tag);
}

static struct rte_ipv4_hdr *
ipv4(struct offload *o)
{
	return (struct rte_ipv4_hdr *)(o->head + o->l3);
}

static struct rte_ipv6_hdr *
ipv6(struct offload *o)
{
	return (struct rte_ipv6_hdr *)(o->head + o->l3);
}

static struct rte_tcp_hdr *
tcp(struct offload *o)
{
	return (struct rte_tcp_hdr *)(o->head + o->l4);
}

/* The payload as IP has it: what follows may be padding. -EINVAL: more than there is, or (below 0) no room for headers. */
static int
check_ip_length(struct offload *o)
{
	uint32_t len = is_ipv4(o)
		? rte_be_to_cpu_16(ipv4(o)->total_length)
		: rte_be_to_cpu_16(ipv6(o)->payload_len) + sizeof(struct rte_ipv6_hdr);
	uint32_t headers = o->l3_len + o->l4_len;

	return len - headers <= o->payload ? 0 : -EINVAL;
}

/* ---- a large packet: by the guest, or cut here ---- */

static bool
fits_ip(const struct offload *o, uint32_t payload)
{
	return o->l3_len + o->l4_len + payload <= L3_MAX;
}

static bool
guest_cuts(const struct offload *o, const struct offload_takes *t)
{
	bool cwr = o->tcp_flags & RTE_TCP_CWR_FLAG;

	/* CWR is of the first segment only, which a guest knows if it has GUEST_ECN. */
	return (is_ipv4(o) ? t->tso4 : t->tso6) && (!cwr || t->ecn) && fits_ip(o, o->payload);
}

static int
plan_segments(struct offload *o, const struct offload_takes *t)
{
	if (o->l4_len < sizeof(struct rte_tcp_hdr) || !fits_ip(o, RTE_MIN(o->payload, o->mss)))
		return -EINVAL;
	o->seq = rte_be_to_cpu_32(tcp(o)->sent_seq);
	o->tcp_flags = tcp(o)->tcp_flags;
	o->id = is_ipv4(o) ? rte_be_to_cpu_16(ipv4(o)->packet_id) : 0;
	if (o->payload <= o->mss)
		return 0;
	if (!guest_cuts(o, t)) {
		o->cut = o->mss;
		return 0;
	}
	o->gso_type = is_ipv4(o) ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	if (o->tcp_flags & RTE_TCP_CWR_FLAG)
		o->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	return 0;
}

int
offload_open(struct offload *o, const struct rte_mbuf *m, const struct offload_takes *takes)
{
	o->cut = o->mss = 0;
	o->gso_type = VIRTIO_NET_HDR_GSO_NONE;
	if (read_request(o, m, takes->leave) < 0 || !is_possible(o, m) || read_head(o, m) < 0)
		return -EINVAL;
	if (o->flags & RTE_MBUF_F_TX_VLAN)
		insert_tag(o, m->vlan_tci);
	o->l4 = o->l3 + o->l3_len;
	o->in_software = asks_l4(o) && !takes->csum;
	o->data_valid = takes->csum &&
		(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	if (!asks_l4(o))
		return 0;
	return o->mss > 0 ? plan_segments(o, takes) : check_ip_length(o);
}

/* ---- the headers as they shall be ---- */

/* The len bytes from off on, as a segment of their own (RFC 9293; CWR: RFC 3168, 6.1.2). */
static void
set_segment(struct offload *o, uint32_t off, uint32_t len)
{
	uint16_t l3_bytes = o->l3_len + o->l4_len + len;
	uint8_t not_here = 0;

	if (is_ipv4(o)) {
		ipv4(o)->total_length = rte_cpu_to_be_16(l3_bytes);
		ipv4(o)->packet_id = rte_cpu_to_be_16(o->id + off / o->mss);
	} else {
		ipv6(o)->payload_len = rte_cpu_to_be_16(l3_bytes - sizeof(struct rte_ipv6_hdr));
	}
	if (off > 0)
		not_here |= RTE_TCP_CWR_FLAG;
	if (off + len < o->payload)
		not_here |= RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG;
	tcp(o)->sent_seq = rte_cpu_to_be_32(o->seq + off);
	tcp(o)->tcp_flags = o->tcp_flags & ~not_here;
}

static void
set_ipv4_checksum(struct offload *o)
{
	ipv4(o)->hdr_checksum = 0;
	ipv4(o)->hdr_checksum = ~rte_raw_cksum(ipv4(o), o->l3_len);
}

static uint16_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* Bytes that TCP or UDP have in this packet, their header included. */
static uint16_t
l4_bytes(struct offload *o)
{
	return is_ipv4(o)
		? rte_be_to_cpu_16(ipv4(o)->total_length) - o->l3_len
		: rte_be_to_cpu_16(ipv6(o)->payload_len) + sizeof(struct rte_ipv6_hdr) - o->l3_len;
}

/*
 * Of the addresses, the protocol and the length. A large packet's length is in it too: that is how virtio has
 * it (unlike NICs, and rte_ipv4_phdr_cksum()), for a guest that forwards it corrects the sum by it.
 */
static uint16_t
pseudo_header_sum(struct offload *o, uint16_t len)
{
	uint32_t sum = is_ipv4(o) ? rte_raw_cksum(&ipv4(o)->src_addr, 2 * sizeof(rte_be32_t))
				  : rte_raw_cksum(&ipv6(o)->src_addr, 2 * 16);

	sum += rte_cpu_to_be_16(is_udp(o) ? IPPROTO_UDP : IPPROTO_TCP);
	return fold(sum + rte_cpu_to_be_16(len));
}

/* rte_raw_cksum_mbuf() of DPDK 22.11 loses carries behind a segment of odd length. */
uint16_t
offload_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint32_t done = 0;
	uint16_t sum = 0;

	for (; done < len; m = m->next) {
		uint16_t part;
		uint32_t n;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = RTE_MIN(len - done, m->data_len - off);
		part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const void *, off), n);
		sum = fold(sum + (uint32_t)(done % 2 ? rte_bswap16(part) : part));
		done += n;
		off = 0;
	}
	return sum;
}

/* Whole, or just the pseudo header's part, which the guest completes (5.1.6.4). */
static void
set_l4_checksum(struct offload *o, const struct rte_mbuf *m, uint32_t off)
{
	uint16_t at = is_udp(o) ? offsetof(struct rte_udp_hdr, dgram_cksum)
				: offsetof(struct rte_tcp_hdr, cksum);
	uint8_t *l4 = o->head + o->l4;
	uint16_t len = l4_bytes(o), sum = 0;

	memcpy(l4 + at, &sum, sizeof(sum));
	sum = pseudo_header_sum(o, len);
	if (o->in_software) {
		sum = ~fold(sum + rte_raw_cksum(l4, o->l4_len) +
			offload_sum(m, o->from + off, len - o->l4_len));
		if (sum == 0 && is_udp(o))
			sum = 0xffff;
	} else {
		o->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		o->hdr.csum_start = o->l4;
		o->hdr.csum_offset = at;
	}
	memcpy(l4 + at, &sum, sizeof(sum));
}

void
offload_build(struct offload *o, const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	o->hdr = (struct iovt_vnet_hdr){
		.flags = o->data_valid ? VIRTIO_NET_HDR_F_DATA_VALID : 0,
		.num_buffers = 1,
	};
	if (o->mss > 0)
		set_segment(o, off, len);
	if (o->flags & RTE_MBUF_F_TX_IP_CKSUM)
		set_ipv4_checksum(o);
	if (asks_l4(o))
		set_l4_checksum(o, m, off);
	if (o->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		o->hdr.gso_type = o->gso_type;
		o->hdr.gso_size = o->mss;
		o->hdr.hdr_len = o->head_len;
	}
}
