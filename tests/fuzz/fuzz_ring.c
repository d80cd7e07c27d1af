/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "complete.h"
#include "copy.h"
#include "fake_nic.h"
#include "fuzz_guest.h"
#include "fuzz_target.h"
#include "rxq.h"

#define NIC_MAX 100u

struct fuzz {
	struct fuzz_guest guest;
	struct iovt_rxq *q;
	struct iovt_buf lent[FUZZ_RING_MAX];
	unsigned int nr_lent;
	bool in_burst;
	unsigned int released;
};

static void
harvest(struct fuzz *f)
{
	unsigned int n = fuzz_take(&f->guest.in, 1) % (FUZZ_RING_MAX + 1);
	unsigned int min = n > 0 ? fuzz_take(&f->guest.in, 1) % n : 0, k;
	struct iovt_buf *bufs = &f->lent[f->nr_lent];

	if (f->in_burst)
		return;
	k = fake_nic_harvest(f->q, bufs, n, min);
	CHECK(k <= n && (k == 0 || k >= min));
	f->nr_lent += k;
	for (unsigned int i = 0; i < k; i++) {
		CHECK(bufs[i].id < f->guest.size && bufs[i].len >= f->q->hdr_len + NIC_MAX);
		/* The whole buffer is in reach of both the device and this process. */
		memset(fake_mem_device(&f->guest.mem, bufs[i].iova, bufs[i].len), 0x5a,
			bufs[i].len);
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
	i = fuzz_take(&f->guest.in, 1) % f->nr_lent;
	if (iovt_rx_complete(f->q, f->q->vr.format, f->lent[i].id, f->lent[i].va + f->q->hdr_len,
		    fuzz_length(&f->guest.in), &hdr))
		f->lent[i] = f->lent[--f->nr_lent];
}

static void
copy(struct fuzz *f)
{
	static const uint8_t frame[70000];
	const struct iovt_vnet_hdr hdr = {.num_buffers = 1};
	uint32_t len = 1 + fuzz_length(&f->guest.in) % sizeof(frame), half = len / 2;
	const struct iovt_piece pieces[] = {{frame, half}, {frame, len - half}};
	bool broken = f->q->state != IOVT_RXQ_RUNNING;
	int ret;

	if (!f->in_burst)
		return;
	ret = fuzz_take(&f->guest.in, 1) & 1 ? iovt_rx_copy(f->q, f->q->vr.format, frame, len, &hdr)
					     : iovt_rx_copy_pieces(f->q, pieces, 2, len, &hdr);
	CHECK(ret == 0 || ret == -ENOBUFS || ret == -EMSGSIZE || ret == -EPROTO);
	CHECK(!broken || ret == -EPROTO);
	CHECK((ret == -EPROTO) == (f->q->state == IOVT_RXQ_BROKEN));
}

static void
burst(struct fuzz *f)
{
	if (f->in_burst) {
		iovt_rx_end(f->q, f->q->vr.format);
		f->in_burst = false;
	} else {
		f->in_burst = iovt_rx_begin(f->q);
	}
}

static void
reclaim(struct fuzz *f, unsigned int n)
{
	uint16_t ids[FUZZ_RING_MAX];
	unsigned int k = 0;

	if (f->in_burst)
		return;
	for (; k < n && f->nr_lent > 0; k++)
		ids[k] = f->lent[--f->nr_lent].id;
	iovt_rxq_reclaim(f->q, ids, k);
}

/*
 * What is available now, the guest may take back before it is taken. A hostile guest's split ring may have
 * told of a whole ring while another was taken for a copy, and that was given back.
 */
static void
look(struct fuzz *f)
{
	if (!f->in_burst)
		CHECK(iovt_rxq_available(f->q) <= 2u * f->guest.size + f->q->nr_reclaimed);
}

static uint64_t
not_held(const struct iovt_rxq_stats *s)
{
	return s->completed + s->copied_reclaimed + s->rewound + s->flushed + s->abandoned +
		s->late;
}

/* Ring entries of the buffers that the back end holds. */
static unsigned int
held(const struct iovt_rxq *q)
{
	unsigned int n = 0;

	for (uint32_t id = 0; id < q->vr.size; id++)
		if (q->binding[id].state != IOVT_FREE)
			n += q->vr.format == IOVT_PACKED ? q->binding[id].descs : 1;
	return n;
}

static void
check(const struct fuzz *f)
{
	const struct iovt_rxq *q = f->q;

	if (q->state == IOVT_RXQ_RUNNING)
		CHECK(fuzz_taken(&q->vr) == held(q));
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
	struct iovt_rxq_conf conf = {.nic_max = NIC_MAX,
		.release = count_release,
		.ctx = &f->released};
	uint8_t shape = fuzz_guest_open(&f->guest, IOVT_TO_GUEST, &conf.ring);

	conf.lend_max = f->guest.size - (shape & 0x40 ? f->guest.size / 4 : 0);
	conf.mergeable = shape & 0x20;
	conf.hdr_len = conf.mergeable || shape & 0x10 ? 12 : 10;
	CHECK(iovt_rxq_create(&conf, &f->q) == 0);
}

/* Give all back, except perhaps some that come late. */
static void
close_ring(struct fuzz *f)
{
	struct iovt_vring_end end;
	unsigned int late;

	if (f->in_burst)
		burst(f);
	reclaim(f, fuzz_take(&f->guest.in, 1) % (FUZZ_RING_MAX + 1));
	iovt_rxq_close(f->q);
	late = iovt_rxq_give_back(f->q, &end);
	if (f->q->state == IOVT_RXQ_CLOSED)
		CHECK(end.last_avail == end.last_used);
	CHECK(late == f->nr_lent);
	CHECK(f->q->stats.harvested == not_held(&f->q->stats));
	iovt_rxq_put(f->q);
	CHECK(f->released == (late == 0));
	reclaim(f, late);
	CHECK(f->released == 1);
}

void
fuzz_target(const uint8_t *data, size_t size)
{
	struct fuzz f = {.guest.in = {data, size}};

	open_ring(&f);
	for (unsigned int i = 0; i < FUZZ_OPERATIONS_MAX && f.guest.in.left > 0; i++) {
		switch (fuzz_take(&f.guest.in, 1) % 16) {
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
			reclaim(&f, fuzz_take(&f.guest.in, 1) % 4);
			break;
		case 8:
			look(&f);
			break;
		default:
			fuzz_guest_writes(&f.guest);
		}
		check(&f);
	}
	close_ring(&f);
	fake_mem_fini(&f.guest.mem);
}
