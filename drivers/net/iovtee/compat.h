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

#endif
