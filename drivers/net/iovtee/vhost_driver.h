/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef IOVTEE_VHOST_DRIVER_H
#define IOVTEE_VHOST_DRIVER_H

#include <ethdev_driver.h>

/* vhost_driver.c */
int vhost_close(struct rte_eth_dev *dev);

/* vhost_ops.c */
void vhost_set_functions(struct rte_eth_dev *dev);

#endif
