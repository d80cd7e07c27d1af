/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "message.h"
#include "traffic.h"

/* What a second NIC's frames are addressed to: no table has it. */
static const struct rte_ether_addr elsewhere = {{0x02, 0, 0, 0, 0, 1}};

int
traffic_set(const struct datapath *dp, const struct traffic *traffic, uint64_t rate)
{
	/* The source is patient: it waits for a descriptor, so that overload is no loss. */
	struct rte_pmd_emunic_gen gen = {
		.frame = traffic->frame - RTE_ETHER_CRC_LEN,
		.flows = traffic->flows * dp->setup.ports,
		.dsts = dp->setup.ports,
		.rate = rate / RTE_MAX(dp->nic_count, 1u),
		.pause = 1,
	};
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < dp->nic_count; i++) {
		gen.dst = i == 0 ? datapath_nf_mac(dp, 0) : elsewhere;
		ret = rte_pmd_emunic_gen_set(dp->nic[i], &gen);
	}
	if (ret < 0)
		pvp_error("datapath %s: the emulated NIC cannot generate %u-byte frames of %u "
			  "flows: %s",
			dp->spec->name, traffic->frame, gen.flows, strerror(-ret));
	return ret;
}

void
traffic_switch(const struct datapath *dp, bool on)
{
	for (unsigned int i = 0; i < dp->nic_count; i++)
		rte_pmd_emunic_source(dp->nic[i], on);
}

void
traffic_counters(const struct datapath *dp, struct rte_pmd_emunic_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int i = 0; i < dp->nic_count; i++) {
		struct rte_pmd_emunic_counters c;

		if (rte_pmd_emunic_counters_get(dp->nic[i], &c) != 0)
			continue;
		sum->source_frames += c.source_frames;
		sum->rx_frames += c.rx_frames;
		sum->tx_frames += c.tx_frames;
		sum->tx_verified += c.tx_verified;
		sum->tx_corrupt += c.tx_corrupt;
		sum->iommu_faults += c.iommu_faults;
	}
}

void
traffic_latency_reset(const struct datapath *dp)
{
	for (unsigned int i = 0; i < dp->nic_count; i++)
		rte_pmd_emunic_latency_reset(dp->nic[i]);
}

/* Of several NICs, which all do the same, the worst. */
double
traffic_latency_us(const struct datapath *dp, double percentile)
{
	uint64_t worst = 0;

	for (unsigned int i = 0; i < dp->nic_count; i++) {
		uint64_t tsc;

		if (rte_pmd_emunic_latency(dp->nic[i], percentile, &tsc) == 0)
			worst = RTE_MAX(worst, tsc);
	}
	return (double)worst * US_PER_S / rte_get_tsc_hz();
}
