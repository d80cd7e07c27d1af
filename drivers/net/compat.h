/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Differences between DPDK versions, 22.11 to 25.11, for all drivers: nowhere else. docs/dpdk-versions.md has how
 * each was tried.
 */
#ifndef IOVTEE_COMPAT_H
#define IOVTEE_COMPAT_H

#include <pthread.h>
#include <stdint.h>

#include <ethdev_driver.h>
#include <rte_lcore.h>
#include <rte_telemetry.h>
#include <rte_thread.h>
#include <rte_version.h>

/* 23.03 gave the function for unsigned numbers this name, and warns of the old one. */
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

/**
 * Start a thread that keeps off the lcores' CPUs. 23.11 has another function for it, whose threads are those of POSIX
 * on Linux.
 *
 * @return 0, or a negative errno.
 */
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
typedef uint32_t iovtee_thread_result;

static inline int
iovtee_control_thread(pthread_t *thread, const char *name, rte_thread_func run, void *arg)
{
	rte_thread_t id = {0};
	int ret = rte_thread_create_control(&id, name, run, arg);

	*thread = (pthread_t)id.opaque_id;
	return ret;
}
#else
typedef void *iovtee_thread_result;

static inline int
iovtee_control_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	return rte_ctrl_thread_create(thread, name, NULL, run, arg);
}
#endif

/* 24.07 added the number of entries to the packet-type list that a driver returns. */
#if RTE_VERSION >= RTE_VERSION_NUM(24, 7, 0, 0)
#define IOVTEE_PTYPES_COUNT_PARAM      , size_t *count
#define IOVTEE_PTYPES_COUNT_ARG        , count
#define IOVTEE_PTYPES_COUNT_SET(value) (*count = (value))
#else
#define IOVTEE_PTYPES_COUNT_PARAM
#define IOVTEE_PTYPES_COUNT_ARG
#define IOVTEE_PTYPES_COUNT_SET(value) ((void)(value))
#endif

/* 25.11 moved the counters of queues to a structure of their own, which may be absent, and lets counting a queue fail. */
#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
typedef int iovtee_queue_count;
typedef struct eth_queue_stats iovtee_queue_stats;
#define IOVTEE_QUEUE_STATS_PARAM  , struct eth_queue_stats *queue_stats
#define IOVTEE_QUEUE_STATS(stats) (queue_stats)
#else
typedef uint32_t iovtee_queue_count;
typedef struct rte_eth_stats iovtee_queue_stats;
#define IOVTEE_QUEUE_STATS_PARAM
#define IOVTEE_QUEUE_STATS(stats) (stats)
#endif

/*
 * librte_vhost gives handlers of messages its struct vhu_msg_context, which no installed header has: the message with
 * room for the largest payload, then file descriptors. Of the payloads, 25.03 made that of crypto sessions larger.
 */
#if RTE_VERSION >= RTE_VERSION_NUM(25, 3, 0, 0)
#define IOVTEE_VHOST_PAYLOAD_MAX 1072
#else
#define IOVTEE_VHOST_PAYLOAD_MAX 632
#endif
#define IOVTEE_VHOST_FDS_MAX 8

#endif
