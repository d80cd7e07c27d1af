/* SPDX-License-Identifier: BSD-3-Clause
 * The other core: the emulated NICs' device engines and the NFs, in turns.
 */
#ifndef PVP_NF_H
#define PVP_NF_H

#include <stdint.h>

#include "datapath.h"
#include "rte_pmd_emunic.h"

/* How an NF that is a DPDK port works, and one that is a guest of our own. */
uint16_t nf_port_burst(const struct nf *nf);
uint16_t nf_guest_burst(const struct nf *nf);

/* Step the NICs and run the NFs for so many TSC cycles. */
void nf_run_for(const struct datapath *dp, uint64_t cycles);

/*
 * The same until no more frames are under way than at the time of `idle`, or nothing moved for
 * `patience` TSC cycles.
 */
void nf_run_until_empty(const struct datapath *dp, const struct rte_pmd_emunic_counters *idle,
	uint64_t patience);

#endif
