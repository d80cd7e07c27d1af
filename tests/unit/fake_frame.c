/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "fake_guest.h"

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 31;
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

void
fake_frame_write(uint8_t *dst, uint64_t seq, uint32_t len)
{
	uint64_t x = seq + 1;

	for (uint32_t i = 0; i < len; i += sizeof(x)) {
		uint32_t n = len - i < sizeof(x) ? len - i : sizeof(x);

		x = mix(x + i);
		memcpy(dst + i, &x, n);
	}
}

bool
fake_frame_equal(const uint8_t *data, uint64_t seq, uint32_t len)
{
	uint8_t expected[66 * 1024];

	CHECK(len <= sizeof(expected));
	fake_frame_write(expected, seq, len);
	return memcmp(data, expected, len) == 0;
}

struct iovt_vnet_hdr
fake_frame_hdr(uint64_t seq)
{
	uint64_t x = mix(seq + 77);

	return (struct iovt_vnet_hdr){
		.flags = x,
		.gso_type = x >> 8,
		.hdr_len = x >> 16,
		.gso_size = x >> 24,
		.csum_start = x >> 32,
		.csum_offset = x >> 48,
		.num_buffers = 1,
	};
}

void
fake_packet_check(const struct fake_guest *g, const struct fake_packet *p, uint64_t seq,
	uint32_t len)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);

	hdr.num_buffers = p->nr;
	CHECK(!p->flushed);
	CHECK(p->len == len);
	CHECK(memcmp(&p->hdr, &hdr, g->hdr_len) == 0);
	CHECK(fake_frame_equal(p->data, seq, len));
}
