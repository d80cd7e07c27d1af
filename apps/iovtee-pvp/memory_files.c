/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_memory.h>

#include "memory_files.h"

static bool
is_known(const struct memory_files *m, int fd)
{
	for (unsigned int i = 0; i < m->count; i++) {
		if (m->fd[i] == fd)
			return true;
	}
	return false;
}

static int
keep(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	struct memory_files *m = arg;
	const int fd = msl->external ? -1 : rte_memseg_get_fd_thread_unsafe(ms);

	if (fd < 0 || is_known(m, fd) || m->count == RTE_DIM(m->fd))
		return 0;
	m->fd[m->count] = fd;
	m->copy[m->count++] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

void
memory_files_keep(struct memory_files *m)
{
	m->count = 0;
	rte_memseg_walk(keep, m);
}

void
memory_files_restore(struct memory_files *m)
{
	while (m->count > 0) {
		m->count--;
		if (m->copy[m->count] < 0)
			continue;
		if (fcntl(m->fd[m->count], F_GETFD) < 0)
			dup2(m->copy[m->count], m->fd[m->count]);
		close(m->copy[m->count]);
	}
}
