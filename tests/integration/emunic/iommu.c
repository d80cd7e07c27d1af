/* SPDX-License-Identifier: BSD-3-Clause */
/* The device touches only memory that is mapped for it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "nic.h"

#define BUFFERS 63
#define LEN     (2u << 20)
#define PAGE    4096u
#define IOVA    UINT64_C(0x7000000000)
#define FILL    0xee

/* A pool whose buffers are in memory that EAL does not know. */
static struct rte_mempool *
pool_in(uint8_t *memory)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create("foreign", BUFFERS, 0, 0, NIC_ROOM, 0);
	struct rte_mbuf *all[BUFFERS];
	unsigned int i;

	assert_non_null(pool);
	assert_int_equal(rte_mempool_get_bulk(pool, (void **)all, BUFFERS), 0);
	for (i = 0; i < BUFFERS; i++) {
		all[i]->buf_addr = memory + i * PAGE;
		all[i]->buf_iova = IOVA + i * PAGE;
	}
	rte_mempool_put_bulk(pool, (void **)all, BUFFERS);
	return pool;
}

/* Receive 8 frames; the first byte of each buffer tells whether the device wrote it. */
static void
receive(uint16_t port, struct rte_mbuf **pkts, uint8_t first, uint64_t faults)
{
	unsigned int i;

	nic_step(port, 8, 8);
	assert_int_equal(rte_eth_rx_burst(port, 0, pkts, 8), 8);
	for (i = 0; i < 8; i++)
		assert_int_equal(*rte_pktmbuf_mtod(pkts[i], uint8_t *), first);
	assert_int_equal(nic_xstat(port, "iommu_faults"), faults);
}

static void
map(uint16_t port, uint8_t *memory)
{
	struct rte_device *device = nic_device(port);
	rte_iova_t pages[LEN / PAGE];
	unsigned int i;

	for (i = 0; i < RTE_DIM(pages); i++)
		pages[i] = IOVA + i * PAGE;
	assert_int_equal(rte_extmem_register(memory, LEN, pages, RTE_DIM(pages), PAGE), 0);
	assert_int_equal(rte_dev_dma_map(device, memory, IOVA, LEN), 0);
	assert_int_equal(rte_dev_dma_map(device, memory, IOVA + PAGE, PAGE), -1);
	assert_int_equal(rte_errno, EEXIST);
}

static void
unmap(uint16_t port, uint8_t *memory)
{
	struct rte_device *device = nic_device(port);

	assert_int_equal(rte_dev_dma_unmap(device, memory, IOVA, LEN), 0);
	assert_int_equal(rte_dev_dma_unmap(device, memory, IOVA, LEN), -1);
	assert_int_equal(rte_errno, ENOENT);
	assert_int_equal(rte_extmem_unregister(memory, LEN), 0);
}

void
test_iommu(void **state)
{
	uint8_t *memory = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0);
	struct rte_mempool *pool;
	struct rte_mbuf *pkts[8];
	uint16_t port;
	size_t i;

	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, FILL, LEN);
	pool = pool_in(memory);
	port = nic_open(NIC_GEN ",frame=200,pause=1");
	nic_start(port, 1, 1, 32, pool, NULL);

	/* Not mapped: neither written nor read. */
	receive(port, pkts, FILL, 8);
	assert_int_equal(rte_eth_tx_burst(port, 0, pkts, 8), 8);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "iommu_faults"), 16);
	assert_int_equal(nic_xstat(port, "tx_device_frames"), 0);
	assert_true(rte_eth_tx_done_cleanup(port, 0, 0) >= 0);

	map(port, memory);
	receive(port, pkts, 0x02, 16);
	assert_int_equal(rte_eth_tx_burst(port, 0, pkts, 8), 8);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "iommu_faults"), 16);
	assert_int_equal(nic_xstat(port, "tx_verified"), 8);

	/* Unmapped with descriptors posted: not a byte is written any more. */
	unmap(port, memory);
	memset(memory, FILL, LEN);
	receive(port, pkts, FILL, 24);
	rte_pktmbuf_free_bulk(pkts, 8);
	for (i = 0; i < LEN; i++)
		assert_int_equal(memory[i], FILL);
	nic_close(port);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
	munmap(memory, LEN);
}

/* A pool made after the port: with hugepages, EAL adds memory for it. */
void
test_late_memory(void **state)
{
	uint16_t port = nic_open(NIC_GEN ",frame=200,pause=1");
	struct rte_mempool *late = rte_pktmbuf_pool_create("late", 30000, 0, 0, NIC_ROOM, 0);

	assert_non_null(late);
	nic_start(port, 1, 1, 4096, late, NULL);
	nic_step(port, 4096, 4096);
	assert_int_equal(nic_drain(port, 0), 4096);
	assert_int_equal(nic_xstat(port, "iommu_faults"), 0);
	nic_close(port);
	rte_mempool_free(late);
}
