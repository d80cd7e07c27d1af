/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "fake_area.h"

#define RINGS_GPA  0
#define LINEAR_GPA UINT64_C(0x40000000)

static size_t
pages_up(size_t bytes)
{
	return (bytes + FAKE_PAGE - 1) & ~(size_t)(FAKE_PAGE - 1);
}

/*
 * The rings from address 0; then a region contiguous for a device, and another in page pairs that
 * adjoins it for the guest only; one more that ends with the address space.
 */
static void
init_memory(struct fake_guest *g, bool one_view, struct fake_places *places)
{
	size_t areas = (size_t)g->size * FAKE_AREA;
	size_t rings = pages_up(g->format->bytes(g->size));
	size_t tables = pages_up(fake_tables_bytes(g->size));
	struct fake_region_conf conf[] = {
		{RINGS_GPA, rings + tables, FAKE_IOVA_LINEAR},
		{LINEAR_GPA, areas + FAKE_PAGE, FAKE_IOVA_LINEAR},
		{LINEAR_GPA + areas + FAKE_PAGE, areas + FAKE_AREA, FAKE_IOVA_PAIRS},
		{UINT64_MAX - areas + 1, areas, FAKE_IOVA_SCATTERED},
	};

	fake_mem_init(&g->mem, conf, 4, one_view);
	g->owns_mem = true;
	places->rings = RINGS_GPA;
	places->tables = RINGS_GPA + rings;
	places->area[FAKE_LINEAR] = conf[1].gpa;
	/* The areas start behind the page that is used for crossing. */
	places->area[FAKE_PAIRS] = conf[2].gpa + FAKE_AREA;
	places->area[FAKE_SCATTERED] = conf[3].gpa;
	places->crossing = conf[2].gpa - FAKE_PAGE;
}

size_t
fake_tables_bytes(uint16_t size)
{
	return (size_t)size * (FAKE_SEGS + 1) * sizeof(struct vring_desc);
}

static uint64_t
area_gpa(const struct fake_guest *g, enum fake_place place, uint16_t slot)
{
	return g->area[place] + (uint64_t)slot * FAKE_AREA;
}

/* A prime that does not divide n: its multiples modulo n are all numbers below n. */
static uint16_t
coprime(uint16_t n)
{
	static const uint16_t primes[] = {5, 7, 11, 13, 17, 19};
	unsigned int i = 0;

	while (n % primes[i] == 0) /* 16 bits do not hold the product of them all */
		i++;
	return primes[i];
}

void
fake_guest_reset(struct fake_guest *g, uint16_t start)
{
	uint16_t step = coprime(g->size);

	memset(g->chain, 0, g->size * sizeof(*g->chain));
	g->crossing = g->crossing_area == UINT64_MAX;
	g->nr_posted = 0;
	g->nr_free_desc = g->size;
	for (uint16_t i = 0; i < g->size; i++) {
		/* Not in ascending order: heads must not look like ring positions. */
		g->free_desc[i] = ((uint32_t)i * step + 1) % g->size;
		for (int p = 0; p < FAKE_PLACES; p++)
			g->free_area[p][i] = i;
	}
	for (int p = 0; p < FAKE_PLACES; p++)
		g->nr_free_area[p] = g->size;
	g->format->reset(g, start);
}

static void
init_queue(struct fake_guest *g, const struct fake_guest_conf *conf)
{
	*g = (struct fake_guest){
		.format = conf->format,
		.size = conf->size,
		.hdr_len = conf->hdr_len,
		.mergeable = conf->mergeable,
		.event_idx = conf->event_idx,
		.dir = conf->sends ? IOVT_FROM_GUEST : IOVT_TO_GUEST,
		.free_desc = calloc(conf->size, sizeof(*g->free_desc)),
		.chain = calloc(conf->size, sizeof(*g->chain)),
	};
	for (int p = 0; p < FAKE_PLACES; p++)
		g->free_area[p] = calloc(conf->size, sizeof(uint16_t));
}

static void
set_places(struct fake_guest *g, const struct fake_places *places)
{
	g->rings = places->rings;
	g->tables = places->tables;
	memcpy(g->area, places->area, sizeof(g->area));
	g->crossing_area = places->crossing;
}

void
fake_guest_init_in(struct fake_guest *g, const struct fake_guest_conf *conf,
	const struct fake_mem *mem, const struct fake_places *places)
{
	init_queue(g, conf);
	g->mem = *mem;
	set_places(g, places);
	fake_guest_reset(g, conf->start);
}

void
fake_guest_init(struct fake_guest *g, const struct fake_guest_conf *conf)
{
	struct fake_places places;

	init_queue(g, conf);
	init_memory(g, conf->one_view, &places);
	set_places(g, &places);
	fake_guest_reset(g, conf->start);
}

void
fake_guest_fini(struct fake_guest *g)
{
	if (g->owns_mem)
		fake_mem_fini(&g->mem);
	free(g->free_desc);
	free(g->chain);
	for (int p = 0; p < FAKE_PLACES; p++)
		free(g->free_area[p]);
}

struct iovt_vring_conf
fake_guest_ring(const struct fake_guest *g, uint16_t last_avail, uint16_t last_used)
{
	struct iovt_vring_conf ring = {
		.mem = g->mem.snapshot,
		.size = g->size,
		.last_avail = last_avail,
		.last_used = last_used,
		.event_idx = g->event_idx,
	};

	g->format->open(g, &ring);
	return ring;
}

static uint64_t
digest(const uint8_t *data, uint32_t len)
{
	uint64_t sum = len, word;

	for (; len >= sizeof(word); data += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 29;
	}
	for (; len > 0; len--)
		sum = (sum ^ *data++) * UINT64_C(0x100000001b3);
	return sum;
}

void
fake_guest_offer(struct fake_guest *g, uint16_t id, const struct fake_raw *d, uint16_t n)
{
	if (id < g->size) {
		g->chain[id] = (struct fake_chain){.posted = true, .nr_desc = n};
		g->nr_posted++;
	}
	g->format->offer(g, id, d, n);
}

void
fake_guest_table(struct fake_guest *g, uint64_t gpa, const struct fake_raw *d, uint16_t n)
{
	g->format->table(fake_mem_guest(&g->mem, gpa, n * sizeof(struct vring_desc)), d, n);
}

bool
fake_guest_used(struct fake_guest *g, uint16_t *id, uint32_t *len)
{
	if (!g->format->used(g, id, len))
		return false;
	CHECK(g->chain[*id].posted);
	g->chain[*id].posted = false;
	g->nr_posted--;
	return true;
}

static int
post(struct fake_guest *g, enum fake_layout layout, uint32_t len, enum fake_place place,
	const uint8_t *content)
{
	struct fake_chain c = {.posted = true, .place = place, .len = len};
	int id;

	CHECK(len > 0 && len <= FAKE_LEN_MAX);
	if (layout == FAKE_REGION_CROSS ? g->crossing : g->nr_free_area[place] == 0)
		return -1;
	c.area = layout == FAKE_REGION_CROSS
		? g->crossing_area
		: area_gpa(g, place, g->free_area[place][g->nr_free_area[place] - 1]);
	fake_area_lay_out(g, &c, layout, len);
	c.nr_direct = c.nr_seg;
	if (layout == FAKE_INDIRECT_ONE || layout == FAKE_INDIRECT_HDR ||
		layout == FAKE_INDIRECT_CHAIN)
		c.nr_direct = 0;
	else if (layout == FAKE_DIRECT_INDIRECT)
		c.nr_direct = 1;
	c.contiguous = layout == FAKE_ONE || layout == FAKE_HDR_FOLLOWED ||
		layout == FAKE_INDIRECT_ONE || layout == FAKE_INDIRECT_HDR ||
		(layout == FAKE_PAGE_CROSS && (place != FAKE_SCATTERED || len == 1));
	fake_area_fill(g, c.area);
	if (content != NULL)
		c.digest = digest(content, len);
	for (uint8_t i = 0; content != NULL && i < c.nr_seg; i++) {
		fake_area_put(g, &c.seg[i], content);
		content += c.seg[i].len;
	}
	id = g->format->add(g, &c);
	if (id < 0)
		return -1;
	if (layout == FAKE_REGION_CROSS)
		g->crossing = true;
	else
		g->nr_free_area[place]--;
	return id;
}

int
fake_guest_post(struct fake_guest *g, enum fake_layout layout, uint32_t len, enum fake_place place)
{
	return post(g, layout, len, place, NULL);
}

/* The header asks for anything. */
int
fake_guest_send(struct fake_guest *g, enum fake_layout layout, uint32_t len, enum fake_place place,
	uint64_t seq)
{
	const struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);
	uint8_t packet[FAKE_LEN_MAX];

	CHECK(len <= sizeof(packet));
	memcpy(packet, &hdr, len < g->hdr_len ? len : g->hdr_len);
	if (len > g->hdr_len)
		fake_frame_write(packet + g->hdr_len, seq, len - g->hdr_len);
	return post(g, layout, len, place, packet);
}

int
fake_guest_send_bytes(struct fake_guest *g, enum fake_layout layout, enum fake_place place,
	const uint8_t *packet, uint32_t len)
{
	return post(g, layout, len, place, packet);
}

unsigned int
fake_guest_fill(struct fake_guest *g, enum fake_layout layout, uint32_t len, enum fake_place place)
{
	unsigned int n = 0;

	while (fake_guest_post(g, layout, len, place) >= 0)
		n++;
	return n;
}

static void
free_area(struct fake_guest *g, const struct fake_chain *c)
{
	if (c->area == g->crossing_area)
		g->crossing = false;
	else
		g->free_area[c->place][g->nr_free_area[c->place]++] =
			(c->area - area_gpa(g, c->place, 0)) / FAKE_AREA;
}

/* Take one used buffer back: its contents go to dst. */
static bool
take_used(struct fake_guest *g, uint8_t *dst, uint16_t *id, uint32_t *len, uint32_t *capacity)
{
	struct fake_chain *c;

	if (!g->format->used(g, id, len))
		return false;
	CHECK(*id < g->size);
	c = &g->chain[*id];
	CHECK(c->posted); /* else: given back twice, or never posted */
	CHECK(*len <= c->len);
	if (g->on_used != NULL)
		g->on_used(g, c, *len);
	fake_area_take(g, c, dst);
	*capacity = c->len;
	free_area(g, c);
	g->format->drop(g, c);
	c->posted = false;
	g->nr_posted--;
	return true;
}

int
fake_guest_reap(struct fake_guest *g)
{
	uint8_t raw[FAKE_LEN_MAX];
	uint32_t len, capacity;
	uint16_t id;

	if (!take_used(g, raw, &id, &len, &capacity))
		return -1;
	CHECK(len == 0);
	CHECK(digest(raw, capacity) == g->chain[id].digest);
	return id;
}

void
fake_guest_check_posted(const struct fake_guest *g)
{
	uint8_t raw[FAKE_LEN_MAX];

	for (uint16_t i = 0; i < g->size; i++)
		if (g->chain[i].posted)
			fake_area_take(g, &g->chain[i], raw);
}

bool
fake_guest_receive(struct fake_guest *g, struct fake_packet *p)
{
	uint8_t raw[FAKE_LEN_MAX];
	uint32_t len, capacity;
	uint16_t left;

	p->flushed = false;
	p->nr = 1;
	p->len = 0;
	if (!take_used(g, raw, &p->id[0], &len, &capacity))
		return false;
	if (len == 0) {
		p->flushed = true;
		return true;
	}
	CHECK(len >= g->hdr_len);
	p->hdr.num_buffers = 1;
	memcpy(&p->hdr, raw, g->hdr_len);
	p->len = len - g->hdr_len;
	memcpy(p->data, raw + g->hdr_len, p->len);
	left = g->any_num_buffers && !g->mergeable ? 0 : p->hdr.num_buffers - 1;
	CHECK(left < 64 && (left == 0 || g->mergeable));
	for (; left > 0; left--) {
		CHECK(len == capacity); /* all but the last are full */
		CHECK(take_used(g, raw, &p->id[p->nr++], &len, &capacity));
		CHECK(len > 0);
		memcpy(p->data + p->len, raw, len);
		p->len += len;
	}
	return true;
}
