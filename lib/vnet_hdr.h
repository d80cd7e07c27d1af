/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IOVT_VNET_HDR_H
#define IOVT_VNET_HDR_H

#include <stdint.h>

#include "chain.h"

/* The virtio-net header (virtio 1.2, 5.1.6), little endian, 10 bytes without num_buffers. */
struct iovt_vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct iovt_vnet_hdr) == 12, "virtio-net header layout");

/** The header of a packet that a guest sends, from guest memory, each byte read once. num_buffers is 0. */
IOVT_INLINE struct iovt_vnet_hdr
iovt_vnet_hdr_read(const void *hdr)
{
	const volatile iovt_guest_u64 *d = hdr;
	const volatile uint8_t *rest = (const volatile uint8_t *)(d + 1);
	uint64_t first = d[0];

	return (struct iovt_vnet_hdr){
		.flags = (uint8_t)first,
		.gso_type = (uint8_t)(first >> 8),
		.hdr_len = (uint16_t)(first >> 16),
		.gso_size = (uint16_t)(first >> 32),
		.csum_start = (uint16_t)(first >> 48),
		.csum_offset = (uint16_t)(rest[0] | rest[1] << 8),
	};
}

#endif
