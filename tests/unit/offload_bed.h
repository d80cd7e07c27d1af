/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets with offload requests, and what a guest finds in the ones built of them. */
#ifndef OFFLOAD_BED_H
#define OFFLOAD_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_net.h>

#include "offload.h"

#define FRAME_MAX 70000u
#define MBUFS_MAX 64

/* A frame to be made. */
struct frame_conf {
	bool v6;
	bool udp;
	uint16_t l2; /* bytes: 14, or with tags 18 or 22 */
	uint16_t l3; /* 20 to 60; for IPv6 40, or more with a header in between */
	uint16_t l4; /* of TCP 20 to 60, of UDP 8 */
	uint32_t payload;
	uint32_t padding;   /* bytes behind the IP packet */
	uint32_t piece;     /* bytes of each mbuf but the last, 0: all in one */
	uint8_t tcp_flags;  /* 0: ACK and PSH */
	uint16_t sum_to_be; /* UDP: the payload makes it this, 0: whatever it is */
};

struct frame {
	struct frame_conf conf;
	uint32_t len;
	uint8_t bytes[FRAME_MAX];
	struct rte_mbuf mbuf[MBUFS_MAX];
};

/* Its checksum fields hold rubbish. The mbufs' lengths and the flags IPV4 and IPV6 are set. */
void frame_make(struct frame *f, const struct frame_conf *c);

#define IP_REQUEST(c) ((c)->v6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM)

/* Request segments of mss bytes of payload. */
static inline void
frame_ask_segments(struct frame *f, uint16_t mss)
{
	f->mbuf[0].ol_flags |= RTE_MBUF_F_TX_TCP_SEG | IP_REQUEST(&f->conf);
	f->mbuf[0].tso_segsz = mss;
}

/* TCP without options, of 3,000 bytes. */
static inline struct frame_conf
frame_large(bool v6)
{
	return (struct frame_conf){.v6 = v6,
		.l2 = 14,
		.l3 = v6 ? 40 : 20,
		.l4 = 20,
		.payload = 3000};
}

/* Every header layout, the i-th of so many: of TCP, and one in four of UDP. */
#define FRAME_LAYOUTS 72
struct frame_conf frame_layout(unsigned int i);

/* As the guest gets it: head, then len bytes of the payload from off on. Returns its length. */
uint32_t frame_built(const struct frame *f, const struct offload *o, uint32_t off, uint32_t len,
	uint8_t *out);

/*
 * Put the pseudo header's sum into the packet, as a guest does that leaves the rest to the device. Returns what it
 * asks for.
 */
struct iovt_vnet_hdr frame_ask_checksum(struct frame *f);

/* Complete a checksum, as NEEDS_CSUM asks a guest to. */
void finish_checksum(uint8_t *packet, uint32_t len, const struct iovt_vnet_hdr *hdr);

/* Are the checksums right that a packet like c has, l2 bytes of Ethernet header in front? */
bool ip_sum_right(const uint8_t *packet, const struct frame_conf *c, uint16_t l2);
bool l4_sum_right(const uint8_t *packet, const struct frame_conf *c, uint16_t l2);

static inline uint16_t
be16_at(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline uint32_t
be32_at(const uint8_t *p)
{
	return (uint32_t)be16_at(p) << 16 | be16_at(p + 2);
}

#endif
