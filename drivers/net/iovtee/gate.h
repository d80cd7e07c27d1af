/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A gate before a port's queue: the data path is inside for one burst at a time, the control path shuts it
 * out to change what is behind.
 *
 * A queue is polled millions of times for each time that it is changed, so all the cost is on control's side:
 * entering is a store and a load, in this order for the compiler only. Control stores `closed`, has the
 * kernel order every running thread's memory accesses (membarrier(2), Linux 4.14), and then either sees
 * the poller inside, and waits, or the poller sees the gate closed.
 */
#ifndef IOVTEE_GATE_H
#define IOVTEE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "barrier.h"

struct gate {
	uint32_t inside; /* written by the queue's one poller or sender */
	uint32_t closed; /* written by control, with the control lock held */
};

static inline void
gate_leave(struct gate *g)
{
	__atomic_store_n(&g->inside, 0, __ATOMIC_RELEASE);
}

/** The queue's own thread. false: closed, do not go on. */
static inline bool
gate_try_enter(struct gate *g)
{
	__atomic_store_n(&g->inside, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (iovt_likely(__atomic_load_n(&g->closed, __ATOMIC_ACQUIRE) == 0))
		return true;
	gate_leave(g);
	return false;
}

/** The same, waiting: for gates that control closes for a moment only. */
static inline void
gate_enter(struct gate *g)
{
	while (iovt_unlikely(!gate_try_enter(g)))
		iovt_pause();
}

/**
 * Make gates usable in this process. Control thread.
 * @return 0, or negative errno: the kernel or a sandbox has no membarrier(2).
 */
int gate_init(void);

/**
 * Close gates: returns when nobody is inside. A gate is closed by one owner at a time. With the control
 * lock held, and not from inside one of them. NULL entries are skipped.
 */
void gates_close(struct gate *const *gates, unsigned int n);
void gates_open(struct gate *const *gates, unsigned int n);

static inline void
gate_close(struct gate *g)
{
	gates_close(&g, 1);
}

static inline void
gate_open(struct gate *g)
{
	gates_open(&g, 1);
}

#endif
