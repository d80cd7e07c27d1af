/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "txq.h"
#include "virtqueue.h"

int
iovt_txq_create(const struct iovt_txq_conf *conf, struct iovt_txq **out)
{
	struct iovt_vring vr;
	struct iovt_txq *q;

	if (iovt_vq_init(&vr, &conf->ring) < 0 || (conf->hdr_len != 10 && conf->hdr_len != 12))
		return -EINVAL;
	q = malloc(sizeof(*q));
	if (q == NULL)
		return -ENOMEM;
	*q = (struct iovt_txq){
		.vr = vr,
		.mem = conf->ring.mem,
		.region = &conf->ring.mem->region[0],
		.hdr_len = conf->hdr_len,
		.log = conf->log,
	};
	iovt_guest_mem_ref(q->mem);
	iovt_vq_no_kicks(&q->vr);
	iovt_dirty_mark_wish(&q->log, &q->vr);
	*out = q;
	return 0;
}

void
iovt_txq_destroy(struct iovt_txq *q, uint16_t *last_avail, uint16_t *last_used)
{
	iovt_vq_bases(&q->vr, last_avail, last_used);
	iovt_guest_mem_unref(q->mem);
	free(q);
}

void
iovt_txq_break(struct iovt_txq *q, const char *why)
{
	if (q->error != NULL)
		return;
	q->error = why;
	q->stats.ring_errors++;
}
