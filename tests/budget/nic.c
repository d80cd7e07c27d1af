/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "nic.h"

#define POOL_SIZE  1023
#define POOL_CACHE 256

struct nic nic;
struct rte_mempool *app_pool;
struct rte_eth_dev_data port_data = {.port_id = 3, .name = "budget"};

static const struct rte_ether_addr guest_mac = {{0x02, 0x4e, 0x46, 0, 0, 1}};
static struct rte_eth_dev *dev;

static uint16_t
rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	memcpy(pkts, nic.received, sizeof(nic.received));
	return BURST;
}

static uint16_t
tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	memcpy(nic.sent, pkts, sizeof(nic.sent));
	return n;
}

/* Done between bursts: see nic_take_sent(). */
static int
tx_done_cleanup(void *queue, uint32_t n)
{
	nic.cleanups++;
	return 0;
}

void
nic_open(void)
{
	static const struct eth_dev_ops ops = {.tx_done_cleanup = tx_done_cleanup};
	static void *queue = &nic, *no_callback;
	struct rte_eth_fp_ops *fast;

	app_pool = rte_pktmbuf_pool_create("app", POOL_SIZE, POOL_CACHE, 0,
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	dev = rte_eth_dev_allocate("budget_nic");
	CHECK(app_pool != NULL && dev != NULL);
	dev->dev_ops = &ops;
	dev->data->tx_queues = &queue;
	dev->data->nb_tx_queues = 1;
	rte_eth_dev_probing_finish(dev);
	nic.port = dev->data->port_id;
	fast = &rte_eth_fp_ops[nic.port];
	fast->rx_pkt_burst = rx_burst;
	fast->tx_pkt_burst = tx_burst;
	fast->rxq.data = fast->txq.data = &queue;
	fast->rxq.clbk = fast->txq.clbk = &no_callback;
}

void
nic_close(void)
{
	dev->data->tx_queues = NULL;
	dev->data->nb_tx_queues = 0;
	CHECK(rte_eth_dev_release_port(dev) == 0);
	rte_mempool_free(app_pool);
}

void
nic_receive(struct rte_mbuf *const *posted, uint32_t len)
{
	for (unsigned int i = 0; i < BURST; i++) {
		struct rte_mbuf *m = posted[i];

		m->data_off = RTE_PKTMBUF_HEADROOM;
		rte_mbuf_refcnt_set(m, 1);
		m->nb_segs = 1;
		m->next = NULL;
		m->ol_flags = 0;
		m->pkt_len = m->data_len = len;
		memcpy(rte_pktmbuf_mtod(m, void *), &guest_mac, sizeof(guest_mac));
		nic.received[i] = m;
	}
}

uint64_t
nic_guest_mac(void)
{
	uint64_t word = 0;

	memcpy((char *)&word + 2, &guest_mac, sizeof(guest_mac));
	return word;
}

unsigned int
nic_take_sent(struct rte_mbuf *mbufs[2 * BURST])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < BURST; i++) {
		for (struct rte_mbuf *m = nic.sent[i], *next; m != NULL; m = next) {
			next = m->next;
			CHECK(n < 2 * BURST);
			mbufs[n] = rte_pktmbuf_prefree_seg(m);
			CHECK(mbufs[n] != NULL);
			n++;
		}
	}
	return n;
}
