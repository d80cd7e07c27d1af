/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_alarm.h>
#include <rte_cycles.h>

#include "fnv.h"
#include "inflight_file.h"

/* How long a process that is ending may hold its files still. */
#define WAIT_MS 1000
#define STEP_MS 10

/* A thread that is woken takes the CPU from one that is about to answer a guest: after that. */
#define CLOSE_US 10000

struct inflight_file {
	char path[PATH_MAX];
	int fd;        /* holds the lock */
	uint32_t refs; /* the file is ours; its record is in use */
	void *record;
	size_t bytes;
	void (*then)(void *ctx);
	void *ctx;
};

/* It tells of guests' buffers: it is ours alone. */
static int
make_dir(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return st.st_uid == geteuid() && (st.st_mode & 077) == 0 ? 0 : -EPERM;
}

/* The socket's name is for people; its whole path is in the hash. */
static int
make_path(char path[PATH_MAX], const char *dir, const char *socket, uint16_t vring)
{
	char whole[PATH_MAX];
	const char *name = strrchr(socket, '/');
	int n;

	if (realpath(socket, whole) == NULL)
		snprintf(whole, sizeof(whole), "%s", socket);
	n = snprintf(path, PATH_MAX, "%s/%s-%016llx-%u", dir, name != NULL ? name + 1 : socket,
		(unsigned long long)fnv_text(FNV_BEGIN, whole), vring);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* What was locked may have been removed by its last owner meanwhile. */
static bool
is_there(const char *path, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

static int
try_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else
		ret = is_there(path, fd) ? fd : -EBUSY;
	if (ret < 0)
		close(fd);
	return ret;
}

static int
open_locked(const char *path)
{
	int fd = try_open(path);

	for (unsigned int ms = 0; fd == -EBUSY && ms < WAIT_MS; ms += STEP_MS) {
		rte_delay_us_sleep(STEP_MS * 1000);
		fd = try_open(path);
	}
	return fd;
}

/* All of it is there: no access can fail for want of space. */
static int
map(struct inflight_file *f)
{
	struct stat st;
	int ret;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((size_t)st.st_size != f->bytes && ftruncate(f->fd, f->bytes) < 0)
		return -errno;
	ret = posix_fallocate(f->fd, 0, f->bytes);
	if (ret != 0)
		return -ret;
	f->record = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f->fd,
		0);
	return f->record != MAP_FAILED ? 0 : -errno;
}

int
inflight_file_open(const char *dir, const char *socket, uint16_t vring, size_t bytes,
	struct inflight_file **out)
{
	struct inflight_file *f = calloc(1, sizeof(*f));
	int ret;

	if (f == NULL)
		return -ENOMEM;
	f->bytes = bytes;
	f->refs = 2;
	ret = make_dir(dir);
	if (ret == 0)
		ret = make_path(f->path, dir, socket, vring);
	if (ret == 0)
		ret = f->fd = open_locked(f->path);
	if (ret < 0)
		goto fail;
	ret = map(f);
	if (ret < 0) {
		close(f->fd);
		goto fail;
	}
	*out = f;
	return 0;

fail:
	free(f);
	return ret;
}

void *
inflight_file_record(const struct inflight_file *f)
{
	return f->record;
}

void
inflight_file_hook(struct inflight_file *f, void (**release)(void *ctx), void **ctx)
{
	f->then = *release;
	f->ctx = *ctx;
	*release = inflight_file_gone;
	*ctx = f;
}

void
inflight_file_close(struct inflight_file *f)
{
	munmap(f->record, f->bytes);
	close(f->fd);
	free(f);
}

/* The other end of unref(), on EAL's thread. */
static void
close_unused(void *arg)
{
	struct inflight_file *f = arg;

	if (__atomic_load_n(&f->refs, __ATOMIC_ACQUIRE) == 0)
		inflight_file_close(f);
}

/* A file system that frees a removed file may wait for its disk: neither a guest nor an lcore waits with it. */
static void
unref(struct inflight_file *f)
{
	if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0 &&
		rte_eal_alarm_set(CLOSE_US, close_unused, f) != 0)
		inflight_file_close(f);
}

void
inflight_file_leave(struct inflight_file *f)
{
	flock(f->fd, LOCK_UN);
	unref(f);
}

void
inflight_file_remove(struct inflight_file *f)
{
	unlink(f->path);
	unref(f);
}

void
inflight_file_gone(void *arg)
{
	struct inflight_file *f = arg;

	if (f->then != NULL)
		f->then(f->ctx);
	unref(f);
}
