/* SPDX-License-Identifier: BSD-3-Clause
 * iovtee-pvp: compare datapaths on the path NIC -> switch -> NF -> switch -> NIC.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "bench.h"
#include "message.h"

static void
interrupt(int sig)
{
	bench_interrupted = 1;
}

/* The first signal ends the run in order, a second one at once. */
static void
catch_signals(void)
{
	const struct sigaction sa = {.sa_handler = interrupt, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

static int
check_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) < 2) {
		pvp_error("%d CPU is available; two are needed, for the switch and for the NF",
			CPU_COUNT(&set));
		return -ENODEV;
	}
	return 0;
}

/* Opened before anything is measured, and cut only when there is something to write. */
static int
open_json(const char *path)
{
	int fd;

	if (path == NULL)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		fd = -errno;
		pvp_error("--json '%s': %s; name a file that can be written", path, strerror(-fd));
		exit(EXIT_FAILURE);
	}
	return fd;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Where the socket folder is made: private, and gone when the program ends. */
static char *
make_dir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir;

	if (base == NULL)
		base = access("/run", W_OK) == 0 ? "/run" : "/tmp";
	if (asprintf(&dir, "%s/iovtee-pvp.XXXXXX", base) < 0)
		return NULL;
	if (mkdtemp(dir) == NULL) {
		pvp_error("no socket folder in '%s': %s; set TMPDIR to a writable folder", base,
			strerror(errno));
		free(dir);
		return NULL;
	}
	return dir;
}

static int
measure(const struct options *o, int json)
{
	struct results r = {0};
	char *dir;
	int ret;

	ret = results_init(&r, o);
	if (ret < 0)
		return ret;
	dir = make_dir();
	if (dir == NULL) {
		results_free(&r);
		return -EIO;
	}
	r.tsc_mhz = rte_get_tsc_hz() / 1e6;
	ret = bench_run(&r, dir, rte_get_next_lcore(-1, 1, 0));
	if (ret == 0) {
		report_print(&r);
		if (json >= 0)
			ret = json_write(&r, json);
		if (ret < 0)
			pvp_error("--json '%s': %s", o->json, strerror(-ret));
	}
	if (ret == 0 && results_failures(&r) > 0) {
		pvp_error("%" PRIu64 " corrupt frames or IOMMU faults: do not use the figures",
			results_failures(&r));
		ret = -EBADMSG;
	}
	nftw(dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
	free(dir);
	results_free(&r);
	return ret;
}

/* Index of "--", behind which the benchmark's own options are; argc if there is none. */
static int
find_own(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

int
main(int argc, char **argv)
{
	const int own = find_own(argc, argv);
	char *own_argv[argc - own + 2];
	struct options o;
	int json, ret;

	own_argv[0] = argv[0];
	for (int i = own + 1; i <= argc; i++)
		own_argv[i - own] = argv[i];
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		options_usage(stdout);
		return EXIT_SUCCESS;
	}
	ret = options_parse(&o, own < argc ? argc - own : 1, own_argv);
	if (ret < 0)
		return EXIT_FAILURE;
	if (o.help) {
		options_usage(stdout);
		return EXIT_SUCCESS;
	}
	if (check_cpus() < 0)
		return EXIT_FAILURE;
	json = open_json(o.json);
	if (rte_eal_init(own, argv) < 0) {
		pvp_error("EAL did not start: %s; see the log above", rte_strerror(rte_errno));
		return EXIT_FAILURE;
	}
	catch_signals();
	if (rte_lcore_count() != 2) {
		pvp_error("%u lcores; give exactly two: -l 0-1", rte_lcore_count());
		ret = -EINVAL;
	} else {
		ret = measure(&o, json);
	}
	rte_eal_cleanup();
	if (json >= 0)
		close(json);
	if (ret == -EINTR)
		return 128 + SIGINT;
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
