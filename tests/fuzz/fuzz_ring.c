/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "complete.h"
#include "copy.h"
#include "fake_mem.h"
#include "fake_nic.h"
#include "fuzz_ring.h"
#include "rxq.h"

#define NIC_MAX         100u
#define SIZE_MAX_FUZZED 32
#define OPERATIONS_MAX  2000

/* The program, read as it is needed; zeros follow its end. */
struct input {
	const uint8_t *data;
	size_t left;
};

struct fuzz {
	struct input in;
	struct fake_mem mem;
	struct iovt_rxq *q;
	struct vring_desc *desc; /* the rings as the guest writes them */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;
	uint16_t avail_idx;
	struct iovt_buf lent[SIZE_MAX_FUZZED];
	unsigned int nr_lent;
	bool in_burst;
	unsigned int released;
};

/*
 * Rings, indirect tables and buffers, in a region that is just large enough for the harvest's fast path to
 * take its first pages; then buffers; the third region adjoins the second.
 */
static const struct fake_region_conf regions[] = {
	{0, 18 * FAKE_PAGE, FAKE_IOVA_LINEAR},
	{0x20000, 2 * FAKE_PAGE, FAKE_IOVA_SCATTERED},
	{0x22000, 2 * FAKE_PAGE, FAKE_IOVA_PAIRS},
	{UINT64_MAX - FAKE_PAGE + 1, FAKE_PAGE, FAKE_IOVA_LINEAR},
};

static uint64_t
take(struct input *in, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes && in->left > 0; i++, in->left--)
		v |= (uint64_t)*in->data++ << (8 * i);
	return v;
}

/* An address: near an edge of a region, or anything. */
static uint64_t
take_address(struct input *in)
{
	uint8_t how = take(in, 1);
	const struct fake_region_conf *r = &regions[how & 3];

	if (how < 0x80)
		return r->gpa + take(in, 2) % r->size;
	if (how < 0xf0)
		return r->gpa + r->size - take(in, 1);
	return take(in, 8);
}

static uint32_t
take_length(struct input *in)
{
	uint8_t how = take(in, 1);

	if (how < 0xc0)
		return how * 2;
	return take(in, how < 0xf0 ? 2 : 4);
}

static void
write_desc(struct fuzz *f, struct vring_desc *d)
{
	uint8_t flags = take(&f->in, 1);
	struct vring_desc v = {
		.addr = take_address(&f->in),
		.len = take_length(&f->in),
		.flags = flags < 0xf0 ? (flags & 1) | VRING_DESC_F_WRITE : flags,
		.next = take(&f->in, 1) % (SIZE_MAX_FUZZED + 1),
	};

	memcpy(d, &v, sizeof(v));
}

static void
write_table(struct fuzz *f)
{
	uint16_t at = take(&f->in, 2) % (regions[0].size - 8 * sizeof(struct vring_desc));
	uint8_t n = take(&f->in, 1) % 8;
	struct vring_desc *table = (struct vring_desc *)(f->mem.region[0].guest + (at & ~15));
	uint16_t head = take(&f->in, 1) & (f->size - 1);

	for (uint8_t i = 0; i < n; i++)
		write_desc(f, &table[i]);
	f->desc[head] = (struct vring_desc){at & ~15, n * sizeof(*table), VRING_DESC_F_INDIRECT, 0};
}

static void
make_available(struct fuzz *f)
{
	for (uint8_t n = take(&f->in, 1) % 8; n > 0; n--) {
		uint8_t head = take(&f->in, 1);

		f->avail->ring[f->avail_idx++ & (f->size - 1)] = head < 0xfc ? head & (f->size - 1)
									     : take(&f->in, 2);
	}
	__atomic_store_n(&f->avail->idx, f->avail_idx, __ATOMIC_RELEASE);
}

static void
guest_writes(struct fuzz *f)
{
	switch (take(&f->in, 1) % 8) {
	case 0: /* one byte anywhere */
		f->mem.base[take(&f->in, 3) % f->mem.total] = take(&f->in, 1);
		break;
	case 1:
		f->avail->idx = take(&f->in, 2);
		break;
	case 2:
		write_table(f);
		break;
	case 3:
	case 4:
		make_available(f);
		break;
	default:
		write_desc(f, &f->desc[take(&f->in, 1) & (f->size - 1)]);
	}
}

static void
harvest(struct fuzz *f)
{
	unsigned int n = take(&f->in, 1) % (SIZE_MAX_FUZZED + 1);
	unsigned int min = n > 0 ? take(&f->in, 1) % n : 0, k;
	struct iovt_buf *bufs = &f->lent[f->nr_lent];

	if (f->in_burst)
		return;
	k = fake_nic_harvest(f->q, bufs, n, min);
	CHECK(k <= n && (k == 0 || k >= min));
	f->nr_lent += k;
	for (unsigned int i = 0; i < k; i++) {
		CHECK(bufs[i].id < f->size && bufs[i].len >= f->q->hdr_len + NIC_MAX);
		/* The whole buffer is in reach of both the device and this process. */
		memset(fake_mem_device(&f->mem, bufs[i].iova, bufs[i].len), 0x5a, bufs[i].len);
		CHECK(bufs[i].va[0] == 0x5a && bufs[i].va[bufs[i].len - 1] == 0x5a);
	}
}

static void
complete(struct fuzz *f)
{
	const struct iovt_vnet_hdr hdr = {.num_buffers = 1};
	unsigned int i;

	if (!f->in_burst || f->nr_lent == 0)
		return;
	i = take(&f->in, 1) % f->nr_lent;
	if (iovt_rx_complete(f->q, f->lent[i].id, f->lent[i].va + f->q->hdr_len,
		    take_length(&f->in), &hdr))
		f->lent[i] = f->lent[--f->nr_lent];
}

static void
copy(struct fuzz *f)
{
	static const uint8_t frame[70000];
	const struct iovt_vnet_hdr hdr = {.num_buffers = 1};
	uint32_t len = 1 + take_length(&f->in) % sizeof(frame), half = len / 2;
	const struct iovt_piece pieces[] = {{frame, half}, {frame, len - half}};
	bool broken = f->q->state != IOVT_RXQ_RUNNING;
	int ret;

	if (!f->in_burst)
		return;
	ret = take(&f->in, 1) & 1 ? iovt_rx_copy(f->q, frame, len, &hdr)
				  : iovt_rx_copy_pieces(f->q, pieces, 2, len, &hdr);
	CHECK(ret == 0 || ret == -ENOBUFS || ret == -EMSGSIZE || ret == -EPROTO);
	CHECK(!broken || ret == -EPROTO);
	CHECK((ret == -EPROTO) == (f->q->state == IOVT_RXQ_BROKEN));
}

static void
burst(struct fuzz *f)
{
	if (f->in_burst) {
		iovt_rx_end(f->q);
		f->in_burst = false;
	} else {
		f->in_burst = iovt_rx_begin(f->q);
	}
}

static void
reclaim(struct fuzz *f, unsigned int n)
{
	uint16_t ids[SIZE_MAX_FUZZED];
	unsigned int k = 0;

	if (f->in_burst)
		return;
	for (; k < n && f->nr_lent > 0; k++)
		ids[k] = f->lent[--f->nr_lent].id;
	iovt_rxq_reclaim(f->q, ids, k);
}

static uint64_t
not_held(const struct iovt_rxq_stats *s)
{
	return s->completed + s->copied_reclaimed + s->rewound + s->flushed + s->abandoned +
		s->late;
}

static void
check(const struct fuzz *f)
{
	const struct iovt_rxq *q = f->q;

	CHECK(q->nr_lent == f->nr_lent && q->nr_lent <= q->lend_max);
	CHECK(q->nr_lent + q->nr_reclaimed <= q->vr.size);
	CHECK(q->stats.harvested == not_held(&q->stats) + q->nr_lent + q->nr_reclaimed);
	CHECK(q->stats.ring_errors == (q->state == IOVT_RXQ_BROKEN));
}

static void
count_release(void *ctx)
{
	(*(unsigned int *)ctx)++;
}

static void
open_ring(struct fuzz *f)
{
	uint8_t shape = take(&f->in, 1);
	struct iovt_rxq_conf conf = {.nic_max = NIC_MAX, .release = count_release};
	uint8_t *host = f->mem.region[0].host, *guest = f->mem.region[0].guest;
	size_t avail, used;

	f->size = 1 << shape % 6;
	f->avail_idx = shape & 0x80 ? 65530 : 0;
	avail = f->size * sizeof(struct vring_desc);
	used = (avail + (3 + f->size) * sizeof(uint16_t) + 3) & ~(size_t)3;
	f->desc = (struct vring_desc *)guest;
	f->avail = (struct vring_avail *)(guest + avail);
	f->used = (struct vring_used *)(guest + used);
	f->avail->idx = f->avail_idx;
	conf.mem = f->mem.snapshot;
	conf.desc = (struct vring_desc *)host;
	conf.avail = (struct vring_avail *)(host + avail);
	conf.used = (struct vring_used *)(host + used);
	conf.size = f->size;
	conf.last_avail = conf.last_used = f->avail_idx;
	conf.lend_max = f->size - (shape & 0x40 ? f->size / 4 : 0);
	conf.mergeable = shape & 0x20;
	conf.hdr_len = conf.mergeable || shape & 0x10 ? 12 : 10;
	conf.event_idx = shape & 8;
	conf.ctx = &f->released;
	CHECK(iovt_rxq_create(&conf, &f->q) == 0);
}

/* Give all back, except perhaps some that come late. */
static void
close_ring(struct fuzz *f)
{
	uint16_t avail, used;
	unsigned int late;

	if (f->in_burst)
		burst(f);
	reclaim(f, take(&f->in, 1) % (SIZE_MAX_FUZZED + 1));
	iovt_rxq_close(f->q);
	late = iovt_rxq_give_back(f->q, &avail, &used);
	CHECK(late == f->nr_lent);
	CHECK(f->q->stats.harvested == not_held(&f->q->stats));
	iovt_rxq_put(f->q);
	CHECK(f->released == (late == 0));
	reclaim(f, late);
	CHECK(f->released == 1);
}

void
fuzz_ring(const uint8_t *data, size_t size)
{
	struct fuzz f = {.in = {data, size}};

	fake_mem_init(&f.mem, regions, 4, false);
	open_ring(&f);
	for (unsigned int i = 0; i < OPERATIONS_MAX && f.in.left > 0; i++) {
		switch (take(&f.in, 1) % 16) {
		case 0:
		case 1:
			harvest(&f);
			break;
		case 2:
		case 3:
			burst(&f);
			break;
		case 4:
			complete(&f);
			break;
		case 5:
		case 6:
			copy(&f);
			break;
		case 7:
			reclaim(&f, take(&f.in, 1) % 4);
			break;
		default:
			guest_writes(&f);
		}
		check(&f);
	}
	close_ring(&f);
	fake_mem_fini(&f.mem);
}
