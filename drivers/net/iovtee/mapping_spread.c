/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of an untrusted guest (trust=0): mapped are as many as the NIC can spread the guest's frames over.
 *
 * Nobody else's frames reach a claimed queue at any time (steer.h). A queue is posted with guest buffers before
 * the rule sends frames there, and the rule is changed before the buffers are taken back, so that a
 * change loses none; meanwhile the guest's frames arrive elsewhere and are copied.
 */
#include "steer.h"
#include "uplink.h"
#include "vhost.h"

static bool
contains(uint32_t set, uint16_t queue)
{
	return set >> queue & 1;
}

/* Queues that only steering can keep off. */
static uint32_t
ready_queues(struct vhost_port *p)
{
	uint32_t ready = 0;

	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct vhost_txq *q = &p->txq[i];
		enum map_reason reason;

		if (q->rxq == NULL)
			continue;
		reason = mapping_check(q);
		if (reason == MAP_ON)
			ready |= UINT32_C(1) << i;
		else if (reason != q->map.reason)
			mapping_refuse(q, reason);
		else
			mapping_feed(q); /* the uplink may have been restarted */
	}
	return ready;
}

/* Returns the queues of `wanted` that are on now. */
static uint32_t
switch_on(struct vhost_port *p, uint32_t wanted)
{
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct vhost_txq *q = &p->txq[i];

		if (!contains(wanted, i) || q->map.uq != NULL)
			continue;
		mapping_on(q, q->rxq);
		if (q->map.uq == NULL)
			wanted &= ~(UINT32_C(1) << i);
	}
	return wanted;
}

static void
switch_off(struct vhost_port *p, uint32_t unwanted, enum map_reason reason)
{
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		if (!contains(unwanted, i))
			continue;
		mapping_off(&p->txq[i]);
		mapping_refuse(&p->txq[i], reason);
	}
}

void
mapping_spread(struct vhost_port *p)
{
	uint32_t ready, chosen, on;

	if (p->conf.trust || p->uplink == NULL)
		return;
	ready = ready_queues(p);
	if (ready == p->spread.ready)
		return;
	p->spread.ready = ready;
	if (steer_keep_exclusive(p->uplink) < 0) {
		switch_off(p, ready, MAP_SHARED_QUEUE);
		return;
	}
	chosen = steer_choose(p, ready);
	on = switch_on(p, chosen);
	if (!steer_set(p, on)) {
		steer_set(p, 0);
		switch_off(p, ready, MAP_NO_STEERING);
		return;
	}
	switch_off(p, ready & ~chosen, chosen != 0 ? MAP_FEW_QUEUES : MAP_NO_STEERING);
}

void
mapping_gather(struct vhost_port *p)
{
	if (p->uplink == NULL)
		return;
	steer_set(p, 0);
	p->spread.ready = 0;
}
