/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest asks for with a packet that it sends (virtio 1.2, 5.1.6.2): that its checksum be completed, or that it be
 * cut into segments. Put into the mbuf as requests to whoever sends it (RTE_MBUF_F_TX_*), or done at once.
 */
#ifndef IOVTEE_REQUEST_H
#define IOVTEE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>

#include "vnet_hdr.h"

/* A TCP header at most. */
#define REQUEST_L4_MAX 60u

/* The least segment size: that of Linux (tcp_min_snd_mss). Smaller ones cost the switch much, and the guest nothing. */
#define REQUEST_MSS_MIN 48u

/** What a guest may ask for, and who does it. */
struct request_rules {
	bool pass; /* the switch takes packets whose checksums are not made yet */
	bool tso4; /* HOST_TSO4 */
	bool tso6; /* HOST_TSO6 */
	bool ecn;  /* HOST_ECN */
};

struct request_stats {
	uint64_t csum_requests;    /* packets with an incomplete checksum */
	uint64_t csum_in_software; /* of these, completed here */
	uint64_t gso_requests;     /* of these, to be cut */
	uint64_t dropped_request;  /* asks for what was not offered, or does not fit the packet */
};

/** Nothing is asked for. */
static inline bool
request_is_none(const struct iovt_vnet_hdr *h)
{
	return (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 &&
		h->gso_type == VIRTIO_NET_HDR_GSO_NONE;
}

/** Is all that is looked at, or changed, in the first len bytes of the packet? */
static inline bool
request_within(const struct iovt_vnet_hdr *h, uint32_t len)
{
	return h->csum_start + REQUEST_L4_MAX <= len &&
		h->csum_start + h->csum_offset + sizeof(uint16_t) <= len;
}

/**
 * Do what h asks for, or set the mbuf's flags and lengths so that it is done later. The guest must not be able to
 * change what is in the first segment; what is behind it is read for a checksum only.
 *
 * @return 0; -EINVAL: the packet shall be dropped (counted).
 */
int request_apply(struct rte_mbuf *m, const struct iovt_vnet_hdr *h, const struct request_rules *r,
	struct request_stats *s);

#endif
