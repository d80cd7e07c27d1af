/* SPDX-License-Identifier: BSD-3-Clause */
/* When a guest's queue stops, what is inside the switch is waited for: it comes back as that sends or drops it. */
#include <rte_cycles.h>
#include <rte_pause.h>

#include "uplink.h"
#include "vhost.h"

/* A thread that has packets in its hands may not be running: on a busy machine it does again within this time. */
#define PATIENCE_MS 1000

/* A NIC that is stalled, or an application that keeps packets, is found out once. */
#define HELD_UP_MS 20

/* Most is back within microseconds, and a sleep takes many: the kernel adds its timer slack. */
#define SPIN_US  50
#define SLEEP_US 10

static uint64_t
in_ms(unsigned int ms)
{
	return rte_get_timer_cycles() + ms * rte_get_timer_hz() / 1000;
}

static unsigned int
lent(void *rxq)
{
	return iovt_rxq_look(rxq).lent;
}

static unsigned int
borrowed(void *txq)
{
	return iovt_txq_out(txq);
}

/* NICs are told to let go of what they have sent. Returns how much is still out. */
static unsigned int
wait_for(const struct vhost_port *p, unsigned int (*out)(void *queue), void *queue, uint64_t end)
{
	const uint64_t spin_end = rte_get_timer_cycles() + rte_get_timer_hz() / 1000000 * SPIN_US;
	uint64_t now;
	unsigned int n;

	while ((n = out(queue)) > 0 && (now = rte_get_timer_cycles()) < end) {
		if (p->uplink != NULL)
			uplink_reap(p->uplink);
		if (now < spin_end)
			rte_pause();
		else
			rte_delay_us_sleep(SLEEP_US);
	}
	return n;
}

static unsigned int
wait_patiently(struct vhost_port *p, unsigned int (*out)(void *queue), void *queue)
{
	unsigned int n;

	if (out(queue) == 0)
		return 0;
	n = wait_for(p, out, queue, in_ms(p->held_up ? HELD_UP_MS : PATIENCE_MS));
	p->held_up = n > 0;
	return n;
}

unsigned int
vhost_wait_for_lent(struct vhost_port *p, struct iovt_rxq *rxq)
{
	return wait_patiently(p, lent, rxq);
}

unsigned int
vhost_wait_for_borrowed(struct vhost_port *p, struct iovt_txq *txq)
{
	return wait_patiently(p, borrowed, txq);
}

unsigned int
vhost_wait_briefly_for_lent(const struct vhost_port *p, struct iovt_rxq *rxq)
{
	return wait_for(p, lent, rxq, in_ms(HELD_UP_MS));
}
