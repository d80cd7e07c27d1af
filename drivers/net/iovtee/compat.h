/* SPDX-License-Identifier: BSD-3-Clause */
/* Differences between DPDK versions, 22.11 to 25.11: nowhere else. */
#ifndef IOVTEE_COMPAT_H
#define IOVTEE_COMPAT_H

#include <rte_version.h>

/* 24.07 added the number of entries to the packet-type list that a driver returns. */
#if RTE_VERSION >= RTE_VERSION_NUM(24, 7, 0, 0)
#define IOVTEE_PTYPES_COUNT       1
#define IOVTEE_PTYPES_COUNT_PARAM , size_t *count
#else
#define IOVTEE_PTYPES_COUNT_PARAM
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
