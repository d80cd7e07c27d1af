/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest asks for with its packets: what becomes of it, and what it may not ask for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload_bed.h"
#include "request.h"

static const struct request_rules pass = {.pass = true},
				  large = {.pass = true, .tso4 = true, .tso6 = true},
				  all = {.pass = true, .tso4 = true, .tso6 = true, .ecn = true},
				  nobody;

static struct frame f;
static struct request_stats stats;

#define L4_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

/* As an mbuf comes from the guest's port. */
static void
make(const struct frame_conf *c)
{
	frame_make(&f, c);
	f.mbuf[0].ol_flags = 0;
	f.mbuf[0].tx_offload = 0;
	stats = (struct request_stats){0};
}

static int
apply(const struct iovt_vnet_hdr *h, const struct request_rules *r)
{
	return request_apply(&f.mbuf[0], h, r, &stats);
}

static void
expect_stats(uint64_t csum, uint64_t software, uint64_t gso, uint64_t dropped)
{
	const struct request_stats want = {csum, software, gso, dropped};

	assert_memory_equal(&stats, &want, sizeof(want));
}

/* Every header layout that DPDK has flags for, and those that it has not. */
static void
for_each_layout(uint32_t payload, void (*check)(bool known))
{
	static const uint32_t pieces[] = {0, 1999};

	for (unsigned int k = 0; k < 2 * FRAME_LAYOUTS; k++) {
		struct frame_conf c = frame_layout(k % FRAME_LAYOUTS);

		c.payload = payload;
		c.piece = pieces[k / FRAME_LAYOUTS];
		make(&c);
		check(c.l2 != 22 && !(c.v6 && c.l3 != 40));
	}
}

/* The packet is as it was, but for the checksums. */
static void
expect_unchanged(const uint8_t *before)
{
	const struct frame_conf *c = &f.conf;
	uint32_t ip_sum = c->l2 + 10, l4_sum = c->l2 + c->l3 + (c->udp ? 6 : 16);

	for (uint32_t i = 0; i < f.len; i++)
		if (i / 2 * 2 != l4_sum && (c->v6 || i / 2 * 2 != ip_sum))
			assert_int_equal(before[i], f.bytes[i]);
}

static void
expect_passed_on(const struct iovt_vnet_hdr *h, uint64_t flags)
{
	const struct frame_conf *c = &f.conf;
	const struct rte_mbuf *m = &f.mbuf[0];

	assert_true(m->ol_flags ==
		(flags | (c->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
			(c->udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM) |
			RTE_MBUF_F_RX_L4_CKSUM_NONE));
	assert_int_equal(m->l2_len, c->l2);
	assert_int_equal(m->l3_len, c->l3);
	assert_int_equal(m->l4_len, c->l4);
}

static void
check_checksum(bool known)
{
	static uint8_t before[FRAME_MAX];
	const struct iovt_vnet_hdr h = frame_ask_checksum(&f);

	memcpy(before, f.bytes, f.len);
	assert_int_equal(apply(&h, &pass), 0);
	expect_unchanged(before);
	if (known) {
		expect_passed_on(&h, 0);
		expect_stats(1, 0, 0, 0);
		finish_checksum(f.bytes, f.len, &h);
	} else {
		assert_int_equal(f.mbuf[0].ol_flags, 0);
		expect_stats(1, 1, 0, 0);
	}
	assert_true(l4_sum_right(f.bytes, &f.conf, f.conf.l2));
}

static void
for_any_length(void (*check)(bool known))
{
	for (uint32_t payload = 0; payload < 100; payload += 11)
		for_each_layout(payload, check);
	for_each_layout(9000, check);
}

static void
passed_on(void **state)
{
	for_any_length(check_checksum);
}

static void
check_software(bool known)
{
	static uint8_t before[FRAME_MAX];
	const struct iovt_vnet_hdr h = frame_ask_checksum(&f);

	memcpy(before, f.bytes, f.len);
	assert_int_equal(apply(&h, &nobody), 0);
	expect_unchanged(before);
	assert_int_equal(f.mbuf[0].ol_flags, 0);
	expect_stats(1, 1, 0, 0);
	assert_true(l4_sum_right(f.bytes, &f.conf, f.conf.l2));
}

static void
in_software(void **state)
{
	for_any_length(check_software);
}

/* A sum of 0 is sent as 0xffff (RFC 768). */
static void
udp_zero(void **state)
{
	struct frame_conf c =
		{.udp = true, .l2 = 14, .l3 = 20, .l4 = 8, .payload = 100, .sum_to_be = 0xffff};
	struct iovt_vnet_hdr h;

	make(&c);
	h = frame_ask_checksum(&f);
	assert_int_equal(apply(&h, &nobody), 0);
	assert_int_equal(be16_at(f.bytes + 40), 0xffff);
}

/* The checksum of a packet in a tunnel is none that DPDK has a flag for: made here, from where it begins. */
static void
in_a_tunnel(void **state)
{
	const struct frame_conf inner = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 500};
	const struct frame_conf outer = {.udp = true,
		.l2 = 14,
		.l3 = 20,
		.l4 = 8,
		.payload = 8 + 554};
	static struct frame in;
	struct iovt_vnet_hdr h;

	frame_make(&in, &inner);
	h = frame_ask_checksum(&in);
	make(&outer);
	memcpy(f.bytes + 50, in.bytes, in.len);
	h.csum_start += 50;
	assert_int_equal(apply(&h, &all), 0);
	assert_int_equal(f.mbuf[0].ol_flags, 0);
	expect_stats(1, 1, 0, 0);
	assert_true(l4_sum_right(f.bytes + 50, &inner, inner.l2));
}

static struct iovt_vnet_hdr
ask_segments(uint16_t mss)
{
	struct iovt_vnet_hdr h = frame_ask_checksum(&f);

	h.gso_type = f.conf.v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	h.gso_size = mss;
	h.hdr_len = 0xdead; /* a hint, which nobody believes */
	return h;
}

static void
check_large(bool known)
{
	struct iovt_vnet_hdr h;

	if (f.conf.udp)
		return;
	h = ask_segments(1000);
	if (!known) {
		assert_int_equal(apply(&h, &large), -EINVAL);
		expect_stats(0, 0, 0, 1);
		return;
	}
	assert_int_equal(apply(&h, &large), 0);
	expect_stats(1, 0, 1, 0);
	expect_passed_on(&h,
		RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_RX_LRO |
			(f.conf.v6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM));
	assert_int_equal(f.mbuf[0].tso_segsz, 1000);
}

static void
segments(void **state)
{
	for_each_layout(1001, check_large);
	for_each_layout(40000, check_large);
}

/* No larger than a segment. */
static void
one_segment(void **state)
{
	for (unsigned int v6 = 0; v6 <= 1; v6++) {
		const struct frame_conf c = frame_large(v6);
		struct iovt_vnet_hdr h;

		make(&c);
		h = ask_segments(3000);
		assert_int_equal(apply(&h, &large), 0);
		expect_passed_on(&h, 0);
		finish_checksum(f.bytes, f.len, &h);
		assert_true(l4_sum_right(f.bytes, &c, c.l2));
	}
}

/* GSO_ECN, if that was offered. */
static void
congestion(void **state)
{
	const struct frame_conf c = frame_large(false);
	struct iovt_vnet_hdr h;

	make(&c);
	h = ask_segments(1000);
	h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	assert_int_equal(apply(&h, &large), -EINVAL);
	assert_int_equal(apply(&h, &all), 0);
	assert_true(f.mbuf[0].ol_flags & RTE_MBUF_F_TX_TCP_SEG);
}

/* ---- what it may not ask for ---- */

static void
start_beyond(struct iovt_vnet_hdr *h)
{
	h->csum_start = f.len;
}

static void
field_beyond(struct iovt_vnet_hdr *h)
{
	h->csum_offset = f.len - h->csum_start - 1;
}

static void
all_ones(struct iovt_vnet_hdr *h)
{
	h->csum_start = h->csum_offset = 0xffff;
}

static void
no_checksum(struct iovt_vnet_hdr *h)
{
	h->flags = 0;
}

static void
other_version(struct iovt_vnet_hdr *h)
{
	h->gso_type ^= VIRTIO_NET_HDR_GSO_TCPV4 ^ VIRTIO_NET_HDR_GSO_TCPV6;
}

static void
udp_fragments(struct iovt_vnet_hdr *h)
{
	h->gso_type = VIRTIO_NET_HDR_GSO_UDP;
}

static void
unknown_type(struct iovt_vnet_hdr *h)
{
	h->gso_type = 0x7f;
}

static void
no_size(struct iovt_vnet_hdr *h)
{
	h->gso_size = 0;
}

static void
small_size(struct iovt_vnet_hdr *h)
{
	h->gso_size = REQUEST_MSS_MIN - 1;
}

static void
other_field(struct iovt_vnet_hdr *h)
{
	h->csum_offset = 6;
}

static void
other_start(struct iovt_vnet_hdr *h)
{
	h->csum_start++;
}

static uint8_t *
tcp_offset(void)
{
	return f.bytes + f.conf.l2 + f.conf.l3 + 12;
}

static void
no_tcp_header(struct iovt_vnet_hdr *h)
{
	*tcp_offset() = 0x40;
}

static void
cut_tcp_header(struct iovt_vnet_hdr *h)
{
	*tcp_offset() = 0xf0;
	f.mbuf[0].pkt_len = f.mbuf[0].data_len = f.conf.l2 + f.conf.l3 + 59;
}

static void
bad_segments(void **state)
{
	static void (*const how[])(struct iovt_vnet_hdr * h) = {start_beyond, field_beyond,
		all_ones, no_checksum, other_version, udp_fragments, unknown_type, no_size,
		small_size, other_field, other_start, no_tcp_header, cut_tcp_header};

	for (unsigned int k = 0; k < 2 * sizeof(how) / sizeof(how[0]); k++) {
		const struct frame_conf c = frame_large(k % 2);
		struct iovt_vnet_hdr h;

		make(&c);
		h = ask_segments(1000);
		how[k / 2](&h);
		assert_int_equal(apply(&h, &all), -EINVAL);
		expect_stats(0, 0, 0, 1);
	}
}

static void
ip_too_long(struct iovt_vnet_hdr *h)
{
	f.mbuf[0].pkt_len = --f.mbuf[0].data_len;
}

static void
ip_too_short(struct iovt_vnet_hdr *h)
{
	memset(f.bytes + f.conf.l2 + (f.conf.v6 ? 4 : 2), 0, 2);
}

static void
ask_for_segments(struct iovt_vnet_hdr *h)
{
	*h = ask_segments(1000);
}

/* Of the kinds of large packets, only those that were offered. */
static void
bad_checksums(void **state)
{
	static void (*const how[])(struct iovt_vnet_hdr * h) = {start_beyond, field_beyond,
		all_ones, ip_too_long, ip_too_short, no_tcp_header, cut_tcp_header,
		ask_for_segments};

	for (unsigned int k = 0; k < 2 * sizeof(how) / sizeof(how[0]); k++) {
		const struct frame_conf c = frame_large(k % 2);
		struct iovt_vnet_hdr h;

		make(&c);
		h = frame_ask_checksum(&f);
		how[k / 2](&h);
		assert_int_equal(apply(&h, &pass), -EINVAL);
		expect_stats(0, 0, 0, 1);
	}
}

/* Where the first mbuf ends, so does what may be changed. */
static void
in_the_first_mbuf(void **state)
{
	const struct frame_conf c = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 1000, .piece = 51};
	struct iovt_vnet_hdr h;

	make(&(struct frame_conf){.l2 = 14, .l3 = 20, .l4 = 20, .payload = 1000, .piece = 52});
	h = frame_ask_checksum(&f);
	assert_int_equal(apply(&h, &nobody), 0);
	assert_true(l4_sum_right(f.bytes, &c, c.l2));
	make(&c);
	assert_int_equal(apply(&h, &nobody), -EINVAL);
}

static void
within(void **state)
{
	const struct iovt_vnet_hdr tcp = {.csum_start = 68, .csum_offset = 16},
				   deep = {.csum_start = 69, .csum_offset = 16},
				   far = {.csum_start = 34, .csum_offset = 93},
				   ones = {.csum_start = 0xffff, .csum_offset = 0xffff};

	assert_true(request_within(&tcp, 128));
	assert_false(request_within(&deep, 128));
	assert_false(request_within(&far, 128));
	assert_false(request_within(&ones, 128));
}

static uint32_t
below(uint32_t n)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (x >> 32) % n;
}

/* One value in four is any. */
static uint16_t
around(uint16_t right)
{
	return below(4) == 0 ? below(65536) : right + (below(4) == 0 ? below(9) - 4 : 0);
}

static struct iovt_vnet_hdr
random_header(void)
{
	struct iovt_vnet_hdr h = f.conf.udp ? frame_ask_checksum(&f) : ask_segments(500);

	h.flags = below(8) == 0 ? below(256) : h.flags;
	h.gso_type = below(4) == 0 ? below(256) : below(2) ? h.gso_type : 0;
	h.gso_size = around(h.gso_size);
	h.csum_start = around(h.csum_start);
	h.csum_offset = around(h.csum_offset);
	return h;
}

/* Any header with any packet, in a buffer that ends where the packet does: for the address sanitizer. */
static void
anything(void **state)
{
	for (unsigned int i = 0; i < 200000; i++) {
		const bool v6 = below(2), udp = below(3) == 0;
		const struct frame_conf c = {.v6 = v6,
			.udp = udp,
			.l2 = 14 + 4 * below(3),
			.l3 = v6 ? 40 + 8 * below(2) : 20 + 4 * below(11),
			.l4 = udp ? 8 : 20 + 4 * below(11),
			.payload = below(1200)};
		struct iovt_vnet_hdr h;
		struct rte_mbuf *m = &f.mbuf[0];
		uint8_t *bytes;

		make(&c);
		h = random_header();
		for (unsigned int k = below(3); k > 0; k--)
			f.bytes[below(c.l2 + c.l3 + c.l4)] = below(256);
		m->pkt_len = m->data_len = below(4) == 0 ? 14 + below(f.len - 13) : f.len;
		bytes = malloc(m->data_len);
		assert_non_null(bytes);
		memcpy(bytes, f.bytes, m->data_len);
		m->buf_addr = bytes;
		if (apply(&h, below(4) ? &all : &nobody) == 0 && (m->ol_flags & L4_FLAGS))
			assert_true(m->l2_len + m->l3_len + m->l4_len <= m->data_len);
		free(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passed_on),
		cmocka_unit_test(in_software),
		cmocka_unit_test(udp_zero),
		cmocka_unit_test(in_a_tunnel),
		cmocka_unit_test(segments),
		cmocka_unit_test(one_segment),
		cmocka_unit_test(congestion),
		cmocka_unit_test(bad_segments),
		cmocka_unit_test(bad_checksums),
		cmocka_unit_test(in_the_first_mbuf),
		cmocka_unit_test(within),
		cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
