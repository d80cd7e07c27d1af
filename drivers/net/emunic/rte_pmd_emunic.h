/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RTE_PMD_EMUNIC_H
#define RTE_PMD_EMUNIC_H

/**
 * @file
 * Control of an emulated NIC port (net_emunic) beyond the ethdev API.
 *
 * Every function takes the ethdev port id of a net_emunic port and returns -ENODEV for any other
 * port. All may be called from any thread, at the same time as the data path, but not while the
 * port is being closed or removed.
 */

#include <stdint.h>

#include <rte_ether.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Settings of the synthetic generator. */
struct rte_pmd_emunic_gen {
	uint16_t frame; /**< Frame length in bytes without CRC, 60 to the port's max_frame. */
	uint32_t flows; /**< Number of UDP flows, each with an address of its own, 1 to 131072. */
	struct rte_ether_addr dst; /**< Destination address. */
	/**
	 * Number of destinations, up to 256 and to the number of flows; 0 is 1. Their addresses
	 * are dst and the ones behind it; flows that follow each other share one.
	 */
	uint16_t dsts;
	uint64_t count; /**< Frames to generate; 0: without end. */
	uint64_t rate;  /**< Frames per second; 0: as fast as possible. */
	uint8_t pause;  /**< 1: wait for a posted descriptor instead of dropping. */
};

/** What happened since the port was created; a statistics reset does not clear these. */
struct rte_pmd_emunic_counters {
	uint64_t source_frames; /**< Taken from the generator or the capture. */
	uint64_t rx_frames;     /**< Written to posted Rx descriptors. */
	uint64_t rx_drops;      /**< No descriptor, too long, or no match. */
	uint64_t tx_frames;     /**< Read from Tx descriptors and sent. */
	uint64_t tx_verified;   /**< Of those: generator frames that are intact. */
	uint64_t tx_corrupt;    /**< Of those: generator frames that are not. */
	uint64_t
		tx_out_of_order; /**< Of those: generator frames behind a later one of their flow. */
	uint64_t iommu_faults;   /**< Accesses to memory that is not mapped for the device. */
};

/**
 * Run the device of a port with engine=step for a moment.
 *
 * @param port_id
 *   Port.
 * @param rx_budget
 *   Most frames to move from the source to the Rx rings.
 * @param tx_budget
 *   Most frames to move from the Tx rings out.
 * @return
 *   Frames moved in both directions; -ENOTSUP if the port has an engine thread.
 */
int rte_pmd_emunic_step(uint16_t port_id, unsigned int rx_budget, unsigned int tx_budget);

/**
 * Replace the source by a generator with new settings, at the start of its count.
 * Sequence numbers of a flow go on where they were, so that no receiver sees a jump.
 *
 * @param port_id
 *   Port; its source must be off (rte_pmd_emunic_source()) unless it has engine=step.
 * @param gen
 *   The settings.
 * @return
 *   0; -EBUSY if the source runs, -EINVAL for a setting out of range, -ENOMEM.
 */
int rte_pmd_emunic_gen_set(uint16_t port_id, const struct rte_pmd_emunic_gen *gen);

/**
 * Switch the source on or off. Switched on when it is exhausted, it starts over.
 *
 * @param port_id
 *   Port.
 * @param on
 *   1: on, 0: off; when the call returns no frame enters any more.
 * @return
 *   0; -ENOENT if the port has no source (neither gen nor rx_pcap).
 */
int rte_pmd_emunic_source(uint16_t port_id, int on);

/**
 * Read the counters, all at one moment of the device.
 *
 * @param port_id
 *   Port.
 * @param[out] counters
 *   Result.
 * @return
 *   0 or -ENODEV.
 */
int rte_pmd_emunic_counters_get(uint16_t port_id, struct rte_pmd_emunic_counters *counters);

/**
 * Latency of generator frames from their stamp to their transmission by this port.
 * The clock is read once for each device batch of 32 frames; buckets are 3 % wide.
 *
 * @param port_id
 *   Port.
 * @param percentile
 *   0 to 100.
 * @param[out] tsc
 *   Latency in TSC cycles (rte_get_tsc_hz() per second).
 * @return
 *   0; -EINVAL for a bad percentile, -ENODATA if nothing was measured.
 */
int rte_pmd_emunic_latency(uint16_t port_id, double percentile, uint64_t *tsc);

/**
 * Forget all latencies measured so far.
 *
 * @param port_id
 *   Port.
 * @return
 *   0 or -ENODEV.
 */
int rte_pmd_emunic_latency_reset(uint16_t port_id);

#ifdef __cplusplus
}
#endif

#endif /* RTE_PMD_EMUNIC_H */
