/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the device may access: EAL's own memory, as a real device's driver finds it mapped through
 * VFIO, and what applications add with rte_dev_dma_map().
 *
 * Memory events come while EAL holds its memory lock, and take the device's lock: so nothing that
 * holds the device's lock may allocate from EAL.
 */
#include <errno.h>
#include <inttypes.h>

#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "emunic.h"

/** Map, for rte_dev_dma_map() and for EAL's memory. */
int
emu_dma_map(struct emu *emu, void *addr, uint64_t iova, size_t len)
{
	int ret;

	emu_lock(emu);
	ret = iommu_map(&emu->mmu, iova, len, addr);
	emu_unlock(emu);
	return ret;
}

/** Unmap; when this returns the device does not access the range any more. */
int
emu_dma_unmap(struct emu *emu, uint64_t iova, size_t len)
{
	int ret;

	emu_lock(emu);
	ret = iommu_unmap(&emu->mmu, iova, len);
	emu_unlock(emu);
	return ret;
}

/* External memory belongs to its user, who maps it, unless it became an EAL heap. */
static int
map_segment(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	int ret;

	if ((msl->external && !msl->heap) || ms->iova == RTE_BAD_IOVA)
		return 0;
	ret = emu_dma_map(arg, ms->addr, ms->iova, ms->len);
	/* An event may have mapped it between registration and this walk. */
	return ret == 0 || ret == -EEXIST ? 0 : -1;
}

static void
memory_event(enum rte_mem_event event, const void *addr, size_t len, void *arg)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	struct emu *emu = arg;
	size_t off;
	int ret;

	if (msl == NULL)
		return;
	for (off = 0; off < len; off += msl->page_sz) {
		const struct rte_memseg *ms = rte_mem_virt2memseg(RTE_PTR_ADD(addr, off), msl);

		if (ms == NULL || ms->iova == RTE_BAD_IOVA)
			continue;
		if (event == RTE_MEM_EVENT_FREE) {
			emu_dma_unmap(emu, ms->iova, ms->len);
			continue;
		}
		ret = emu_dma_map(emu, ms->addr, ms->iova, ms->len);
		if (ret != 0 && ret != -EEXIST)
			EMU_LOG(ERR, "%s: cannot map new memory at IOVA 0x%" PRIx64 ": %s",
				emu->dev->device->name, ms->iova, rte_strerror(-ret));
	}
}

int
emu_dma_attach(struct emu *emu)
{
	iommu_init(&emu->mmu);
	/* ENOTSUP: memory is static (--legacy-mem, --no-huge). */
	if (rte_mem_event_callback_register(emu->dev->device->name, memory_event, emu) == 0)
		emu->dma_events = true;
	else if (rte_errno != ENOTSUP)
		return -rte_errno;
	return rte_memseg_walk(map_segment, emu) == 0 ? 0 : -ENOMEM;
}

void
emu_dma_detach(struct emu *emu)
{
	if (emu->dma_events)
		rte_mem_event_callback_unregister(emu->dev->device->name, emu);
	emu->dma_events = false;
	iommu_fini(&emu->mmu);
}
