/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IOVTEE_UPLINK_ARGS_H
#define IOVTEE_UPLINK_ARGS_H

#include <stdint.h>

#define UPLINK_ARG_MAX 1024

struct uplink_args {
	/* One of the two is not empty. */
	char dev[UPLINK_ARG_MAX];  /* devargs of a device to be probed */
	char port[UPLINK_ARG_MAX]; /* name of an existing port */
	uint16_t max_frame;        /* bytes that an mbuf for the NIC shall hold at most */
};

/** @return 0, or -EINVAL (logged: value and remedy) */
int uplink_args_parse(const char *name, const char *args, struct uplink_args *out);

#endif
