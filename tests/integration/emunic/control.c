/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that are refused, and ports that come and go: nothing stays behind. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>

#include "nic.h"

static unsigned int
entries(const char *path)
{
	unsigned int n = 0;
	DIR *dir = opendir(path);

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

struct resources {
	unsigned int threads, fds;
};

static struct resources
resources(void)
{
	return (struct resources){entries("/proc/self/task"), entries("/proc/self/fd")};
}

static void
check_resources(const struct resources *before)
{
	struct resources now = resources();
	unsigned int ms;

	/* A joined thread may be listed a moment longer. */
	for (ms = 0; ms < 5000 && now.threads != before->threads; ms++) {
		rte_delay_us_sleep(1000);
		now = resources();
	}
	assert_int_equal(now.threads, before->threads);
	assert_int_equal(now.fds, before->fds);
	assert_int_equal(rte_eth_dev_count_total(), 0);
	assert_int_equal(rte_mempool_in_use_count(nic_pool), 0);
}

static void
refuse(const char *args)
{
	const struct resources before = resources();

	if (rte_vdev_init(NIC_NAME, args) >= 0)
		fail_msg("%s is not refused", args);
	check_resources(&before);
}

/* A capture without Ethernet headers, and a file that is none. */
static void
refuse_captures(void)
{
	pcap_t *pcap = pcap_open_dead(DLT_RAW, 65535);
	int fd = memfd_create("raw", MFD_CLOEXEC);
	char args[64], path[32];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(args, sizeof(args), "rx_pcap=%s", path);
	assert_non_null(pcap);
	refuse(args);
	pcap_dump_close(pcap_dump_open(pcap, path));
	refuse(args);
	pcap_close(pcap);
	close(fd);
}

void
test_bad_args(void **state)
{
	static const char *const bad[] = {
		"foo=1",
		"rxq=0",
		"rxq=33",
		"rxq=x",
		"flow_rss=2",
		"gen=2",
		"gen",
		"mac=1",
		"mac=ff:ff:ff:ff:ff:ff",
		"engine=x",
		"engine=step,cpu=1",
		"cpu=1000",
		"cpu=700",
		"max_frame=50",
		"max_frame=9729",
		"frame=59",
		"frame=2000,gen=1",
		"flows=0",
		"flows=131073",
		"rx_pcap=/nope",
		"rx_pcap=/dev/null",
		"gen=1,rx_pcap=/dev/null",
		"tx_pcap=/nope/x",
		"count=-1",
		"count=99999999999999999999999",
		"start=now",
		"verify=0",
	};
	unsigned int i;
	uint16_t port;

	for (i = 0; i < RTE_DIM(bad); i++)
		refuse(bad[i]);
	refuse_captures();
	port = nic_open("engine=step"); /* the name is free */
	nic_start(port, 1, 1, 64, nic_pool, NULL);
	nic_close(port);
}

/* Forward for a moment, with whatever the device's thread does meanwhile. */
static void
run(uint16_t port)
{
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int round;
	uint16_t n, sent;

	for (round = 0; round < 100; round++) {
		n = rte_eth_rx_burst(port, 0, pkts, NIC_BURST);
		sent = rte_eth_tx_burst(port, round % 2, pkts, n);
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	}
}

/* Stopped or running, closed or not: a port can be removed at any time. */
static void
remove_port(uint16_t port, unsigned int way)
{
	struct rte_device *device = nic_device(port);

	if (way != 0)
		assert_int_equal(rte_eth_dev_stop(port), 0);
	if (way == 2) {
		assert_int_equal(rte_eth_dev_close(port), 0);
		assert_int_equal(rte_vdev_uninit(NIC_NAME), 0);
	} else {
		assert_int_equal(rte_dev_remove(device), 0);
	}
}

void
test_hotplug(void **state)
{
	const struct resources before = resources();
	unsigned int i;
	uint16_t port;

	for (i = 0; i < 99; i++) {
		assert_int_equal(rte_eal_hotplug_add("vdev", NIC_NAME,
					 "gen=1,rxq=2,txq=2,tx_pcap=/dev/null,dst=" NIC_ADDR),
			0);
		assert_int_equal(rte_eth_dev_get_port_by_name(NIC_NAME, &port), 0);
		nic_start(port, 2, 2, 256, nic_pool, NULL);
		assert_int_equal(nic_rule(port, "02:00:00:00:00:09", -1, 1, NULL), 0);
		run(port);
		remove_port(port, i % 3);
		assert_int_equal(rte_mempool_in_use_count(nic_pool), 0);
	}
	check_resources(&before);
}
