/* SPDX-License-Identifier: BSD-3-Clause */
/* Header building for packets with offload requests: every field, against an own reading of the RFCs. */
#include <errno.h>
#include <string.h>

#include "offload_bed.h"

static const struct offload_takes nothing,
	checksums = {.csum = true}, large = {.csum = true, .tso4 = true, .tso6 = true},
	all = {.csum = true, .tso4 = true, .tso6 = true, .ecn = true};

static struct frame f;
static struct offload o;
static uint8_t built[FRAME_MAX];

#define L4_REQUEST(c) ((c)->udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM)

/* Every header layout, times every way to split it over mbufs. */
static void
for_each_layout(uint32_t payload, bool udp_too, void (*check)(void))
{
	static const uint32_t pieces[] = {0, 1999, 40};

	for (unsigned int k = 0; k < 3 * FRAME_LAYOUTS; k++) {
		struct frame_conf c = frame_layout(k % FRAME_LAYOUTS);

		c.payload = payload;
		c.piece = pieces[k / FRAME_LAYOUTS];
		if ((c.udp && !udp_too) || (c.piece == 40 && payload > 1000))
			continue;
		frame_make(&f, &c);
		check();
	}
}

/* Open it, and see that nothing but head and hdr is written: the packet may be shared. */
static int
open_for(const struct offload_takes *takes)
{
	memset(&o, 0xa5, sizeof(o));
	return offload_open(&o, &f.mbuf[0], takes);
}

static uint32_t
build_whole(void)
{
	static uint8_t before[FRAME_MAX];

	memcpy(before, f.bytes, f.len);
	offload_build(&o, &f.mbuf[0], 0, o.payload);
	assert_memory_equal(before, f.bytes, f.len);
	return frame_built(&f, &o, 0, o.payload, built);
}

static void
expect_hdr(uint8_t flags, uint16_t csum_start, uint16_t csum_offset)
{
	const struct iovt_vnet_hdr want = {.flags = flags,
		.csum_start = csum_start,
		.csum_offset = csum_offset,
		.num_buffers = 1};

	assert_memory_equal(&o.hdr, &want, sizeof(want));
}

/* Besides these bytes the packet is as it was. */
static void
expect_same_but(uint16_t l2_grown, uint32_t len)
{
	const struct frame_conf *c = &f.conf;
	uint32_t ip_sum = c->l2 + 10, l4_sum = c->l2 + c->l3 + (c->udp ? 6 : 16);

	assert_int_equal(len, f.len + l2_grown);
	for (uint32_t i = 12 + l2_grown; i < len; i++) {
		uint32_t was = i - l2_grown;

		if ((!c->v6 && was / 2 * 2 == ip_sum) || was / 2 * 2 == l4_sum)
			continue;
		assert_int_equal(built[i], f.bytes[was]);
	}
	assert_memory_equal(built, f.bytes, 12);
}

static void
check_by_guest(void)
{
	const struct frame_conf *c = &f.conf;
	uint32_t len;

	f.mbuf[0].ol_flags |= L4_REQUEST(c) | IP_REQUEST(c) | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(open_for(&checksums), 0);
	assert_int_equal(o.cut, 0);
	assert_false(o.in_software);
	len = build_whole();
	expect_hdr(VIRTIO_NET_HDR_F_NEEDS_CSUM, c->l2 + c->l3, c->udp ? 6 : 16);
	expect_same_but(0, len);
	assert_true(ip_sum_right(built, c, c->l2));
	finish_checksum(built, len, &o.hdr);
	assert_true(l4_sum_right(built, c, c->l2));
}

static void
checksum_by_guest(void **state)
{
	for (uint32_t payload = 2; payload < 100; payload += 13)
		for_each_layout(payload, true, check_by_guest);
}

static void
check_in_software(void)
{
	const struct frame_conf *c = &f.conf;

	f.mbuf[0].ol_flags |= L4_REQUEST(c) | IP_REQUEST(c) | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(open_for(&nothing), 0);
	assert_true(o.in_software);
	expect_same_but(0, build_whole());
	expect_hdr(0, 0, 0);
	assert_true(ip_sum_right(built, c, c->l2));
	assert_true(l4_sum_right(built, c, c->l2));
}

static void
checksum_in_software(void **state)
{
	for (uint32_t payload = 0; payload < 100; payload += 7)
		for_each_layout(payload, true, check_in_software);
	for_each_layout(9000, true, check_in_software);
}

/* What follows the IP packet in a short frame is not part of it. */
static void
padded(void **state)
{
	for (uint32_t payload = 0; payload < 8; payload++) {
		for (unsigned int v6 = 0; v6 <= 1; v6++) {
			const struct frame_conf c = {.udp = true,
				.v6 = v6,
				.l2 = 14,
				.l3 = v6 ? 40 : 20,
				.l4 = 8,
				.payload = payload,
				.padding = 18 - payload,
				.piece = payload % 2 ? 45 : 0};

			frame_make(&f, &c);
			check_in_software();
		}
	}
}

/* A sum of 0 is sent as 0xffff: 0 would say that there is none (RFC 768). */
static void
udp_zero(void **state)
{
	struct frame_conf c =
		{.udp = true, .l2 = 14, .l3 = 20, .l4 = 8, .payload = 100, .sum_to_be = 1};

	frame_make(&f, &c);
	check_in_software();
	assert_int_equal(be16_at(built + 40), 1);
	c.sum_to_be = 0xffff;
	frame_make(&f, &c);
	check_in_software();
	assert_int_equal(be16_at(built + 40), 0xffff);
}

/* Only IP's checksum: the NIC's word about the other one still holds, for a guest that may hear it. */
static void
ip_only(void **state)
{
	const struct frame_conf c = {.l2 = 14, .l3 = 24, .l4 = 20, .payload = 50};
	static const uint64_t rx[] = {RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_NONE,
		RTE_MBUF_F_RX_L4_CKSUM_BAD, 0};

	for (unsigned int k = 0; k < 8; k++) {
		bool valid = k == 0;

		frame_make(&f, &c);
		f.mbuf[0].ol_flags |= RTE_MBUF_F_TX_IP_CKSUM | rx[k / 2];
		assert_int_equal(open_for(k % 2 ? &nothing : &checksums), 0);
		assert_false(o.in_software);
		assert_int_equal(build_whole(), f.len);
		expect_hdr(valid ? VIRTIO_NET_HDR_F_DATA_VALID : 0, 0, 0);
		assert_true(ip_sum_right(built, &c, c.l2));
		assert_memory_equal(built + 14 + 12, f.bytes + 14 + 12, f.len - 26);
	}
}

static void
expect_tag(uint16_t tci)
{
	assert_int_equal(be16_at(built + 12), 0x8100);
	assert_int_equal(be16_at(built + 14), tci);
}

static void
check_tagged(void)
{
	const struct frame_conf *c = &f.conf;
	uint32_t len;

	f.mbuf[0].ol_flags |= RTE_MBUF_F_TX_VLAN | L4_REQUEST(c) | IP_REQUEST(c);
	f.mbuf[0].vlan_tci = 0x6123;
	assert_int_equal(open_for(&checksums), 0);
	len = build_whole();
	expect_tag(0x6123);
	expect_hdr(VIRTIO_NET_HDR_F_NEEDS_CSUM, c->l2 + 4 + c->l3, c->udp ? 6 : 16);
	expect_same_but(4, len);
	finish_checksum(built, len, &o.hdr);
	assert_true(ip_sum_right(built, c, c->l2 + 4));
	assert_true(l4_sum_right(built, c, c->l2 + 4));
	assert_int_equal(open_for(&nothing), 0);
	len = build_whole();
	expect_tag(0x6123);
	expect_hdr(0, 0, 0);
	expect_same_but(4, len);
	assert_true(l4_sum_right(built, c, c->l2 + 4));
}

static void
tag(void **state)
{
	const struct frame_conf c = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 50, .piece = 13};

	frame_make(&f, &c);
	f.mbuf[0].ol_flags = RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	f.mbuf[0].vlan_tci = 5;
	assert_int_equal(open_for(&checksums), 0);
	assert_int_equal(build_whole(), f.len + 4);
	expect_tag(5);
	expect_hdr(VIRTIO_NET_HDR_F_DATA_VALID, 0, 0);
	assert_memory_equal(built, f.bytes, 12);
	assert_memory_equal(built + 16, f.bytes + 12, f.len - 12);
	for_each_layout(77, true, check_tagged);
}

static void
expect_large(uint8_t gso_type, uint16_t mss)
{
	const struct frame_conf *c = &f.conf;
	const struct iovt_vnet_hdr want = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso_type,
		.hdr_len = c->l2 + c->l3 + c->l4,
		.gso_size = mss,
		.csum_start = c->l2 + c->l3,
		.csum_offset = 16,
		.num_buffers = 1,
	};
	uint32_t len = build_whole();

	assert_int_equal(o.cut, 0);
	assert_memory_equal(&o.hdr, &want, sizeof(want));
	expect_same_but(0, len);
	assert_true(ip_sum_right(built, c, c->l2));
	finish_checksum(built, len, &o.hdr);
	assert_true(l4_sum_right(built, c, c->l2));
}

static void
check_large(void)
{
	frame_ask_segments(&f, 1000);
	assert_int_equal(open_for(&large), 0);
	expect_large(f.conf.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4, 1000);
}

static void
large_by_guest(void **state)
{
	for_each_layout(1001, false, check_large);
	for_each_layout(40000, false, check_large);
}

/* Lengths in the headers that are wrong, as they may be in a large packet, are set right. */
static void
large_lengths(void **state)
{
	for (unsigned int v6 = 0; v6 <= 1; v6++) {
		const struct frame_conf c = frame_large(v6);
		uint8_t *length;

		frame_make(&f, &c);
		length = f.bytes + c.l2 + (v6 ? 4 : 2);
		length[0] = length[1] = 0;
		frame_ask_segments(&f, 1000);
		assert_int_equal(open_for(&large), 0);
		build_whole();
		assert_int_equal(be16_at(built + c.l2 + (v6 ? 4 : 2)), v6 ? 3020 : 3040);
	}
}

static uint32_t segments_seen;

/* Each of them is a packet of its own, and together they are the stream. */
static void
check_segments(const struct offload_takes *takes)
{
	const struct frame_conf *c = &f.conf;
	const uint8_t flags = f.bytes[c->l2 + c->l3 + 13];
	uint32_t n = 0, len;

	assert_int_equal(open_for(takes), 0);
	assert_int_equal(o.cut, f.mbuf[0].tso_segsz);
	for (uint32_t off = 0; off < o.payload; off += o.cut, n++) {
		uint32_t part = o.payload - off < o.cut ? o.payload - off : o.cut;
		bool last = off + part == o.payload;
		const uint8_t *ip = built + c->l2, *tcp = ip + c->l3;

		offload_build(&o, &f.mbuf[0], off, part);
		len = frame_built(&f, &o, off, part, built);
		assert_int_equal(len, c->l2 + c->l3 + c->l4 + part);
		assert_int_equal(be16_at(ip + (c->v6 ? 4 : 2)), len - c->l2 - (c->v6 ? 40 : 0));
		if (!c->v6)
			assert_int_equal(be16_at(ip + 4), (uint16_t)(0xfffe + n));
		assert_int_equal(be32_at(tcp + 4), (uint32_t)(0xfffffff0 + off));
		assert_int_equal(tcp[13], flags & ~((last ? 0 : 0x09) | (n > 0 ? 0x80 : 0)));
		assert_memory_equal(built, f.bytes, c->l2);
		assert_memory_equal(tcp + 14, f.bytes + c->l2 + c->l3 + 14, 2);
		assert_memory_equal(tcp + 18, f.bytes + c->l2 + c->l3 + 18, c->l4 - 18);
		expect_hdr(takes->csum ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
			takes->csum ? c->l2 + c->l3 : 0, takes->csum ? 16 : 0);
		if (takes->csum)
			finish_checksum(built, len, &o.hdr);
		assert_true(ip_sum_right(built, c, c->l2));
		assert_true(l4_sum_right(built, c, c->l2));
	}
	segments_seen = n;
}

static void
check_cut(void)
{
	frame_ask_segments(&f, 700);
	f.bytes[f.conf.l2 + f.conf.l3 + 13] = 0xff;
	check_segments(&nothing);
	check_segments(&checksums);
}

static void
cut_here(void **state)
{
	for_each_layout(701, false, check_cut);
	assert_int_equal(segments_seen, 2);
	for_each_layout(4200, false, check_cut);
	assert_int_equal(segments_seen, 6);
	for_each_layout(9001, false, check_cut);
	assert_int_equal(segments_seen, 13);
}

/* One kind of large packet does not say that a guest takes the other. */
static void
takes_other_kind(void **state)
{
	for (unsigned int v6 = 0; v6 <= 1; v6++) {
		const struct frame_conf c = frame_large(v6);
		const struct offload_takes other = {.csum = true, .tso4 = v6, .tso6 = !v6};

		frame_make(&f, &c);
		frame_ask_segments(&f, 1000);
		check_segments(&other);
	}
}

/* CWR: such a packet is one for a guest with GUEST_ECN, and is cut for others. */
static void
congestion(void **state)
{
	for (unsigned int v6 = 0; v6 <= 1; v6++) {
		struct frame_conf c = frame_large(v6);

		c.tcp_flags = 0x90;
		frame_make(&f, &c);
		frame_ask_segments(&f, 1000);
		check_segments(&large);
		assert_int_equal(open_for(&all), 0);
		expect_large(VIRTIO_NET_HDR_GSO_ECN |
				(v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4),
			1000);
	}
}

/* No larger than a segment: a packet with a checksum request, and no more. */
static void
small_enough(void **state)
{
	const struct frame_conf c = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 1000};

	frame_make(&f, &c);
	frame_ask_segments(&f, 1000);
	assert_int_equal(open_for(&all), 0);
	assert_int_equal(o.cut, 0);
	build_whole();
	expect_hdr(VIRTIO_NET_HDR_F_NEEDS_CSUM, 34, 16);
	assert_int_equal(open_for(&nothing), 0);
	assert_int_equal(o.cut, 0);
	build_whole();
	assert_true(l4_sum_right(built, &c, c.l2));
}

/* Too long for IP: cut, whatever the guest takes. */
static void
beyond_ip(void **state)
{
	struct frame_conf c = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 65495, .piece = 2000};

	frame_make(&f, &c);
	frame_ask_segments(&f, 9000);
	assert_int_equal(open_for(&all), 0);
	expect_large(VIRTIO_NET_HDR_GSO_TCPV4, 9000);
	c.payload++;
	frame_make(&f, &c);
	frame_ask_segments(&f, 9000);
	check_segments(&all);
	frame_ask_segments(&f, 65496);
	assert_int_equal(open_for(&all), -EINVAL);
	frame_ask_segments(&f, 65495);
	check_segments(&all);
}

/* What a NIC has merged: it says nothing of header lengths, and means what a segmentation request means. */
static void
check_merged(void)
{
	struct rte_mbuf *m = &f.mbuf[0];

	if (f.conf.l2 == 22)
		return; /* two plain tags: not looked behind */
	m->ol_flags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	m->tx_offload = 0;
	m->tso_segsz = 700;
	assert_int_equal(open_for(&large), 0);
	expect_large(f.conf.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4, 700);
	check_segments(&checksums);
	check_segments(&nothing);
}

static void
merged(void **state)
{
	for_each_layout(4000, false, check_merged);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_by_guest),
		cmocka_unit_test(checksum_in_software),
		cmocka_unit_test(padded),
		cmocka_unit_test(udp_zero),
		cmocka_unit_test(ip_only),
		cmocka_unit_test(tag),
		cmocka_unit_test(large_by_guest),
		cmocka_unit_test(large_lengths),
		cmocka_unit_test(cut_here),
		cmocka_unit_test(takes_other_kind),
		cmocka_unit_test(congestion),
		cmocka_unit_test(small_enough),
		cmocka_unit_test(beyond_ip),
		cmocka_unit_test(merged),
	};

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
