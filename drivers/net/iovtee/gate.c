/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include "gate.h"

static int
membarrier(int command)
{
	return syscall(__NR_membarrier, command, 0) < 0 ? -errno : 0;
}

int
gate_init(void)
{
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

/* Afterwards, what any thread of this process did before is visible, and it sees what we did before. */
static void
order_all_threads(void)
{
	/* A process that forked after gate_init() has to register anew. */
	while (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) < 0)
		membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

/* A burst takes microseconds. If it takes longer, its thread may need the CPU that this one spins on. */
#define SPINS    1000
#define PAUSE_US 20

static void
wait_outside(const struct gate *g)
{
	for (unsigned int i = 0; __atomic_load_n(&g->inside, __ATOMIC_ACQUIRE); i++) {
		if (i < SPINS)
			iovt_pause();
		else
			usleep(PAUSE_US);
	}
}

void
gates_close(struct gate *const *gates, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (gates[i] != NULL)
			__atomic_store_n(&gates[i]->closed, 1, __ATOMIC_RELAXED);
	order_all_threads();
	for (unsigned int i = 0; i < n; i++)
		if (gates[i] != NULL)
			wait_outside(gates[i]);
}

void
gates_open(struct gate *const *gates, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (gates[i] != NULL)
			__atomic_store_n(&gates[i]->closed, 0, __ATOMIC_RELEASE);
}
