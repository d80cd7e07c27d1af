/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The emulated NIC as an application sees it. Without an argument it needs no hugepages; with
 * `hugepages` EAL's memory grows while the port exists, and 80 free 2 MB pages are needed.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>

#include "nic.h"

#define PAGES     80
#define FREE_FILE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define SKIPPED   77 /* as meson has it */

static unsigned int
free_pages(void)
{
	FILE *file = fopen(FREE_FILE, "r");
	unsigned int n = 0;

	if (file != NULL) {
		if (fscanf(file, "%u", &n) != 1)
			n = 0;
		fclose(file);
	}
	return n;
}

static int
start_eal(const char *program, bool hugepages)
{
	char cpu[16];
	/* --in-memory excludes --no-huge. */
	const char *dynamic[] = {program, "-l", cpu, "--no-pci", "--no-telemetry", "--in-memory"};
	const char *plain[] = {program, "-l", cpu, "--no-pci", "--no-telemetry", "--no-shconf",
		"--file-prefix=test-emunic", "--no-huge", "-m", "512"};

	/* The main lcore alone: device threads get the other CPUs, if there are any. */
	snprintf(cpu, sizeof(cpu), "%d", sched_getcpu());
	if (hugepages)
		return rte_eal_init(RTE_DIM(dynamic), (char **)dynamic);
	return rte_eal_init(RTE_DIM(plain), (char **)plain);
}

int
main(int argc, char **argv)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, nic_setup, nic_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_forward),
		TEST(test_loop),
		TEST(test_thread),
		TEST(test_verify_corrupt),
		TEST(test_verify_order),
		TEST(test_generator),
		TEST(test_flows),
		TEST(test_bad_flows),
		TEST(test_queue),
		TEST(test_restart),
		TEST(test_buffer_sizes),
		TEST(test_iommu),
		TEST(test_late_memory),
		TEST(test_rss),
		TEST(test_rules),
		TEST(test_rss_rules),
		TEST(test_no_rss_rules),
		TEST(test_addresses),
		TEST(test_link_and_mtu),
		TEST(test_replay),
		TEST(test_vlan_strip),
		TEST(test_vlan_rules),
		TEST(test_offload),
		TEST(test_offload_wrong),
		TEST(test_no_offload),
		TEST(test_bad_args),
		TEST(test_hotplug),
	};
#undef TEST
	bool hugepages = argc > 1 && strcmp(argv[1], "hugepages") == 0;
	int failed;

	if (argc > 2 || (argc == 2 && !hugepages)) {
		fprintf(stderr, "usage: %s [hugepages]\n", argv[0]);
		return 2;
	}
	if (hugepages && free_pages() < PAGES) {
		fprintf(stderr,
			"skipped: %u hugepages of 2 MB are free, %u needed; "
			"raise /proc/sys/vm/nr_hugepages\n",
			free_pages(), PAGES);
		return SKIPPED;
	}
	if (start_eal(argv[0], hugepages) < 0) {
		fprintf(stderr, "EAL does not start; see its messages above\n");
		return 2;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rte_eal_cleanup();
	return failed != 0;
}
