/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest asks for, checked, and put into an mbuf. */
#include <errno.h>
#include <stddef.h>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "offload.h"
#include "request.h"

/* What an mbuf can say of these lengths. */
#define L2_MAX ((1u << RTE_MBUF_L2_LEN_BITS) - 1)
#define L3_MAX ((1u << RTE_MBUF_L3_LEN_BITS) - 1)

/* A packet's headers as they are found in it. */
struct found {
	struct rte_net_hdr_lens lens;
	bool v4;
	bool tcp;
	uint32_t l4; /* where that begins */
};

/*
 * TCP or UDP in IP, and the checksum that is asked for is theirs: a tunnel's inner ones are not. Nor are those behind
 * IPv6 extension headers: DPDK's pseudo header (rte_ipv6_phdr_cksum) is not of the right protocol then.
 */
static bool
find(struct found *p, const struct rte_mbuf *m, const struct iovt_vnet_hdr *h)
{
	uint32_t type = rte_net_get_ptype(m, &p->lens,
		RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
	uint32_t l4 = type & RTE_PTYPE_L4_MASK;

	p->v4 = RTE_ETH_IS_IPV4_HDR(type);
	if (!p->v4 && !RTE_ETH_IS_IPV6_HDR(type))
		return false;
	p->tcp = l4 == RTE_PTYPE_L4_TCP;
	p->l4 = p->lens.l2_len + p->lens.l3_len;
	if (p->lens.l2_len > L2_MAX || p->lens.l3_len > L3_MAX || p->l4 != h->csum_start ||
		!(p->v4 || p->lens.l3_len == sizeof(struct rte_ipv6_hdr)))
		return false;
	return p->tcp ? h->csum_offset == offsetof(struct rte_tcp_hdr, cksum)
		      : l4 == RTE_PTYPE_L4_UDP &&
			h->csum_offset == offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* The length that IP has is that of the packet, but for padding. */
static bool
has_ip_length(const struct found *p, const struct rte_mbuf *m)
{
	const void *ip = rte_pktmbuf_mtod_offset(m, const void *, p->lens.l2_len);
	uint32_t len = p->v4 ? rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length)
			     : rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)ip)->payload_len) +
			sizeof(struct rte_ipv6_hdr);

	return len >= p->lens.l3_len + p->lens.l4_len && len <= m->pkt_len - p->lens.l2_len;
}

static bool
may_be_cut(const struct found *p, const struct iovt_vnet_hdr *h, const struct request_rules *r)
{
	uint8_t type = h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	if ((h->gso_type & VIRTIO_NET_HDR_GSO_ECN) && !r->ecn)
		return false;
	return p->tcp && h->gso_size >= REQUEST_MSS_MIN &&
		(p->v4 ? type == VIRTIO_NET_HDR_GSO_TCPV4 && r->tso4
		       : type == VIRTIO_NET_HDR_GSO_TCPV6 && r->tso6);
}

/* The headers are in the first segment, whole. */
static bool
has_headers(const struct found *p, const struct rte_mbuf *m)
{
	return p->lens.l4_len >=
		(p->tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)) &&
		p->l4 + p->lens.l4_len <= m->data_len;
}

static void
describe(struct rte_mbuf *m, const struct found *p, uint16_t mss)
{
	m->l2_len = p->lens.l2_len;
	m->l3_len = p->lens.l3_len;
	m->l4_len = p->lens.l4_len;
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE |
		(p->v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6) |
		(p->tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM);
	if (mss == 0)
		return;
	m->tso_segsz = mss;
	m->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_TX_TCP_SEG |
		(p->v4 ? RTE_MBUF_F_TX_IP_CKSUM : 0);
}

/* -ENOTSUP: there is no flag for such a packet. */
static int
pass_on(struct rte_mbuf *m, const struct iovt_vnet_hdr *h, const struct request_rules *r)
{
	bool large = h->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	struct found p;

	if (!find(&p, m, h))
		return -ENOTSUP;
	if (!has_headers(&p, m) || (large && !may_be_cut(&p, h, r)))
		return -EINVAL;
	large = large && m->pkt_len - p.l4 - p.lens.l4_len > h->gso_size;
	if (!large && !has_ip_length(&p, m))
		return -EINVAL;
	describe(m, &p, large ? h->gso_size : 0);
	/* The pseudo header's sum as NICs want it, which is not that of virtio if the packet is large. */
	return rte_net_intel_cksum_prepare(m);
}

/* Whatever the packet is (5.1.6.2.1): the field has a pseudo header's sum already, if there is one. */
static void
complete_checksum(struct rte_mbuf *m, const struct iovt_vnet_hdr *h)
{
	uint16_t sum = ~offload_sum(m, h->csum_start, m->pkt_len - h->csum_start);

	if (sum == 0)
		sum = 0xffff; /* 0 says that there is none (RFC 768); to others they are the same */
	memcpy(rte_pktmbuf_mtod_offset(m, void *, h->csum_start + h->csum_offset), &sum,
		sizeof(sum));
}

static int
apply(struct rte_mbuf *m, const struct iovt_vnet_hdr *h, const struct request_rules *r,
	struct request_stats *s)
{
	bool large = h->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	int ret;

	/* Segments have new checksums, which is to be said (5.1.6.2.1). */
	if ((h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 ||
		h->csum_start + h->csum_offset + sizeof(uint16_t) > m->data_len)
		return -EINVAL;
	ret = r->pass ? pass_on(m, h, r) : -ENOTSUP;
	if (ret == -ENOTSUP && !large) {
		complete_checksum(m, h);
		s->csum_in_software++;
		ret = 0;
	}
	if (ret == 0) {
		s->csum_requests++;
		s->gso_requests += large;
	}
	return ret;
}

int
request_apply(struct rte_mbuf *m, const struct iovt_vnet_hdr *h, const struct request_rules *r,
	struct request_stats *s)
{
	if (apply(m, h, r, s) == 0)
		return 0;
	s->dropped_request++;
	return -EINVAL;
}
