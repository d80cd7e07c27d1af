/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "guest.h"

#define BUFFER 2048u

/* Buffers lie in the first half of their region: at its end, the engine looks more closely. */
#define STRIDE (FAKE_AREA / 2)

static uint64_t
place(const struct fake_guest *g, uint16_t id)
{
	return g->area[FAKE_LINEAR] + (uint64_t)id * STRIDE;
}

static void
offer(struct fake_guest *g, uint16_t id, uint32_t len)
{
	const struct fake_raw d = {
		.gpa = place(g, id),
		.len = len,
		.flags = g->dir == IOVT_TO_GUEST ? VRING_DESC_F_WRITE : 0,
	};

	fake_guest_offer(g, id, &d, 1);
}

static void
write_frame(struct fake_guest *g, uint16_t id, uint32_t len)
{
	uint8_t *packet = fake_mem_guest(&g->mem, place(g, id), GUEST_HDR + len);

	memset(packet, 0, GUEST_HDR);
	fake_frame_write(packet + GUEST_HDR, id, len);
}

void
guest_open(struct fake_guest *g, const struct fake_format *format, bool sends, uint32_t len,
	unsigned int offered)
{
	const struct fake_guest_conf conf = {
		.format = format,
		.size = GUEST_RING,
		.start = format->first,
		.hdr_len = GUEST_HDR,
		.mergeable = true,
		.sends = sends,
	};

	fake_guest_init(g, &conf);
	format->notify_after(g, 0);
	for (uint16_t id = 0; id < offered; id++) {
		if (sends)
			write_frame(g, id, len);
		offer(g, id, sends ? GUEST_HDR + len : BUFFER);
	}
}

void
guest_turn(struct fake_guest *g, uint32_t used)
{
	uint32_t len;
	uint16_t id;

	while (fake_guest_used(g, &id, &len)) {
		CHECK(len == (g->dir == IOVT_TO_GUEST ? used : 0));
		offer(g, id, g->dir == IOVT_TO_GUEST ? BUFFER : used);
	}
}

struct iovt_vring_conf
guest_ring(const struct fake_guest *g)
{
	return fake_guest_ring(g, g->format->first, g->format->first);
}
