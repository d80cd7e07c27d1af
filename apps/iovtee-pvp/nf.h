/* SPDX-License-Identifier: BSD-3-Clause
 * The other core: the emulated NIC's device engine and the NF, in turns.
 */
#ifndef PVP_NF_H
#define PVP_NF_H

#include <stdint.h>

#include "datapath.h"
#include "rte_pmd_emunic.h"

/* Step the NIC and run the NF for so many TSC cycles. */
void nf_run_for(const struct datapath *dp, uint64_t cycles);

/*
 * The same until no more frames are under way than at the time of `idle`, or nothing moved for
 * `patience` TSC cycles.
 */
void nf_run_until_empty(const struct datapath *dp, const struct rte_pmd_emunic_counters *idle,
	uint64_t patience);

#endif
