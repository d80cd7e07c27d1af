/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of rte_pmd_emunic.h. */
#include <errno.h>

#include "emunic.h"

int
rte_pmd_emunic_step(uint16_t port_id, unsigned int rx_budget, unsigned int tx_budget)
{
	struct emu *emu = emu_find(port_id);

	if (emu == NULL)
		return -ENODEV;
	if (!emu->conf.step)
		return -ENOTSUP;
	return emu_step(emu, rx_budget, tx_budget);
}

/* Under the lock: put the new source in place; *old is left to the caller. */
static int
replace_source(struct emu *emu, struct emu_generator *gen, const struct rte_pmd_emunic_gen *conf,
	struct emu_generator **old, struct emu_replay **old_replay)
{
	if (emu->source_on && !emu->conf.step && !emu_source_done(emu))
		return -EBUSY;
	if (emu->gen != NULL)
		emu_gen_inherit(gen, emu->gen);
	*old = emu->gen;
	*old_replay = emu->replay;
	emu->gen = gen;
	emu->replay = NULL;
	emu->conf.pause = conf->pause;
	emu_pace_set(&emu->pace, conf->rate);
	return 0;
}

int
rte_pmd_emunic_gen_set(uint16_t port_id, const struct rte_pmd_emunic_gen *conf)
{
	struct emu *emu = emu_find(port_id);
	struct emu_generator *gen, *old = NULL;
	struct emu_replay *old_replay = NULL;
	int ret;

	if (emu == NULL)
		return -ENODEV;
	ret = emu_gen_create(emu, conf, &gen);
	if (ret != 0)
		return ret;
	emu_lock(emu);
	ret = replace_source(emu, gen, conf, &old, &old_replay);
	emu_unlock(emu);
	emu_gen_free(ret == 0 ? old : gen);
	emu_replay_free(old_replay);
	return ret;
}

int
rte_pmd_emunic_source(uint16_t port_id, int on)
{
	struct emu *emu = emu_find(port_id);
	int ret;

	if (emu == NULL)
		return -ENODEV;
	emu_lock(emu);
	ret = emu_source_switch(emu, on != 0);
	emu_unlock(emu);
	return ret;
}

int
rte_pmd_emunic_counters_get(uint16_t port_id, struct rte_pmd_emunic_counters *counters)
{
	struct emu *emu = emu_find(port_id);
	const uint64_t *c;

	if (emu == NULL)
		return -ENODEV;
	c = emu->counters;
	emu_lock(emu);
	*counters = (struct rte_pmd_emunic_counters){
		.source_frames = c[EMU_SOURCE_FRAMES],
		.rx_frames = c[EMU_RX_FRAMES],
		.rx_drops = c[EMU_NO_DESC] + c[EMU_TOO_LONG] + c[EMU_NO_MATCH],
		.tx_frames = c[EMU_TX_FRAMES],
		.tx_verified = c[EMU_TX_VERIFIED],
		.tx_corrupt = c[EMU_TX_CORRUPT],
		.tx_out_of_order = c[EMU_TX_OUT_OF_ORDER],
		.iommu_faults = c[EMU_FAULTS],
	};
	emu_unlock(emu);
	return 0;
}

int
rte_pmd_emunic_latency(uint16_t port_id, double percentile, uint64_t *tsc)
{
	struct emu *emu = emu_find(port_id);
	int ret;

	if (emu == NULL)
		return -ENODEV;
	emu_lock(emu);
	ret = emu_verify_latency(emu->verify, percentile, tsc);
	emu_unlock(emu);
	return ret;
}

int
rte_pmd_emunic_latency_reset(uint16_t port_id)
{
	struct emu *emu = emu_find(port_id);

	if (emu == NULL)
		return -ENODEV;
	emu_lock(emu);
	emu_verify_latency_reset(emu->verify);
	emu_unlock(emu);
	return 0;
}
