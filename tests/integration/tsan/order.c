/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What DPDK's libraries order between threads, and the thread sanitizer cannot see, as they are not built
 * with it. Preloaded into an application with instrumented plugins.
 *
 * It sees by itself: mutexes, thread creation, and pipes, by which EAL starts work on an lcore.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

/* dlsym() finds the function behind this one; ISO C has no cast for what it returns. */
#define NEXT(name)                                                                                 \
	__extension__({                                                                            \
		__typeof__(name) *next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);              \
		if (next == NULL)                                                                  \
			abort();                                                                   \
		next;                                                                              \
	})

/* ---- work on an lcore is done when somebody has waited for it ---- */

static struct work {
	lcore_function_t *function;
	void *arg;
} works[RTE_MAX_LCORE];

static int
run(void *arg)
{
	struct work *work = arg;
	int ret = work->function(work->arg);

	__tsan_release(work);
	return ret;
}

int
rte_eal_remote_launch(lcore_function_t *function, void *arg, unsigned int lcore)
{
	works[lcore] = (struct work){function, arg};
	return NEXT(rte_eal_remote_launch)(run, &works[lcore], lcore);
}

/* Everybody who waits for lcores ends here: what they did is done. */
int
rte_eal_wait_lcore(unsigned int lcore)
{
	int ret = NEXT(rte_eal_wait_lcore)(lcore);

	__tsan_acquire(&works[lcore]);
	return ret;
}

/* ---- an object that comes out of a pool was put there before; pools of our own are instrumented ---- */

static struct rte_mempool_ops pools[RTE_MEMPOOL_MAX_OPS_IDX];

static int
enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		__tsan_release(objs[i]);
	return pools[mp->ops_index].enqueue(mp, objs, n);
}

static int
dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	int ret = pools[mp->ops_index].dequeue(mp, objs, n);

	for (unsigned int i = 0; ret == 0 && i < n; i++)
		__tsan_acquire(objs[i]);
	return ret;
}

int
rte_mempool_register_ops(const struct rte_mempool_ops *ops)
{
	struct rte_mempool_ops seen = *ops;
	int index;

	if (strncmp(ops->name, "ring_", 5) == 0) {
		seen.enqueue = enqueue;
		seen.dequeue = dequeue;
	}
	index = NEXT(rte_mempool_register_ops)(&seen);
	if (index >= 0)
		pools[index] = *ops;
	return index;
}

/* ---- memory that is allocated may have been freed before: a lock that is seen, around one that is not ---- */

static pthread_mutex_t heap = PTHREAD_MUTEX_INITIALIZER;

void
rte_free(void *ptr)
{
	pthread_mutex_lock(&heap);
	NEXT(rte_free)(ptr);
	pthread_mutex_unlock(&heap);
}

void *
rte_zmalloc_socket(const char *type, size_t size, unsigned int align, int socket)
{
	void *ptr;

	pthread_mutex_lock(&heap);
	ptr = NEXT(rte_zmalloc_socket)(type, size, align, socket);
	pthread_mutex_unlock(&heap);
	return ptr;
}

/* ---- a test has the counters that it has asked for, by telemetry, before it has a port closed ---- */

static char asked;

int
rte_eth_stats_get(uint16_t port, struct rte_eth_stats *stats)
{
	int ret = NEXT(rte_eth_stats_get)(port, stats);

	__tsan_release(&asked);
	return ret;
}

int
rte_eth_xstats_get(uint16_t port, struct rte_eth_xstat *xstats, unsigned int n)
{
	int ret = NEXT(rte_eth_xstats_get)(port, xstats, n);

	__tsan_release(&asked);
	return ret;
}

int
rte_eth_dev_close(uint16_t port)
{
	__tsan_acquire(&asked);
	return NEXT(rte_eth_dev_close)(port);
}
