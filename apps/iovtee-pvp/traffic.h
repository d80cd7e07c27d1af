/* SPDX-License-Identifier: BSD-3-Clause
 * What the emulated NICs of a datapath send and count, all of them together. Control side.
 */
#ifndef PVP_TRAFFIC_H
#define PVP_TRAFFIC_H

#include "options.h"
#include "rte_pmd_emunic.h"

/* What the NICs generate once they are switched on; `rate` a second in all, 0: as many as possible. */
int traffic_set(const struct datapath *dp, const struct traffic *traffic, uint64_t rate);

void traffic_switch(const struct datapath *dp, bool on);

void traffic_counters(const struct datapath *dp, struct rte_pmd_emunic_counters *sum);

/* Forget latencies; the one below which so many percent of the frames stayed since, 0: there was none. */
void traffic_latency_reset(const struct datapath *dp);
double traffic_latency_us(const struct datapath *dp, double percentile);

#endif
