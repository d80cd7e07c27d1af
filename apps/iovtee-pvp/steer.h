/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PVP_STEER_H
#define PVP_STEER_H

#include <stdint.h>

#include <rte_ether.h>

/* Have the port receive what is for this address in this queue, from now on. */
int steer_to_queue(uint16_t port, const struct rte_ether_addr *mac, uint16_t queue);

#endif
