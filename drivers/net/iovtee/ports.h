/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All ports of this plugin, for threads that look for one while others may come or go: librte_vhost's, and
 * telemetry's. ethdev's own table is the application's, which keeps it from changing under its own feet only.
 * All with the control lock held; so a port that is found does not go away before the lock is released.
 */
#ifndef IOVTEE_PORTS_H
#define IOVTEE_PORTS_H

#include <ethdev_driver.h>

/** From now on it is found. Everything else about the port is set up. */
void ports_add(struct rte_eth_dev *dev);

/** Not any more. A port that was never added may be removed. */
void ports_remove(const struct rte_eth_dev *dev);

/** The port of this number, and with these operations, or NULL. */
struct rte_eth_dev *ports_find(uint16_t id, const struct eth_dev_ops *ops);

#endif
