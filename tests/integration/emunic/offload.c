/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums and segments that the application leaves to the device. What is sent comes back, and is verified there. */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "nic.h"

#define LOOP "engine=step,loop=1,pause=1"
#define MSS  500u
#define OFFLOADS                                                                                   \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                            \
		RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO |                        \
		RTE_ETH_TX_OFFLOAD_MULTI_SEGS)

static const struct rte_eth_conf with_offloads = {
	.rxmode.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM,
	.txmode.offloads = OFFLOADS,
};

static uint8_t
byte_at(uint32_t i)
{
	return i * 7 + (i >> 8);
}

/* Append len bytes; several segments if it does not fit one. */
static void
append(struct rte_mbuf *m, const void *data, uint16_t len)
{
	char *room = rte_pktmbuf_append(m, len);

	if (room == NULL) {
		struct rte_mbuf *more = rte_pktmbuf_alloc(nic_pool);

		assert_non_null(more);
		assert_int_equal(rte_pktmbuf_chain(m, more), 0);
		room = rte_pktmbuf_append(m, len);
	}
	assert_non_null(room);
	memcpy(room, data, len);
}

static void
put_ip(struct rte_mbuf *m, bool v6, uint8_t proto, uint16_t len)
{
	struct rte_ipv4_hdr ip4 = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(sizeof(ip4) + len),
		.packet_id = rte_cpu_to_be_16(0xffff),
		.time_to_live = 64,
		.next_proto_id = proto,
		.src_addr = rte_cpu_to_be_32(0x0a000001),
		.dst_addr = rte_cpu_to_be_32(0xc0a8ffee),
	};
	struct rte_ipv6_hdr ip6 = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28),
		.payload_len = rte_cpu_to_be_16(len),
		.proto = proto,
		.hop_limits = 64,
	};

	memset(&ip6.src_addr, 0x5a, 16);
	memset(&ip6.dst_addr, 0xa7, 16);
	m->l2_len = sizeof(struct rte_ether_hdr);
	m->l3_len = v6 ? sizeof(ip6) : sizeof(ip4);
	append(m, v6 ? (void *)&ip6 : (void *)&ip4, m->l3_len);
	m->ol_flags |= v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

static struct rte_mbuf *
make(bool v6, bool udp, uint32_t payload)
{
	struct rte_ether_hdr eth = {
		.ether_type = rte_cpu_to_be_16(v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4)};
	struct rte_tcp_hdr tcp = {
		.sent_seq = rte_cpu_to_be_32(0xffffff00),
		.data_off = 0x50,
		.tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG |
			RTE_TCP_CWR_FLAG,
	};
	struct rte_udp_hdr head = {.dgram_len = rte_cpu_to_be_16(sizeof(head) + payload)};
	struct rte_mbuf *m = rte_pktmbuf_alloc(nic_pool);

	assert_non_null(m);
	memset(&eth.dst_addr, 0xff, sizeof(eth.dst_addr));
	append(m, &eth, sizeof(eth));
	m->l4_len = udp ? sizeof(head) : sizeof(tcp);
	put_ip(m, v6, udp ? IPPROTO_UDP : IPPROTO_TCP, m->l4_len + payload);
	append(m, udp ? (void *)&head : (void *)&tcp, m->l4_len);
	m->ol_flags |= udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
	for (uint32_t i = 0; i < payload; i++)
		append(m, &(uint8_t){byte_at(i)}, 1);
	return m;
}

static void
send_prepared(uint16_t port, struct rte_mbuf *m)
{
	assert_int_equal(rte_eth_tx_prepare(port, 0, &m, 1), 1);
	assert_int_equal(rte_eth_tx_burst(port, 0, &m, 1), 1);
}

/* The next frame, whose checksums the device found right; l4 is where its TCP or UDP header is. */
static struct rte_mbuf *
receive(uint16_t port, bool v6)
{
	struct rte_mbuf *m;

	assert_int_equal(rte_eth_rx_burst(port, 0, &m, 1), 1);
	assert_int_equal(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
	if (!v6)
		assert_int_equal(m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK,
			RTE_MBUF_F_RX_IP_CKSUM_GOOD);
	return m;
}

static void
expect_payload(const struct rte_mbuf *m, uint16_t head, uint32_t off, uint32_t len)
{
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->pkt_len, head + len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(data[head + i], byte_at(off + i));
}

static void
checksum(uint16_t port, bool v6, bool udp, uint32_t payload)
{
	struct rte_mbuf *m = make(v6, udp, payload);
	uint16_t head = m->l2_len + m->l3_len + m->l4_len;

	send_prepared(port, m);
	nic_step(port, NIC_BURST, 1);
	m = receive(port, v6);
	expect_payload(m, head, 0, payload);
	rte_pktmbuf_free(m);
}

static void
expect_segment(const struct rte_mbuf *m, bool v6, uint32_t payload, uint32_t off)
{
	uint16_t l4 = sizeof(struct rte_ether_hdr) + (v6 ? 40 : 20);
	uint32_t len = RTE_MIN(payload - off, MSS);
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod_offset(m, const struct rte_tcp_hdr *, l4);
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *,
		sizeof(struct rte_ether_hdr));
	uint8_t flags = RTE_TCP_ACK_FLAG;

	if (off == 0)
		flags |= RTE_TCP_CWR_FLAG;
	if (off + len == payload)
		flags |= RTE_TCP_PSH_FLAG | RTE_TCP_FIN_FLAG;
	expect_payload(m, l4 + sizeof(*tcp), off, len);
	assert_int_equal(rte_be_to_cpu_32(tcp->sent_seq), (uint32_t)(0xffffff00 + off));
	assert_int_equal(tcp->tcp_flags, flags);
	if (!v6)
		assert_int_equal(rte_be_to_cpu_16(ip->packet_id), (uint16_t)(0xffff + off / MSS));
}

static void
cut(uint16_t port, bool v6, uint32_t payload)
{
	struct rte_mbuf *m = make(v6, false, payload);
	uint32_t segments = RTE_MAX((payload + MSS - 1) / MSS, 1u);

	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	m->tso_segsz = MSS;
	send_prepared(port, m);
	nic_step(port, NIC_BURST, 1);
	for (uint32_t i = 0; i < segments; i++) {
		m = receive(port, v6);
		expect_segment(m, v6, payload, i * MSS);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(nic_drain(port, 0), 0);
}

void
test_offload(void **state)
{
	static const uint32_t lens[] = {0, 1, 19, 100, 1001, 1400};
	static const uint32_t large[] = {0, 499, 500, 501, 1000, 1001, 30001};
	uint16_t port = nic_open(LOOP);
	unsigned int sent = 0;

	nic_start(port, 1, 1, 256, nic_pool, &with_offloads);
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	for (unsigned int i = 0; i < 4 * RTE_DIM(lens); i++, sent++)
		checksum(port, i % 2, i / 2 % 2, lens[i / 4]);
	assert_int_equal(nic_xstat(port, "tx_checksums"), sent);
	for (unsigned int i = 0; i < 2 * RTE_DIM(large); i++)
		cut(port, i % 2, large[i / 2]);
	assert_int_equal(nic_xstat(port, "tx_cut_packets"), 2 * RTE_DIM(large));
	assert_int_equal(nic_xstat(port, "tx_device_drops"), 0);
	nic_close(port);
}

/* Lengths that are not those of the packet: it is not sent. */
static void
send_wrong(uint16_t port, uint16_t l2, uint16_t l3, uint16_t l4, uint16_t mss)
{
	struct rte_mbuf *m = make(false, false, 1000);
	uint64_t before = nic_xstat(port, "tx_device_drops");

	m->l2_len = l2;
	m->l3_len = l3;
	m->l4_len = l4;
	m->tso_segsz = mss;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	assert_int_equal(rte_eth_tx_burst(port, 0, &m, 1), 1);
	nic_step(port, NIC_BURST, 1);
	assert_int_equal(nic_xstat(port, "tx_device_drops"), before + 1);
	assert_int_equal(nic_drain(port, 0), 0);
}

void
test_offload_wrong(void **state)
{
	uint16_t port = nic_open(LOOP);

	nic_start(port, 1, 1, 256, nic_pool, &with_offloads);
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	send_wrong(port, 0, 20, 20, MSS);
	send_wrong(port, 14, 16, 20, MSS);
	send_wrong(port, 14, 20, 16, MSS);
	send_wrong(port, 14, 20, 20, 0);
	send_wrong(port, 127, 511, 60, UINT16_MAX);
	nic_close(port);
}

/* A port whose application has no use for it, and one that has it not. */
void
test_no_offload(void **state)
{
	const struct rte_eth_conf sums = {.rxmode.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM};
	struct rte_eth_dev_info info;
	uint16_t port = nic_open(LOOP ",tx_offload=0");
	struct rte_mbuf *m;

	assert_int_equal(rte_eth_dev_info_get(port, &info), 0);
	assert_int_equal(info.tx_offload_capa, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	assert_int_not_equal(rte_eth_dev_configure(port, 1, 1, &with_offloads), 0);
	nic_start(port, 1, 1, 256, nic_pool, &sums);
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	m = make(false, false, 100);
	assert_int_equal(rte_eth_tx_burst(port, 0, &m, 1), 1);
	nic_step(port, NIC_BURST, 1);
	assert_int_equal(rte_eth_rx_burst(port, 0, &m, 1), 1);
	assert_int_equal(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_BAD);
	rte_pktmbuf_free(m);
	assert_int_equal(nic_xstat(port, "tx_checksums"), 0);
	nic_close(port);
}
