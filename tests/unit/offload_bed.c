/* SPDX-License-Identifier: BSD-3-Clause */
/* Written from the RFCs alone (791, 768, 8200, 9293, 1071): nothing of DPDK's or the driver's is used. */
#include <string.h>

#include "offload_bed.h"

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint16_t
sum_of(const uint8_t *p, uint32_t len, uint64_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint64_t
pseudo_header(const uint8_t *ip, bool v6, bool udp, uint32_t l4_len)
{
	uint64_t sum = (udp ? 17 : 6) + l4_len;

	return v6 ? sum_of(ip + 8, 32, sum) : sum_of(ip + 12, 8, sum);
}

static uint32_t
l4_len_of(const uint8_t *ip, const struct frame_conf *c)
{
	return c->v6 ? be16_at(ip + 4) + 40u - c->l3 : (uint32_t)be16_at(ip + 2) - c->l3;
}

bool
ip_sum_right(const uint8_t *packet, const struct frame_conf *c, uint16_t l2)
{
	return c->v6 || sum_of(packet + l2, c->l3, 0) == 0xffff;
}

bool
l4_sum_right(const uint8_t *packet, const struct frame_conf *c, uint16_t l2)
{
	const uint8_t *ip = packet + l2;
	uint32_t len = l4_len_of(ip, c);

	/* Of UDP, 0 says that there is none. */
	if (c->udp && be16_at(ip + c->l3 + 6) == 0)
		return false;
	return sum_of(ip + c->l3, len, pseudo_header(ip, c->v6, c->udp, len)) == 0xffff;
}

struct iovt_vnet_hdr
frame_ask_checksum(struct frame *f)
{
	const struct frame_conf *c = &f->conf;
	uint8_t *ip = f->bytes + c->l2;
	const struct iovt_vnet_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = c->l2 + c->l3,
		.csum_offset = c->udp ? 6 : 16,
	};

	put16(ip + c->l3 + hdr.csum_offset,
		sum_of(NULL, 0, pseudo_header(ip, c->v6, c->udp, l4_len_of(ip, c))));
	return hdr;
}

void
finish_checksum(uint8_t *packet, uint32_t len, const struct iovt_vnet_hdr *hdr)
{
	uint16_t sum = ~sum_of(packet + hdr->csum_start, len - hdr->csum_start, 0);

	put16(packet + hdr->csum_start + hdr->csum_offset, sum);
}

static void
make_ethernet(uint8_t *p, const struct frame_conf *c)
{
	static const uint8_t addresses[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	memcpy(p, addresses, sizeof(addresses));
	for (uint32_t at = 12; at + 2 < c->l2; at += 4) {
		put16(p + at, 0x8100);
		put16(p + at + 2, 7);
	}
	put16(p + c->l2 - 2, c->v6 ? 0x86dd : 0x0800);
}

static void
make_ip(uint8_t *ip, const struct frame_conf *c)
{
	uint8_t proto = c->udp ? 17 : 6;
	uint32_t len = c->l3 + c->l4 + c->payload;

	if (!c->v6) {
		ip[0] = 0x40 | c->l3 / 4;
		put16(ip + 2, len);
		put16(ip + 4, 0xfffe);
		ip[8] = 64;
		ip[9] = proto;
		put16(ip + 10, 0xdead);
		put32(ip + 12, 0x0a000001);
		put32(ip + 16, 0xc0a80102);
		memset(ip + 20, 1, c->l3 - 20); /* options: no operation */
		return;
	}
	ip[0] = 0x60;
	put16(ip + 4, len - 40);
	ip[6] = c->l3 > 40 ? 60 : proto;
	for (uint8_t i = 8; i < 40; i++)
		ip[i] = i * 11;
	if (c->l3 > 40) { /* destination options, all of them padding */
		ip[40] = proto;
		ip[41] = (c->l3 - 40) / 8 - 1;
		ip[42] = 1;
		ip[43] = c->l3 - 44;
	}
}

static void
make_l4(uint8_t *l4, const struct frame_conf *c)
{
	put16(l4, 1234);
	put16(l4 + 2, 5678);
	if (c->udp) {
		put16(l4 + 4, c->l4 + c->payload);
		put16(l4 + 6, 0xbeef);
		return;
	}
	put32(l4 + 4, 0xfffffff0);
	put32(l4 + 8, 0x01020304);
	l4[12] = c->l4 / 4 << 4;
	l4[13] = c->tcp_flags != 0 ? c->tcp_flags : 0x18;
	put16(l4 + 14, 8192);
	put16(l4 + 16, 0xbeef);
	memset(l4 + 20, 1, c->l4 - 20);
}

/* Choose two bytes of the payload so that the checksum becomes what is wanted. */
static void
aim_sum(uint8_t *ip, const struct frame_conf *c)
{
	uint8_t *l4 = ip + c->l3;
	uint32_t len = c->l4 + c->payload;
	uint16_t now;

	put16(l4 + c->l4, 0);
	put16(l4 + 6, 0);
	now = ~sum_of(l4, len, pseudo_header(ip, c->v6, true, len));
	/* A field counts as it is: adding d to it takes d from the checksum. */
	put16(l4 + c->l4, sum_of(NULL, 0, now + (uint16_t)~c->sum_to_be));
	put16(l4 + 6, 0xbeef);
}

static void
make_mbufs(struct frame *f)
{
	uint32_t piece = f->conf.piece > 0 ? f->conf.piece : f->len, at = 0;
	unsigned int n = 0;

	memset(f->mbuf, 0, sizeof(f->mbuf));
	for (; at < f->len; at += piece, n++) {
		struct rte_mbuf *m = &f->mbuf[n];

		assert_true(n < MBUFS_MAX && piece < 65536);
		m->buf_addr = f->bytes + at;
		m->data_len = f->len - at < piece ? f->len - at : piece;
		if (n > 0)
			f->mbuf[n - 1].next = m;
	}
	f->mbuf[0].nb_segs = n;
	f->mbuf[0].pkt_len = f->len;
	f->mbuf[0].l2_len = f->conf.l2;
	f->mbuf[0].l3_len = f->conf.l3;
	f->mbuf[0].l4_len = f->conf.l4;
	f->mbuf[0].ol_flags = f->conf.v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
}

void
frame_make(struct frame *f, const struct frame_conf *c)
{
	uint32_t head = c->l2 + c->l3 + c->l4;
	uint8_t *ip = f->bytes + c->l2;

	f->conf = *c;
	f->len = head + c->payload + c->padding;
	assert_true(f->len <= FRAME_MAX);
	memset(f->bytes, 0, head);
	make_ethernet(f->bytes, c);
	make_ip(ip, c);
	make_l4(ip + c->l3, c);
	for (uint32_t i = head; i < f->len; i++)
		f->bytes[i] = i * 31 + (i >> 8) * 7 + 1;
	if (c->sum_to_be != 0)
		aim_sum(ip, c);
	make_mbufs(f);
}

struct frame_conf
frame_layout(unsigned int i)
{
	static const uint16_t l2[] = {14, 18, 22}, l3[2][3] = {{20, 24, 60}, {40, 48, 64}},
			      l4[] = {20, 32, 60, 8};
	const unsigned int kind = i / 18;

	return (struct frame_conf){
		.l2 = l2[i % 3],
		.v6 = i / 3 % 2,
		.l3 = l3[i / 3 % 2][i / 6 % 3],
		.l4 = l4[kind],
		.udp = kind == 3,
	};
}

uint32_t
frame_built(const struct frame *f, const struct offload *o, uint32_t off, uint32_t len,
	uint8_t *out)
{
	memcpy(out, o->head, o->head_len);
	memcpy(out + o->head_len, f->bytes + o->from + off, len);
	return o->head_len + len;
}
