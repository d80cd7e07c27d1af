/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake driver of a packed ring, against a device played by hand (virtio 1.2, 2.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_guest.h"

#define SIZE_MAX_TESTED 1000
#define LEN             300u
#define HDR             12u

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)
#define BITS  (AVAIL | USED)

struct pos {
	uint16_t idx;
	bool wrap;
};

/* A chain as the device has read it. */
struct taken {
	uint16_t id;
	uint8_t entries; /* of the ring */
	uint8_t nr;
	struct fake_seg seg[FAKE_SEGS];
};

struct device {
	struct fake_guest g;
	struct pos avail;
	struct pos used;
	struct taken taken[SIZE_MAX_TESTED];
	struct fake_packet packet;
};

static struct device d;

static void
step(struct pos *p)
{
	if (++p->idx == d.g.size) {
		p->idx = 0;
		p->wrap = !p->wrap;
	}
}

static void
start(uint16_t size, uint16_t first, bool event_idx)
{
	const struct fake_guest_conf conf = {.format = &fake_packed,
		.size = size,
		.start = first,
		.hdr_len = HDR,
		.event_idx = event_idx};

	fake_guest_init(&d.g, &conf);
	d.avail = d.used = (struct pos){first & 0x7fff, first >> 15};
	assert_false(fake_guest_receive(&d.g, &d.packet));
}

static struct vring_packed_desc *
desc_at(struct pos p)
{
	struct iovt_vring_conf ring = fake_guest_ring(&d.g, 0, 0);

	assert_int_equal(ring.format, IOVT_PACKED);
	return (struct vring_packed_desc *)ring.desc + p.idx;
}

static bool
is_available(void)
{
	return (desc_at(d.avail)->flags & BITS) == (d.avail.wrap ? AVAIL : USED);
}

static void
take_table(const struct vring_packed_desc *at, struct taken *t)
{
	const struct vring_packed_desc *table = (const struct vring_packed_desc *)
		fake_mem_host(&d.g.mem, at->addr, at->len);

	assert_int_equal(at->flags & ~BITS, VRING_DESC_F_INDIRECT);
	assert_int_equal(at->len % sizeof(*table), 0);
	t->nr = at->len / sizeof(*table);
	assert_in_range(t->nr, 1, FAKE_SEGS);
	for (uint8_t i = 0; i < t->nr; i++) {
		assert_int_equal(table[i].flags, VRING_DESC_F_WRITE);
		t->seg[i] = (struct fake_seg){table[i].addr, table[i].len};
	}
}

static void
take(struct taken *t)
{
	bool more = true;

	*t = (struct taken){0};
	while (more) {
		const struct vring_packed_desc *at = desc_at(d.avail);

		assert_true(is_available());
		t->id = at->id;
		t->entries++;
		if (at->flags & VRING_DESC_F_INDIRECT) {
			assert_int_equal(t->nr, 0);
			take_table(at, t);
		} else {
			assert_true(t->nr < FAKE_SEGS);
			assert_true(at->flags & VRING_DESC_F_WRITE);
			t->seg[t->nr++] = (struct fake_seg){at->addr, at->len};
		}
		more = at->flags & VRING_DESC_F_NEXT;
		step(&d.avail);
	}
	assert_true(t->id < d.g.size);
}

static void
use_id(uint16_t id, uint8_t entries, uint32_t len)
{
	struct vring_packed_desc *at = desc_at(d.used);
	uint16_t flags = (d.used.wrap ? BITS : 0) | (len > 0 ? VRING_DESC_F_WRITE : 0);

	at->id = id;
	at->len = len;
	__atomic_store_n(&at->flags, flags, __ATOMIC_RELEASE);
	while (entries-- > 0)
		step(&d.used);
}

/* Deliver frame seq, LEN bytes with its header. */
static void
deliver(const struct taken *t, uint64_t seq)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);
	uint8_t raw[LEN], *from = raw;

	memcpy(raw, &hdr, HDR);
	fake_frame_write(raw + HDR, seq, LEN - HDR);
	for (uint8_t i = 0; i < t->nr; i++) {
		memcpy(fake_mem_host(&d.g.mem, t->seg[i].gpa, t->seg[i].len), from, t->seg[i].len);
		from += t->seg[i].len;
	}
	assert_int_equal(from - raw, LEN);
	use_id(t->id, t->entries, LEN);
}

static void
expect(uint16_t id, uint64_t seq)
{
	assert_true(fake_guest_receive(&d.g, &d.packet));
	assert_int_equal(d.packet.id[0], id);
	fake_packet_check(&d.g, &d.packet, seq, LEN - HDR);
}

/* Fill the ring, use all of it out of order, take all back; until the indexes wrapped a few times. */
static void
laps(uint16_t size, uint16_t first, enum fake_layout layout)
{
	start(size, first, false);
	for (unsigned int lap = 0; lap < 4; lap++) {
		unsigned int n = fake_guest_fill(&d.g, layout, LEN, FAKE_LINEAR);
		unsigned int entries = layout == FAKE_CHAIN ? 3 : layout == FAKE_HDR_APART ? 2 : 1;
		unsigned int stride = n % 3 != 0 ? 3 : n % 5 != 0 ? 5 : 7;

		assert_int_equal(n, size / entries);
		for (unsigned int i = 0; i < n; i++) {
			take(&d.taken[i]);
			assert_int_equal(d.taken[i].entries, entries);
		}
		assert_true(n * entries == size || !is_available());
		for (unsigned int i = 0; i < n; i++)
			deliver(&d.taken[i * stride % n], i);
		for (unsigned int i = 0; i < n; i++)
			expect(d.taken[i * stride % n].id, i);
		assert_false(fake_guest_receive(&d.g, &d.packet));
		assert_int_equal(d.g.nr_posted, 0);
		assert_memory_equal(&d.avail, &d.used, sizeof(d.used));
	}
	fake_guest_fini(&d.g);
}

static void
every_size(void **state)
{
	static const uint16_t sizes[] = {1, 2, 7, 96, 255, 256, SIZE_MAX_TESTED};
	static const enum fake_layout layouts[] = {FAKE_ONE, FAKE_HDR_APART, FAKE_CHAIN,
		FAKE_INDIRECT_CHAIN, FAKE_DIRECT_INDIRECT};
	(void)state;

	for (unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (unsigned int l = 0; l < sizeof(layouts) / sizeof(layouts[0]); l++) {
			snprintf(fake_context, sizeof(fake_context), "size %u layout %u", sizes[s],
				layouts[l]);
			laps(sizes[s], 0x8000, layouts[l]);
			laps(sizes[s], (sizes[s] - 1), layouts[l]);
			laps(sizes[s], 0x8000 | sizes[s] / 2, layouts[l]);
		}
	}
	fake_context[0] = '\0';
}

/* Some buffers stay with the device for many laps while others come and go. */
static void
kept_back(void **state)
{
	struct taken kept, t;
	(void)state;

	start(7, 0x8000, false);
	assert_int_equal(fake_guest_fill(&d.g, FAKE_HDR_APART, LEN, FAKE_PAIRS), 3);
	take(&kept);
	for (uint64_t seq = 0; seq < 40; seq++) {
		take(&t);
		assert_int_not_equal(t.id, kept.id);
		deliver(&t, seq);
		expect(t.id, seq);
		assert_true(fake_guest_post(&d.g, FAKE_HDR_APART, LEN, FAKE_PAIRS) >= 0);
		assert_int_equal(fake_guest_post(&d.g, FAKE_HDR_APART, LEN, FAKE_PAIRS), -1);
	}
	deliver(&kept, 99);
	expect(kept.id, 99);
	fake_guest_fini(&d.g);
}

/* Ids come in an order of their own. */
static void
ids(void **state)
{
	unsigned int same = 0, ascending = 0;
	(void)state;

	start(96, 0x8000, false);
	fake_guest_fill(&d.g, FAKE_ONE, LEN, FAKE_LINEAR);
	for (unsigned int i = 0; i < 96; i++) {
		take(&d.taken[i]);
		same += d.taken[i].id == i;
		ascending += i > 0 && d.taken[i].id == d.taken[i - 1].id + 1;
	}
	assert_true(same < 10 && ascending < 10);
	fake_guest_fini(&d.g);
}

static void
flushed(void **state)
{
	struct taken t;
	(void)state;

	start(7, 0x8000, false);
	fake_guest_post(&d.g, FAKE_CHAIN, LEN, FAKE_LINEAR);
	take(&t);
	use_id(t.id, t.entries, 0);
	assert_true(fake_guest_receive(&d.g, &d.packet));
	assert_true(d.packet.flushed);
	fake_guest_fini(&d.g);
}

static void
expect_event(uint16_t flags, uint16_t idx, bool wrap)
{
	struct iovt_vring_conf ring = fake_guest_ring(&d.g, 0, 0);
	const struct vring_packed_desc_event *e = ring.driver;

	assert_int_equal(e->flags, flags);
	if (flags == VRING_PACKED_EVENT_FLAG_DESC)
		assert_int_equal(e->off_wrap, idx | wrap << 15);
}

static void
notification(void **state)
{
	(void)state;

	start(7, 0x8005, false);
	expect_event(VRING_PACKED_EVENT_FLAG_ENABLE, 0, false);
	d.g.format->notify_after(&d.g, 0);
	expect_event(VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
	d.g.format->notify_after(&d.g, 1);
	expect_event(VRING_PACKED_EVENT_FLAG_ENABLE, 0, false);
	fake_guest_fini(&d.g);

	start(7, 0x8005, true);
	d.g.format->notify_after(&d.g, 1);
	expect_event(VRING_PACKED_EVENT_FLAG_DESC, 5, true);
	d.g.format->notify_after(&d.g, 2);
	expect_event(VRING_PACKED_EVENT_FLAG_DESC, 6, true);
	d.g.format->notify_after(&d.g, 3);
	expect_event(VRING_PACKED_EVENT_FLAG_DESC, 0, false);
	d.g.format->notify_after(&d.g, 0);
	expect_event(VRING_PACKED_EVENT_FLAG_DISABLE, 0, false);
	fake_guest_fini(&d.g);
}

static jmp_buf noticed;

static void
notice(const char *file, int line)
{
	(void)file;
	(void)line;
	longjmp(noticed, 1);
}

/* The driver notices a device that uses what is not its own. */
static void
expect_noticed(uint16_t id, uint32_t len)
{
	volatile bool caught = true;

	fake_fail_hook = notice;
	if (setjmp(noticed) == 0) {
		use_id(id, 1, len);
		fake_guest_receive(&d.g, &d.packet);
		caught = false;
	}
	fake_fail_hook = _fail;
	assert_true(caught);
	fake_guest_fini(&d.g);
}

static struct taken
start_with_one_used(void)
{
	start(7, 0x8000, false);
	fake_guest_post(&d.g, FAKE_ONE, LEN, FAKE_LINEAR);
	fake_guest_post(&d.g, FAKE_ONE, LEN, FAKE_LINEAR);
	take(&d.taken[0]);
	take(&d.taken[1]);
	deliver(&d.taken[0], 1);
	expect(d.taken[0].id, 1);
	return d.taken[0];
}

static void
device_errors(void **state)
{
	(void)state;

	expect_noticed(start_with_one_used().id, LEN); /* twice */
	start_with_one_used();
	expect_noticed(7, LEN); /* no such id */
	start_with_one_used();
	expect_noticed(d.taken[1].id, LEN + 1); /* more than there is room for */
	start(7, 0x8000, false);
	expect_noticed(0, LEN); /* before anything was offered */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(kept_back),
		cmocka_unit_test(ids),
		cmocka_unit_test(flushed),
		cmocka_unit_test(notification),
		cmocka_unit_test(device_errors),
	};

	fake_fail_hook = _fail;
	return cmocka_run_group_tests_name("packed driver", tests, NULL, NULL);
}
