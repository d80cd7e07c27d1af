/* SPDX-License-Identifier: BSD-3-Clause */
/* Offload requests that nobody can fulfil, and mbufs that lie about their packet: refused, whatever the guest takes. */
#include <errno.h>
#include <string.h>

#include "offload_bed.h"

static const struct offload_takes nothing,
	all = {.csum = true, .tso4 = true, .tso6 = true, .ecn = true};

static struct frame f;

static int
open_for(const struct offload_takes *takes)
{
	struct offload o;

	return offload_open(&o, &f.mbuf[0], takes);
}

static const struct frame_conf plain = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 1000},
			       plain_v6 = {.v6 = true,
				       .l2 = 14,
				       .l3 = 40,
				       .l4 = 20,
				       .payload = 1000};

/* Requests nobody can fulfil, by flags, and by what makes them possible again. */
static void
refused_flags(void **state)
{
	static const struct {
		const struct frame_conf *c;
		uint64_t flags; /* instead of all others */
	} bad[] = {
		{&plain, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM},
		{&plain, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_SEG},
		{&plain, RTE_MBUF_F_TX_TCP_CKSUM},
		{&plain, RTE_MBUF_F_TX_IP_CKSUM},
		{&plain, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM},
		{&plain_v6, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM},
		{&plain_v6, RTE_MBUF_F_TX_TCP_CKSUM},
		{&plain_v6, RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_IP_CKSUM},
		{&plain, RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_TUNNEL_VXLAN},
		{&plain,
			RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM |
				RTE_MBUF_F_TX_OUTER_IP_CKSUM},
		{&plain, RTE_MBUF_F_TX_OUTER_UDP_CKSUM},
		{&plain, RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ},
		{&plain, RTE_MBUF_F_TX_SEC_OFFLOAD},
		{&plain, RTE_MBUF_F_TX_MACSEC},
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		frame_make(&f, bad[i].c);
		f.mbuf[0].ol_flags = bad[i].flags;
		assert_true(bad[i].flags & OFFLOAD_ANY);
		assert_int_equal(open_for(&all), -EINVAL);
	}
}

enum lie {
	NO_L2,
	SHORT_L3,
	LONG_L3,
	IP_TOO_LONG,
	IP_TOO_SHORT,
	NO_MSS,
	SHORT_L4,
	LONG_L4,
	CUT,
	NO_TAG_ROOM,
	LIES,
};

static void
tell(enum lie lie)
{
	struct rte_mbuf *m = &f.mbuf[0];
	struct frame_conf c = f.conf;

	if (lie == NO_L2) {
		c.l2 = 12;
		frame_make(&f, &c);
	}
	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	switch (lie) {
	case NO_L2:
		break;
	case SHORT_L3:
		m->l3_len = f.conf.v6 ? 39 : 19;
		break;
	case LONG_L3:
		m->l3_len = 511;
		m->pkt_len = m->data_len = 500;
		break;
	case IP_TOO_LONG:
		m->pkt_len = --m->data_len;
		break;
	case IP_TOO_SHORT:
		memset(f.bytes + m->l2_len + (f.conf.v6 ? 4 : 2), 0, 2);
		break;
	case NO_MSS:
		frame_ask_segments(&f, 0);
		break;
	case SHORT_L4:
		frame_ask_segments(&f, 500);
		m->l4_len = 19;
		break;
	case LONG_L4:
		frame_ask_segments(&f, 500);
		m->pkt_len = m->data_len = 255;
		m->l4_len = 255;
		break;
	case CUT:
		m->pkt_len = m->data_len = f.conf.l2 + f.conf.l3 + 19;
		break;
	case NO_TAG_ROOM:
		m->ol_flags = RTE_MBUF_F_TX_VLAN;
		m->pkt_len = m->data_len = 11;
		break;
	case LIES:
		break;
	}
}

static void
refused_lengths(void **state)
{
	for (unsigned int k = 0; k < 2 * LIES; k++) {
		frame_make(&f, k % 2 ? &plain_v6 : &plain);
		tell(k / 2);
		assert_int_equal(open_for(k % 3 ? &all : &nothing), -EINVAL);
	}
	frame_make(&f, &plain);
	tell(LIES);
	assert_int_equal(open_for(&all), 0);
}

/* Merged by a NIC, but not TCP, or nobody knows of what size, or behind too long headers: nobody could cut it. */
static void
refused_merged(void **state)
{
	const struct frame_conf udp = {.udp = true, .l2 = 14, .l3 = 20, .l4 = 8, .payload = 3000};

	const struct frame_conf deep = {.v6 = true,
		.l2 = 14,
		.l3 = 1000,
		.l4 = 20,
		.payload = 3000};
	const struct {
		const struct frame_conf *c;
		uint16_t mss;
		int ret;
	} cases[] = {{&udp, 500, -EINVAL}, {&plain, 0, -EINVAL}, {&deep, 500, -EINVAL},
		{&plain, 500, 0}};

	for (unsigned int k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		frame_make(&f, cases[k].c);
		f.mbuf[0].ol_flags = RTE_MBUF_F_RX_LRO;
		f.mbuf[0].tso_segsz = cases[k].mss;
		assert_int_equal(open_for(&all), cases[k].ret);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_flags),
		cmocka_unit_test(refused_lengths),
		cmocka_unit_test(refused_merged),
	};

	return cmocka_run_group_tests_name("refused offload", tests, NULL, NULL);
}
