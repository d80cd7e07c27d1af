/* SPDX-License-Identifier: BSD-3-Clause */
/* The device: its lock, its thread, and one batch of its work. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <sys/prctl.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "emunic.h"

#define IDLE_SPINS    1024 /* idle batches before the engine starts to sleep */
#define IDLE_SLEEP_NS 20000
#define TIMER_SLACK   1000UL /* ns */
#define TX_BATCH      512    /* frames sent in a batch, of all queues */

void
emu_lock(struct emu *emu)
{
	if (pthread_mutex_trylock(&emu->mutex) == 0)
		return;
	__atomic_fetch_add(&emu->waiters, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&emu->mutex);
	__atomic_fetch_sub(&emu->waiters, 1, __ATOMIC_RELAXED);
}

void
emu_unlock(struct emu *emu)
{
	pthread_mutex_unlock(&emu->mutex);
}

/* Called with the lock held. */
void
emu_fault(struct emu *emu, const char *what, uint64_t iova, uint32_t len)
{
	emu->counters[EMU_FAULTS]++;
	if (emu->fault_logged)
		return;
	emu->fault_logged = true;
	EMU_LOG(ERR,
		"%s: IOMMU fault: %s of %u bytes at IOVA 0x%" PRIx64 ", which is not mapped for "
		"this device; map it with rte_dev_dma_map() (further faults are only counted)",
		emu->dev->device->name, what, len, iova);
}

/* One batch; the caller holds the lock. Returns the frames moved. */
static unsigned int
batch(struct emu *emu, unsigned int rx_budget, unsigned int tx_budget)
{
	unsigned int i, moved = 0;

	/* The table may have changed since the last batch: nothing is remembered across batches. */
	memset(&emu->hint, 0, sizeof(emu->hint));
	emu->now = rte_rdtsc();
	for (i = 0; i < emu->nb_txq; i++)
		emu_tx_fetch(emu->txq[i]);
	if (emu_link_up(emu))
		moved += emu_source_run(emu, rx_budget);
	for (i = 0; i < emu->nb_txq && tx_budget > 0 && !emu->tx_stalled; i++) {
		unsigned int sent = emu_tx_drain(emu, emu->txq[i], tx_budget);

		moved += sent;
		tx_budget -= sent;
	}
	if (moved == 0 && emu->dump != NULL)
		emu_dump_flush(emu->dump);
	return moved;
}

int
emu_step(struct emu *emu, unsigned int rx_budget, unsigned int tx_budget)
{
	unsigned int moved;

	emu_lock(emu);
	moved = batch(emu, rx_budget, tx_budget);
	emu_unlock(emu);
	return moved;
}

static void
nap(uint32_t ns)
{
	const struct timespec t = {.tv_nsec = ns};

	nanosleep(&t, NULL);
}

/*
 * A real NIC takes no CPU: this one gives it away while no frame is due, and when nothing moves for long. In between it looks again
 * only after all others that want the CPU: to be woken from a sleep takes longer than many a gap between frames.
 */
static iovtee_thread_result
engine(void *arg)
{
	struct emu *emu = arg;
	unsigned int idle = 0;
	uint32_t rest;

	prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0);
	while (!__atomic_load_n(&emu->quit, __ATOMIC_RELAXED)) {
		unsigned int moved;

		if (__atomic_load_n(&emu->waiters, __ATOMIC_RELAXED) > 0) {
			sched_yield();
			continue;
		}
		pthread_mutex_lock(&emu->mutex);
		moved = batch(emu, EMU_BATCH, TX_BATCH);
		rest = moved > 0 ? 0 : emu_source_rest_ns(emu);
		pthread_mutex_unlock(&emu->mutex);

		idle = moved > 0 ? 0 : idle + 1;
		if (rest > 0)
			nap(rest);
		else if (idle < IDLE_SPINS)
			sched_yield();
		else
			nap(IDLE_SLEEP_NS);
	}
	return (iovtee_thread_result)0;
}

int
emu_engine_start(struct emu *emu)
{
	char name[16];
	cpu_set_t cpus;
	int ret;

	if (emu->conf.step)
		return 0;
	snprintf(name, sizeof(name), "emunic-%u", emu->port_id);
	ret = iovtee_control_thread(&emu->thread, name, engine, emu);
	if (ret != 0) {
		EMU_LOG(ERR, "%s: cannot create the device thread: %s", emu->dev->device->name,
			strerror(-ret));
		return ret;
	}
	emu->threaded = true;
	if (!emu->conf.cpu_set)
		return 0;
	CPU_ZERO(&cpus);
	CPU_SET(emu->conf.cpu, &cpus);
	ret = pthread_setaffinity_np(emu->thread, sizeof(cpus), &cpus);
	if (ret != 0) {
		EMU_LOG(ERR,
			"%s: cannot run the device on cpu=%" PRIu64 ": %s; "
			"choose a CPU of this process's set",
			emu->dev->device->name, emu->conf.cpu, strerror(ret));
		emu_engine_stop(emu);
		return -ret;
	}
	return 0;
}

void
emu_engine_stop(struct emu *emu)
{
	if (!emu->threaded)
		return;
	__atomic_store_n(&emu->quit, true, __ATOMIC_RELAXED);
	pthread_join(emu->thread, NULL);
	emu->threaded = false;
}
