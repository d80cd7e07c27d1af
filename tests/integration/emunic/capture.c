/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture as source, and a capture of what is sent; both in memory, reached through /proc. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "nic.h"

#define PACKETS    280
#define LEN        118 /* Ethernet, VLAN tag, IPv4 packet of 100 bytes */
#define VLANS      7   /* packet i is in VLAN i % VLANS + 1 */
#define BAD_UDP    1   /* the packet with a wrong UDP checksum */
#define BAD_IP     2   /* the packet with a wrong IPv4 checksum */
#define PAYLOAD_AT 60

struct capture {
	int fd;
	char path[32];
};

static void
capture_open(struct capture *c, const char *name)
{
	c->fd = memfd_create(name, MFD_CLOEXEC);
	assert_true(c->fd >= 0);
	snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d", c->fd);
}

static void
fill_packet(uint8_t *packet, unsigned int i)
{
	static const uint8_t head[] = {0x02, 0xee, 0, 0, 0, 0, 0x02, 1, 1, 1, 1, 1, 0x81, 0x00, 0,
		0, 0x08, 0x00};
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = RTE_BE16(LEN - sizeof(head)),
		.time_to_live = 3,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = i,
	};
	uint8_t datagram[LEN - sizeof(head) - sizeof(ip)] = {0};
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)datagram;

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	udp->src_port = i;
	udp->dgram_len = RTE_BE16(sizeof(datagram));
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(&ip, udp);
	if (i == BAD_IP)
		ip.hdr_checksum ^= 5;
	memcpy(packet, head, sizeof(head));
	packet[15] = i % VLANS + 1;
	memcpy(packet + sizeof(head), &ip, sizeof(ip));
	memcpy(packet + sizeof(head) + sizeof(ip), datagram, sizeof(datagram));
	if (i == BAD_UDP)
		packet[PAYLOAD_AT] ^= 1;
}

static void
capture_make(struct capture *c)
{
	const struct pcap_pkthdr hdr = {.caplen = LEN, .len = LEN};
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	uint8_t packet[LEN];
	pcap_dumper_t *file;
	unsigned int i;

	capture_open(c, "source");
	assert_non_null(pcap);
	file = pcap_dump_open(pcap, c->path);
	assert_non_null(file);
	for (i = 0; i < PACKETS; i++) {
		fill_packet(packet, i);
		pcap_dump((u_char *)file, &hdr, packet);
	}
	pcap_dump_close(file);
	pcap_close(pcap);
}

/* The capture holds every packet of the source, in order, and no more. */
static void
capture_check(const struct capture *c)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(c->path, error);
	struct pcap_pkthdr *hdr;
	uint8_t packet[LEN];
	const u_char *data;
	unsigned int i;

	assert_non_null(pcap);
	for (i = 0; i < PACKETS; i++) {
		fill_packet(packet, i);
		assert_int_equal(pcap_next_ex(pcap, &hdr, &data), 1);
		assert_int_equal(hdr->len, LEN);
		assert_int_equal(hdr->caplen, LEN);
		assert_memory_equal(data, packet, LEN);
	}
	assert_int_equal(pcap_next_ex(pcap, &hdr, &data), PCAP_ERROR_BREAK);
	pcap_close(pcap);
}

/* Move the last bytes of a packet to three segments more. */
static void
split(struct rte_mbuf *m)
{
	const uint8_t *tail = rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len - 60);
	struct rte_mbuf *segment;
	unsigned int i;

	assert_int_equal(rte_pktmbuf_trim(m, 60), 0);
	for (i = 0; i < 3; i++) {
		segment = rte_pktmbuf_alloc(nic_pool);
		assert_non_null(segment);
		memcpy(rte_pktmbuf_append(segment, 20), tail + i * 20, 20);
		assert_int_equal(rte_pktmbuf_chain(m, segment), 0);
	}
	assert_int_equal(m->pkt_len, LEN);
}

static void
check_replayed(const struct rte_mbuf *m, unsigned int i)
{
	uint64_t ip = i == BAD_IP ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	uint64_t l4 = i == BAD_UDP ? RTE_MBUF_F_RX_L4_CKSUM_BAD : RTE_MBUF_F_RX_L4_CKSUM_GOOD;

	assert_int_equal(m->ol_flags, ip | l4);
	assert_int_equal(m->packet_type,
		RTE_PTYPE_L2_ETHER_VLAN | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP);
	assert_int_equal(m->pkt_len, LEN);
}

void
test_replay(void **state)
{
	const struct rte_eth_conf conf = {.rxmode.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM};
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int round, total = 0;
	struct capture in, out;
	uint16_t port, i, n;

	capture_make(&in);
	capture_open(&out, "sent");
	port = nic_open("engine=step,pause=1,rx_pcap=%s,tx_pcap=%s", in.path, out.path);
	nic_start(port, 1, 1, 64, nic_pool, &conf);
	for (round = 0; round < PACKETS && total < PACKETS; round++) {
		assert_true(rte_pmd_emunic_step(port, 20, 20) >= 0);
		n = rte_eth_rx_burst(port, 0, pkts, NIC_BURST);
		for (i = 0; i < n; i++) {
			check_replayed(pkts[i], total + i);
			if ((total + i) % 3 == 0)
				split(pkts[i]);
		}
		nic_send(port, pkts, n);
		total += n;
	}
	assert_int_equal(total, PACKETS);
	while (rte_pmd_emunic_step(port, NIC_BURST, NIC_BURST) > 0)
		assert_true(round++ < 2 * PACKETS);
	assert_int_equal(nic_xstat(port, "tx_other"), PACKETS);
	nic_close(port);
	capture_check(&out);
	close(in.fd);
	close(out.fd);
}

void
test_vlan_strip(void **state)
{
	const struct rte_eth_conf conf = {.rxmode.offloads = RTE_ETH_RX_OFFLOAD_VLAN_STRIP};
	struct rte_mbuf *pkts[NIC_BURST];
	struct capture in;
	uint16_t port, i;

	capture_make(&in);
	port = nic_open("engine=step,rx_pcap=%s", in.path);
	nic_start(port, 1, 1, 64, nic_pool, &conf);
	nic_step(port, 20, 20);
	assert_int_equal(rte_eth_rx_burst(port, 0, pkts, NIC_BURST), 20);
	for (i = 0; i < 20; i++) {
		const uint8_t *data = rte_pktmbuf_mtod(pkts[i], uint8_t *);

		assert_int_equal(pkts[i]->vlan_tci, i % VLANS + 1);
		assert_int_equal(pkts[i]->ol_flags,
			RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
		assert_int_equal(pkts[i]->pkt_len, LEN - RTE_VLAN_HLEN);
		assert_int_equal(pkts[i]->packet_type,
			RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP);
		assert_int_equal(data[12], 0x08);
		assert_int_equal(data[14], RTE_IPV4_VHL_DEF);
	}
	rte_pktmbuf_free_bulk(pkts, 20);
	assert_int_equal(rte_eth_dev_set_vlan_offload(port, 0), 0);
	nic_step(port, 20, 20);
	assert_int_equal(rte_eth_rx_burst(port, 0, pkts, NIC_BURST), 20);
	assert_int_equal(pkts[0]->pkt_len, LEN);
	assert_int_equal(pkts[0]->ol_flags, 0);
	rte_pktmbuf_free_bulk(pkts, 20);
	nic_close(port);
	close(in.fd);
}

/* One queue for each VLAN. */
void
test_vlan_rules(void **state)
{
	struct capture in;
	uint16_t port, v;

	capture_make(&in);
	port = nic_open("engine=step,rxq=%u,rx_pcap=%s", VLANS + 1, in.path);
	nic_start(port, VLANS + 1, 1, 256, nic_pool, NULL);
	for (v = 1; v <= VLANS; v++)
		assert_int_equal(nic_rule(port, NIC_ADDR, v, v, NULL), 0);
	nic_step(port, PACKETS, PACKETS);
	assert_int_equal(nic_drain(port, 0), 0);
	for (v = 1; v <= VLANS; v++)
		assert_int_equal(nic_drain(port, v), PACKETS / VLANS);
	nic_close(port);
	close(in.fd);
}
