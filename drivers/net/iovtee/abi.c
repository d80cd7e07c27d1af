/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plugin for one DPDK ABI refuses another, with a clear message.
 *
 * Where two DPDK versions are installed, the dynamic linker would load the one this plugin was built
 * for beside the one that the application runs, and drivers would register with the wrong one.
 */
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_version.h>

#define EAL_PREFIX "librte_eal.so"

/* Two librte_eal of different names in one process: ours, and the application's. */
struct eal_seen {
	const char *first;
	const char *other;
};

static int
note_eal(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct eal_seen *seen = arg;
	const char *base = strrchr(info->dlpi_name, '/');

	base = base != NULL ? base + 1 : info->dlpi_name;
	if (strncmp(base, EAL_PREFIX, strlen(EAL_PREFIX)) != 0)
		return 0;
	if (seen->first == NULL)
		seen->first = base;
	else if (strcmp(base, seen->first) != 0)
		seen->other = base;
	return 0;
}

/* Before any driver registers itself (those constructors run at RTE_PRIORITY_BUS and later). */
RTE_INIT_PRIO(iovtee_abi_check, LOG)
{
	struct eal_seen seen = {NULL, NULL};
	int built = RTE_VER_YEAR * 100 + RTE_VER_MONTH;
	int runs = rte_version_year() * 100 + rte_version_month();

	dl_iterate_phdr(note_eal, &seen);
	if (seen.other == NULL && built == runs)
		return;
	fprintf(stderr,
		"IOVTEE: this plugin was built for DPDK %d.%02d, but the application runs "
		"another (%s, %s): rebuild IOVTee against the application's DPDK\n",
		RTE_VER_YEAR, RTE_VER_MONTH, seen.first,
		seen.other != NULL ? seen.other : rte_version());
	exit(EXIT_FAILURE);
}
