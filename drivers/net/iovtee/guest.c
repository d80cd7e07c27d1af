/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bus_driver.h>
#include <dev_driver.h>
#include <rte_alarm.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_vhost.h>

#include "control.h"
#include "fnv.h"
#include "guest.h"
#include "log.h"

/* One region: librte_vhost's view of it, and ours. */
struct region {
	uint8_t *addr;             /* of our mapping, from offset 0 of the file */
	size_t len;                /* of our mapping, whole pages */
	const uint8_t *vhost_addr; /* the region's first byte for librte_vhost */
	uint8_t *va;               /* the same for us */
	uint64_t gpa;
	uint64_t size;
	uint64_t file; /* tells it from any other */
	size_t page;
	uint64_t *iovas; /* one for each page of the mapping */
	unsigned int nr_pages;
	bool *dma; /* of the first page of each contiguous run: mapped for the device by us */
};

struct guest {
	TAILQ_ENTRY(guest) next;
	struct iovt_guest_mem *mem;
	struct rte_device *dma;
	bool dma_ok;
	bool dead; /* the snapshot is gone: to be reaped */
	unsigned int nr;
	struct region region[IOVT_MEM_REGIONS_MAX];
	/*
	 * Guests whose mapping of physical pages that are ours too the device uses: kept until we are freed.
	 * They may be dead, as their last reference goes on any lcore at any time; so it is counted here,
	 * under the control lock, and not there.
	 */
	unsigned int sharers;
	unsigned int nr_shared;
	struct guest **shared;
};

static TAILQ_HEAD(, guest) guests = TAILQ_HEAD_INITIALIZER(guests);

static bool
physical_iovas(void)
{
	return rte_eal_iova_mode() == RTE_IOVA_PA;
}

/* Pages mapped for the device at a time: physical ones one by one, since they may be shared. */
static unsigned int
pages_per_map(const struct region *r)
{
	return physical_iovas() ? 1 : r->nr_pages;
}

/*
 * rte_dev_dma_map() would do the same, but asks for memory registered by rte_extmem_register(); that
 * puts guest memory into EAL's list, where a virtio-user port of this process takes it for its own
 * and fails.
 */
static int
dma_map(struct rte_device *dma, void *va, uint64_t iova, size_t len)
{
	if (dma->bus->dma_map == NULL)
		return -ENOTSUP;
	rte_errno = 0;
	return dma->bus->dma_map(dma, va, iova, len) < 0 ? -rte_errno : 0;
}

static void
region_dma_unmap(struct region *r, struct rte_device *dma)
{
	unsigned int n = pages_per_map(r);

	for (unsigned int i = 0; i < r->nr_pages; i += n) {
		if (r->dma[i])
			dma->bus->dma_unmap(dma, r->addr + i * r->page, r->iovas[i], n * r->page);
		r->dma[i] = false;
	}
}

static bool
has_mapped(const struct guest *g, const struct rte_device *dma, uint64_t iova)
{
	for (unsigned int i = 0; i < g->nr && g->dma == dma; i++)
		for (unsigned int p = 0; p < g->region[i].nr_pages; p++)
			if (g->region[i].dma[p] && g->region[i].iovas[p] == iova)
				return true;
	return false;
}

static bool
shares_with(const struct guest *g, const struct guest *other)
{
	for (unsigned int i = 0; i < g->nr_shared; i++)
		if (g->shared[i] == other)
			return true;
	return false;
}

/*
 * A physical page that the device reaches already: of a guest with several ports, or one whose buffers
 * are not all back yet, which is kept until we are done too; or of a guest within this process.
 */
static int
share_page(struct guest *g, uint64_t iova)
{
	struct guest *other, **shared;

	TAILQ_FOREACH(other, &guests, next) {
		if (other == g || !has_mapped(other, g->dma, iova))
			continue;
		if (shares_with(g, other))
			return 0;
		shared = realloc(g->shared, (g->nr_shared + 1) * sizeof(*shared));
		if (shared == NULL)
			return -ENOMEM;
		g->shared = shared;
		g->shared[g->nr_shared++] = other;
		other->sharers++;
		return 0;
	}
	return 0;
}

/* 0: mapped, or the device needs no mapping (it is the CPU, or it has no IOMMU before it). */
static int
region_dma_map(struct guest *g, struct region *r)
{
	unsigned int n = pages_per_map(r);

	for (unsigned int i = 0; i < r->nr_pages; i += n) {
		int ret;

		if (r->iovas[i] == RTE_BAD_IOVA)
			return -EFAULT;
		ret = dma_map(g->dma, r->addr + i * r->page, r->iovas[i], n * r->page);
		r->dma[i] = ret == 0;
		if (ret == -EEXIST && physical_iovas())
			ret = share_page(g, r->iovas[i]);
		if (ret < 0)
			return ret == -ENOTSUP ? 0 : ret;
	}
	return 0;
}

static void
region_unmap(struct region *r)
{
	free(r->iovas);
	free(r->dma);
	if (r->addr != NULL)
		munmap(r->addr, r->len);
}

/* Where the device finds each page. Physical addresses are stable for hugepages only. */
static int
region_find_iovas(struct region *r)
{
	r->nr_pages = r->len / r->page;
	r->iovas = calloc(r->nr_pages, sizeof(*r->iovas));
	r->dma = calloc(r->nr_pages, sizeof(*r->dma));
	if (r->iovas == NULL || r->dma == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->nr_pages; i++) {
		uint8_t *page = r->addr + i * r->page;

		if (!physical_iovas())
			r->iovas[i] = (uintptr_t)page;
		else if (r->page > (size_t)sysconf(_SC_PAGESIZE))
			r->iovas[i] = rte_mem_virt2phy(page);
		else
			r->iovas[i] = RTE_BAD_IOVA;
	}
	return 0;
}

bool
guest_file_holds(int fd, uint64_t offset, uint64_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && size <= (uint64_t)st.st_size &&
		offset <= (uint64_t)st.st_size - size;
}

static int
region_map(struct region *r, const struct rte_vhost_mem_region *v)
{
	uint64_t offset = v->host_user_addr - (uintptr_t)v->mmap_addr;
	struct statfs fs;
	struct stat st;

	if (fstatfs(v->fd, &fs) < 0 || fstat(v->fd, &st) < 0)
		return -errno;
	if (!guest_file_holds(v->fd, offset, v->size))
		return -EINVAL;
	r->page = fs.f_bsize;
	r->len = RTE_ALIGN_CEIL(offset + v->size, r->page);
	r->addr = mmap(NULL, r->len, PROT_READ | PROT_WRITE,
		MAP_SHARED | (physical_iovas() ? MAP_POPULATE : 0), v->fd, 0);
	if (r->addr == MAP_FAILED) {
		r->addr = NULL;
		return -errno;
	}
	r->va = r->addr + offset;
	r->vhost_addr = (const uint8_t *)(uintptr_t)v->host_user_addr;
	r->gpa = v->guest_phys_addr;
	r->size = v->size;
	r->file = fnv_add(fnv_add(FNV_BEGIN, st.st_dev), st.st_ino);
	return region_find_iovas(r);
}

static void
guest_dma_map(struct guest *g)
{
	int ret = 0;

	for (unsigned int i = 0; i < g->nr && ret == 0; i++)
		ret = region_dma_map(g, &g->region[i]);
	g->dma_ok = ret == 0;
#ifdef IOVTEE_POST_AFTER_UNMAP
	/* Wrong on purpose: tests/system/nic looks whether this is seen to fault. */
	for (unsigned int i = 0; i < g->nr; i++)
		region_dma_unmap(&g->region[i], g->dma);
#endif
	if (ret == 0)
		return;
	IOVTEE_LOG(ERR, "device %s cannot reach guest memory: %s%s", rte_dev_name(g->dma),
		strerror(-ret),
		ret == -EFAULT ? "; back it with hugepages, or use --iova-mode=va" : "");
	for (unsigned int i = 0; i < g->nr; i++)
		region_dma_unmap(&g->region[i], g->dma);
}

static void
guest_free(struct guest *g)
{
	TAILQ_REMOVE(&guests, g, next);
	for (unsigned int i = 0; i < g->nr; i++) {
		if (g->dma != NULL)
			region_dma_unmap(&g->region[i], g->dma);
		region_unmap(&g->region[i]);
	}
	for (unsigned int i = 0; i < g->nr_shared; i++)
		g->shared[i]->sharers--;
	free(g->shared);
	free(g);
}

/* Unmap what nobody uses any more; freeing one may be the end of another that it shared with. */
static void
reap_dead(void)
{
	struct guest *g;

	do {
		TAILQ_FOREACH(g, &guests, next)
			if (__atomic_load_n(&g->dead, __ATOMIC_ACQUIRE) && g->sharers == 0)
				break;
		if (g != NULL)
			guest_free(g);
	} while (g != NULL);
}

static void
reap_later(void *arg)
{
	control_lock();
	reap_dead();
	control_unlock();
}

/* The last buffer is back, on whatever lcore: unmapping is work for another thread. */
static void
guest_release(void *arg)
{
	struct guest *g = arg;

	__atomic_store_n(&g->dead, true, __ATOMIC_RELEASE);
	if (rte_eal_alarm_set(1, reap_later, NULL) != 0)
		IOVTEE_LOG(WARNING,
			"guest memory is unmapped only when the next guest comes or goes");
}

static int
make_snapshot(struct guest *g)
{
	struct iovt_mem_region regions[IOVT_MEM_REGIONS_MAX];

	for (unsigned int i = 0; i < g->nr; i++) {
		const struct region *r = &g->region[i];
		bool linear = !physical_iovas() || r->nr_pages == 1;

		regions[i] = (struct iovt_mem_region){
			.gpa = r->gpa,
			.size = r->size,
			.va = r->va,
			.iova = r->iovas[0] + (r->va - r->addr),
			.iova_pages = linear ? NULL : r->iovas + (r->va - r->addr) / r->page,
			.page_shift = __builtin_ctzll(r->page),
		};
	}
	return iovt_guest_mem_create(regions, g->nr, guest_release, g, &g->mem);
}

struct guest *
guest_create(int vid, struct rte_device *dma)
{
	struct rte_vhost_memory *table = NULL;
	struct guest *g = calloc(1, sizeof(*g));
	int ret = -ENOMEM;

	reap_dead();
	if (g == NULL || rte_vhost_get_mem_table(vid, &table) < 0)
		goto fail;
	ret = -EINVAL;
	if (table->nregions > IOVT_MEM_REGIONS_MAX)
		goto fail;
	for (g->nr = 0; g->nr < table->nregions; g->nr++) {
		ret = region_map(&g->region[g->nr], &table->regions[g->nr]);
		if (ret < 0) {
			region_unmap(&g->region[g->nr]);
			goto fail;
		}
	}
	ret = make_snapshot(g);
	if (ret < 0)
		goto fail;
	TAILQ_INSERT_TAIL(&guests, g, next);
	g->dma = dma;
	if (dma != NULL)
		guest_dma_map(g);
	free(table);
	return g;

fail:
	IOVTEE_LOG(ERR, "cannot map the memory of vhost device %d: %s", vid, strerror(-ret));
	for (unsigned int i = 0; g != NULL && i < g->nr; i++)
		region_unmap(&g->region[i]);
	free(table);
	free(g);
	return NULL;
}

void
guest_put(struct guest *g)
{
	iovt_guest_mem_unref(g->mem);
	reap_dead();
}

struct iovt_guest_mem *
guest_mem(struct guest *g)
{
	return g->mem;
}

bool
guest_dma_ok(const struct guest *g)
{
	return g->dma_ok;
}

void *
guest_translate(const struct guest *g, const void *p, size_t len)
{
	for (unsigned int i = 0; i < g->nr; i++) {
		const struct region *r = &g->region[i];
		uint64_t off = (uintptr_t)p - (uintptr_t)r->vhost_addr;

		if (off < r->size && len <= r->size - off)
			return r->va + off;
	}
	return NULL;
}

uint64_t
guest_place(const struct guest *g, const void *p)
{
	for (unsigned int i = 0; i < g->nr; i++) {
		const struct region *r = &g->region[i];
		uint64_t off = (uintptr_t)p - (uintptr_t)r->addr;

		if (off < r->len)
			return fnv_add(r->file, off);
	}
	return 0;
}

void
guest_cut_off(struct guest *g)
{
	for (unsigned int i = 0; g->dma != NULL && i < g->nr; i++)
		region_dma_unmap(&g->region[i], g->dma);
	g->dma = NULL;
	g->dma_ok = false;
}

void
guest_forget_device(const struct rte_device *dma)
{
	struct guest *g;

	TAILQ_FOREACH(g, &guests, next)
		if (g->dma == dma)
			guest_cut_off(g);
}
