/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IOVTEE_LOG_H
#define IOVTEE_LOG_H

#include <rte_log.h>

extern int iovtee_logtype;

#define IOVTEE_LOG(level, fmt, ...)                                                                \
	rte_log(RTE_LOG_##level, iovtee_logtype, "IOVTEE: " fmt "\n", ##__VA_ARGS__)

#endif
