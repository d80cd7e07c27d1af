/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers and checksums of frames that the device did not build itself. */
#include <netinet/in.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "emunic.h"

static uint16_t
load16(const uint8_t *data)
{
	return data[0] << 8 | data[1];
}

/* Up to two VLAN tags; returns the Ethernet type behind them. */
static uint16_t
parse_l2(const uint8_t *data, uint16_t len, struct emu_parsed *p)
{
	uint16_t type = load16(data + 2 * RTE_ETHER_ADDR_LEN);

	p->ptype = RTE_PTYPE_L2_ETHER;
	p->l3_off = RTE_ETHER_HDR_LEN;
	while ((type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ) &&
		p->ptype != RTE_PTYPE_L2_ETHER_QINQ && len >= p->l3_off + RTE_VLAN_HLEN) {
		if (!p->tagged)
			p->vlan_tci = load16(data + p->l3_off);
		p->ptype = p->tagged ? RTE_PTYPE_L2_ETHER_QINQ : RTE_PTYPE_L2_ETHER_VLAN;
		p->tagged = true;
		type = load16(data + p->l3_off + 2);
		p->l3_off += RTE_VLAN_HLEN;
	}
	return type;
}

static uint16_t
l4_ptype(uint8_t proto, uint16_t room)
{
	if (proto == IPPROTO_UDP && room >= sizeof(struct rte_udp_hdr))
		return RTE_PTYPE_L4_UDP;
	if (proto == IPPROTO_TCP && room >= sizeof(struct rte_tcp_hdr))
		return RTE_PTYPE_L4_TCP;
	if (proto == IPPROTO_SCTP)
		return RTE_PTYPE_L4_SCTP;
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return RTE_PTYPE_L4_ICMP;
	return RTE_PTYPE_L4_NONFRAG;
}

static void
parse_ipv4(const uint8_t *data, uint16_t len, struct emu_parsed *p)
{
	const struct rte_ipv4_hdr *ip = (const void *)(data + p->l3_off);
	uint16_t ihl;

	if (len < p->l3_off + sizeof(*ip))
		return;
	ihl = rte_ipv4_hdr_len(ip);
	if (ip->version != 4 || ihl < sizeof(*ip) || len < p->l3_off + ihl)
		return;
	p->ptype |= ihl == sizeof(*ip) ? RTE_PTYPE_L3_IPV4 : RTE_PTYPE_L3_IPV4_EXT;
	p->l4_off = p->l3_off + ihl;
	if (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG))
		p->ptype |= RTE_PTYPE_L4_FRAG;
	else
		p->ptype |= l4_ptype(ip->next_proto_id, len - p->l4_off);
}

static void
parse_ipv6(const uint8_t *data, uint16_t len, struct emu_parsed *p)
{
	const struct rte_ipv6_hdr *ip = (const void *)(data + p->l3_off);

	if (len < p->l3_off + sizeof(*ip))
		return;
	p->l4_off = p->l3_off + sizeof(*ip);
	if (ip->proto == IPPROTO_HOPOPTS || ip->proto == IPPROTO_ROUTING ||
		ip->proto == IPPROTO_DSTOPTS || ip->proto == IPPROTO_FRAGMENT)
		p->ptype |= RTE_PTYPE_L3_IPV6_EXT;
	else
		p->ptype |= RTE_PTYPE_L3_IPV6 | l4_ptype(ip->proto, len - p->l4_off);
}

/** Parse the headers of a frame of at least 14 bytes; checksums stay unknown. */
void
emu_frame_parse(const uint8_t *data, uint16_t len, struct emu_parsed *p)
{
	uint16_t type;

	memset(p, 0, sizeof(*p));
	type = parse_l2(data, len, p);
	if (type == RTE_ETHER_TYPE_IPV4)
		parse_ipv4(data, len, p);
	else if (type == RTE_ETHER_TYPE_IPV6)
		parse_ipv6(data, len, p);
}

/* Is the sum over the pseudo header and the L4 part right? */
static bool
l4_sum_good(const void *addrs, size_t addrs_len, uint8_t proto, const uint8_t *l4, uint16_t l4_len)
{
	uint32_t sum = rte_raw_cksum(addrs, addrs_len) + rte_cpu_to_be_16(proto) +
		rte_cpu_to_be_16(l4_len) + rte_raw_cksum(l4, l4_len);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/** Verify the checksums of a parsed frame. */
void
emu_frame_check(const uint8_t *data, uint16_t len, struct emu_parsed *p)
{
	const uint8_t *l3 = data + p->l3_off, *l4 = data + p->l4_off;
	const uint32_t l3_type = p->ptype & RTE_PTYPE_L3_MASK;
	const uint32_t l4_type = p->ptype & RTE_PTYPE_L4_MASK;
	size_t addrs, addrs_len, end;
	bool good;

	if (l3_type == RTE_PTYPE_L3_IPV4 || l3_type == RTE_PTYPE_L3_IPV4_EXT) {
		const struct rte_ipv4_hdr *ip = (const void *)l3;

		good = rte_raw_cksum(ip, rte_ipv4_hdr_len(ip)) == 0xffff;
		p->cksum |= good ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : RTE_MBUF_F_RX_IP_CKSUM_BAD;
		end = p->l3_off + rte_be_to_cpu_16(ip->total_length);
		addrs = offsetof(struct rte_ipv4_hdr, src_addr);
		addrs_len = 2 * sizeof(ip->src_addr);
	} else if (l3_type == RTE_PTYPE_L3_IPV6) {
		const struct rte_ipv6_hdr *ip = (const void *)l3;

		end = p->l4_off + rte_be_to_cpu_16(ip->payload_len);
		addrs = offsetof(struct rte_ipv6_hdr, src_addr);
		addrs_len = 2 * sizeof(ip->src_addr);
	} else {
		return;
	}
	if (end > len || end < p->l4_off)
		return;
	if (l4_type == RTE_PTYPE_L4_UDP) {
		/* 0: the sender made none, so there is nothing to verify. */
		if (end < p->l4_off + sizeof(struct rte_udp_hdr) ||
			((const struct rte_udp_hdr *)l4)->dgram_cksum == 0)
			return;
		good = l4_sum_good(l3 + addrs, addrs_len, IPPROTO_UDP, l4, end - p->l4_off);
	} else if (l4_type == RTE_PTYPE_L4_TCP && end >= p->l4_off + sizeof(struct rte_tcp_hdr)) {
		good = l4_sum_good(l3 + addrs, addrs_len, IPPROTO_TCP, l4, end - p->l4_off);
	} else {
		return;
	}
	p->cksum |= good ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD;
}
