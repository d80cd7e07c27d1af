/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that need more than a plain virtio-net header: the switch asks for a checksum, a VLAN tag or
 * segmentation (RTE_MBUF_F_TX_*), or a NIC has merged segments (RTE_MBUF_F_RX_LRO).
 *
 * The packet's headers are copied, and changed in the copy: the mbuf may be shared, may have no headroom, and
 * may lie in memory that its guest writes meanwhile.
 */
#ifndef IOVTEE_OFFLOAD_H
#define IOVTEE_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "rxq.h"

/* What is done here. */
#define OFFLOAD_REQUESTS                                                                           \
	(RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK |                     \
		RTE_MBUF_F_TX_TCP_SEG)

/*
 * What is not offered, and cannot be left undone. SCTP's checksum is one too (a CRC, which virtio's
 * NEEDS_CSUM cannot ask for); so is UDP_SEG, which does not say whether fragments or datagrams are meant.
 */
#define OFFLOAD_REFUSED                                                                            \
	(RTE_MBUF_F_TX_OUTER_IP_CKSUM | RTE_MBUF_F_TX_OUTER_UDP_CKSUM | RTE_MBUF_F_TX_QINQ |       \
		RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_SEC_OFFLOAD | RTE_MBUF_F_TX_MACSEC)

/** The flags of a packet that is for this file: one test for the hot path. */
#define OFFLOAD_ANY (OFFLOAD_REQUESTS | OFFLOAD_REFUSED | RTE_MBUF_F_RX_LRO)

/* Headers of a packet at most: what an mbuf can say of their lengths, and a VLAN tag. */
#define OFFLOAD_HEAD_MAX 1024

/** What is left to others: what a guest has negotiated (virtio 1.2, 5.1.3.1), or a NIC does. */
struct offload_takes {
	bool csum;      /* GUEST_CSUM; without it, the others are not set either */
	bool tso4;      /* GUEST_TSO4 */
	bool tso6;      /* GUEST_TSO6 */
	bool ecn;       /* GUEST_ECN */
	uint64_t leave; /* RTE_MBUF_F_TX_*: requests that somebody else fulfils */
};

/** A packet for a guest: a virtio-net header, new packet headers, and what follows these in the mbuf. */
struct offload {
	struct iovt_vnet_hdr hdr; /* set by offload_build */
	uint16_t head_len;        /* bytes of head */
	uint16_t from;            /* bytes of the mbuf that head stands for */
	uint32_t payload;         /* bytes of the mbuf behind these */
	uint16_t cut;             /* to be sent with so many bytes of payload each; 0: as one */
	bool in_software;         /* checksums of TCP and UDP are computed here */

	/* For offload.c: the offsets are those in head. */
	uint64_t flags; /* OFFLOAD_REQUESTS, RTE_MBUF_F_TX_IPV4, RTE_MBUF_F_TX_IPV6 */
	bool data_valid;
	uint8_t gso_type; /* what the guest is asked to do with segments of */
	uint16_t mss;     /* so many bytes of payload; 0: it is no large packet */
	uint16_t l3;
	uint16_t l3_len;
	uint16_t l4;
	uint16_t l4_len;
	uint32_t seq;
	uint16_t id;
	uint8_t tcp_flags;
	uint8_t head[OFFLOAD_HEAD_MAX];
};

/**
 * Read the headers of a packet with one of OFFLOAD_ANY, and see what has to be done for this guest. Any lcore.
 *
 * @return 0; -EINVAL: it asks for what cannot be done, or its header lengths are not those of such a packet.
 */
int offload_open(struct offload *o, const struct rte_mbuf *m, const struct offload_takes *takes);

/**
 * Build hdr and head for the packet that carries len bytes of the payload, from off on: all of it, or
 * cut bytes of it (fewer, if it is the last one).
 */
void offload_build(struct offload *o, const struct rte_mbuf *m, uint32_t off, uint32_t len);

/** The ones' complement sum of len bytes of a packet, from off on: not inverted, in the packet's byte order. */
uint16_t offload_sum(const struct rte_mbuf *m, uint32_t off, uint32_t len);

#endif
