/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PVP_MESSAGE_H
#define PVP_MESSAGE_H

#include <stdio.h>

/* An error for the user: the value that was wrong, then the remedy. */
#define pvp_error(fmt, ...) fprintf(stderr, "iovtee-pvp: " fmt "\n", ##__VA_ARGS__)

#endif
