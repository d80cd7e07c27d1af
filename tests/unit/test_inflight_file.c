/* SPDX-License-Identifier: BSD-3-Clause */
/* Files with records: what a killed process leaves is found again, by its successor alone. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_common.h>
#include <rte_eal.h>

#include "inflight_file.h"

#define BYTES 8192

static char base[64];
static char dir[80];

static int
make_base(void **state)
{
	(void)state;
	strcpy(base, "/tmp/iovtee-unit-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/state", base);
	return 0;
}

static int
remove_base(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static unsigned int
files(void)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static struct inflight_file *
open_one(const char *socket, uint16_t vring, size_t bytes)
{
	struct inflight_file *f = NULL;

	assert_int_equal(inflight_file_open(dir, socket, vring, bytes, &f), 0);
	assert_non_null(f);
	return f;
}

static void
end(struct inflight_file *f)
{
	inflight_file_remove(f);
	inflight_file_gone(f);
}

static void
fresh(void **state)
{
	struct inflight_file *f = open_one("a.sock", 0, BYTES);
	const uint8_t *p = inflight_file_record(f);
	struct stat st;

	(void)state;
	for (unsigned int i = 0; i < BYTES; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(files(), 1);
	end(f);
	assert_int_equal(files(), 0);
}

static void
left_by_a_killed_process(void **state)
{
	struct inflight_file *f;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		f = open_one("a.sock", 1, BYTES);
		memset(inflight_file_record(f), 0x5a, BYTES);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(files(), 1);
	f = open_one("a.sock", 1, BYTES);
	assert_int_equal(*((uint8_t *)inflight_file_record(f) + BYTES - 1), 0x5a);
	/* It was not used: it is left as it is. */
	inflight_file_close(f);
	f = open_one("a.sock", 1, 2 * BYTES);
	assert_int_equal(*((uint8_t *)inflight_file_record(f) + BYTES - 1), 0x5a);
	assert_int_equal(*((uint8_t *)inflight_file_record(f) + 2 * BYTES - 1), 0);
	end(f);
	assert_int_equal(files(), 0);
}

/* To the next queue, and no longer mapped here. */
static void
left_to_the_next(void **state)
{
	struct inflight_file *f = open_one("a.sock", 1, BYTES);

	(void)state;
	memset(inflight_file_record(f), 0x5a, BYTES);
	inflight_file_leave(f);
	inflight_file_gone(f);
	assert_int_equal(files(), 1);
	f = open_one("a.sock", 1, BYTES);
	assert_int_equal(*((uint8_t *)inflight_file_record(f) + BYTES - 1), 0x5a);
	end(f);
	assert_int_equal(files(), 0);
}

/* By ring, and by the whole path of the socket. */
static void
told_apart(void **state)
{
	struct inflight_file *f[3] = {open_one("a.sock", 0, BYTES), open_one("a.sock", 1, BYTES),
		open_one("/x/a.sock", 0, BYTES)};

	(void)state;
	assert_int_equal(files(), 3);
	for (unsigned int i = 0; i < 3; i++)
		end(f[i]);
}

static void
held_by_another(void **state)
{
	struct inflight_file *f = open_one("a.sock", 0, BYTES), *g = NULL;

	(void)state;
	assert_int_equal(inflight_file_open(dir, "a.sock", 0, BYTES, &g), -EBUSY);
	assert_null(g);
	inflight_file_remove(f);
	/* The next queue has a file of its own, though the last one's memory is in use still. */
	g = open_one("a.sock", 0, BYTES);
	memset(inflight_file_record(f), 1, BYTES);
	assert_int_equal(*(uint8_t *)inflight_file_record(g), 0);
	inflight_file_gone(f);
	end(g);
}

static void
count(void *ctx)
{
	(*(unsigned int *)ctx)++;
}

/* A queue's release may come before or after the file is removed, and does what it did before. */
static void
released(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct inflight_file *f = open_one("a.sock", 0, BYTES);
		void (*release)(void *ctx) = count;
		unsigned int counted = 0;
		void *ctx = &counted;

		(void)state;
		inflight_file_hook(f, &release, &ctx);
		if (i == 0)
			inflight_file_remove(f);
		release(ctx);
		assert_int_equal(counted, 1);
		if (i == 1)
			inflight_file_remove(f);
		assert_int_equal(files(), 0);
	}
}

/* Lines of this process's table of mappings, and its open files, that are of a removed file. */
static unsigned int
removed_files(void)
{
	char line[2 * PATH_MAX], path[PATH_MAX], to[PATH_MAX];
	FILE *maps = fopen("/proc/self/maps", "r");
	DIR *fds = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(maps);
	assert_non_null(fds);
	while (fgets(line, sizeof(line), maps) != NULL)
		n += strstr(line, base) != NULL && strstr(line, "(deleted)") != NULL;
	for (struct dirent *e = readdir(fds); e != NULL; e = readdir(fds)) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		len = readlink(path, to, sizeof(to) - 1);
		to[len > 0 ? len : 0] = '\0';
		n += strstr(to, base) != NULL && strstr(to, "(deleted)") != NULL;
	}
	fclose(maps);
	closedir(fds);
	return n;
}

/* Whoever lets go of a removed file last does not free it, but it is freed soon, and by another thread. */
static void
freed_later(void **state)
{
	struct inflight_file *f = open_one("a.sock", 0, BYTES);

	(void)state;
	end(f);
	assert_int_equal(files(), 0);
	while (removed_files() > 0) /* or the test takes too long */
		usleep(1000);
}

static void
bad_places(void **state)
{
	struct inflight_file *f = open_one("a.sock", 0, BYTES);
	char path[PATH_MAX], whole[80];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	/* Somebody else's link in the file's place. */
	while ((e = readdir(d)) != NULL && e->d_name[0] == '.')
		;
	assert_non_null(e);
	snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
	closedir(d);
	end(f);
	snprintf(whole, sizeof(whole), "%s/precious", base);
	assert_int_equal(symlink(whole, path), 0);
	assert_int_equal(inflight_file_open(dir, "a.sock", 0, BYTES, &f), -ELOOP);
	assert_int_equal(access(whole, F_OK), -1);
	/* A folder that others may use, and no folder. */
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(inflight_file_open(dir, "b.sock", 0, BYTES, &f), -EPERM);
	snprintf(whole, sizeof(whole), "%s/state/no/folder", base);
	assert_int_equal(inflight_file_open(whole, "b.sock", 0, BYTES, &f), -ENOENT);
	assert_int_equal(inflight_file_open("/dev/null", "b.sock", 0, BYTES, &f), -ENOTDIR);
}

/* Files are freed by EAL's thread. */
static int
start(void **state)
{
	const char *args[] = {"test", "-l", "0", "--no-pci", "--no-telemetry", "--no-shconf",
		"--file-prefix=test-record-files", "--no-huge", "-m", "16"};

	(void)state;
	return rte_eal_init(RTE_DIM(args), (char **)(uintptr_t)args) < 0 ? -1 : 0;
}

static int
stop(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fresh, make_base, remove_base),
		cmocka_unit_test_setup_teardown(left_by_a_killed_process, make_base, remove_base),
		cmocka_unit_test_setup_teardown(left_to_the_next, make_base, remove_base),
		cmocka_unit_test_setup_teardown(told_apart, make_base, remove_base),
		cmocka_unit_test_setup_teardown(held_by_another, make_base, remove_base),
		cmocka_unit_test_setup_teardown(released, make_base, remove_base),
		cmocka_unit_test_setup_teardown(freed_later, make_base, remove_base),
		cmocka_unit_test_setup_teardown(bad_places, make_base, remove_base),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
