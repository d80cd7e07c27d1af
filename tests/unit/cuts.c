/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuts.h"

/* The file holds the regions backwards. */
struct cuts_shared
cuts_shared_of(void *record, size_t bytes, const struct fake_mem *m)
{
	const struct fake_region *rings = &m->region[0];

	return (struct cuts_shared){
		.piece = {{record, bytes}, {rings->guest, rings->conf.size},
			{m->base, rings->offset}},
		.nr = 3,
		.nr_watched = 2,
	};
}

void *
cuts_alloc(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

void
cuts_free(void *p, size_t len)
{
	munmap(p, len);
}

static size_t
total(const struct cuts_shared *s)
{
	size_t n = 0;

	for (unsigned int i = 0; i < s->nr; i++)
		n += s->piece[i].len;
	return n;
}

static void
save(const struct cuts_shared *s, uint8_t *to)
{
	for (unsigned int i = 0; i < s->nr; to += s->piece[i++].len)
		memcpy(to, s->piece[i].at, s->piece[i].len);
}

static void
restore(const struct cuts_shared *s, const uint8_t *from)
{
	for (unsigned int i = 0; i < s->nr; from += s->piece[i++].len)
		memcpy(s->piece[i].at, from, s->piece[i].len);
}

static bool
changed(const struct cuts_shared *s, const uint8_t *since)
{
	for (unsigned int i = 0; i < s->nr_watched; since += s->piece[i++].len)
		if (memcmp(since, s->piece[i].at, s->piece[i].len) != 0)
			return true;
	return false;
}

static pid_t
start_child(void (*code)(void *arg), void *arg)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		fake_fail_hook = NULL;
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			abort();
		raise(SIGSTOP);
		code(arg);
		raise(SIGSTOP);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL) == 0);
	return child;
}

/* One instruction. false: the code is at its end. */
static bool
step(pid_t child)
{
	int status;

	CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
	CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	if (WSTOPSIG(status) == SIGSTOP)
		return false;
	CHECK(WSTOPSIG(status) == SIGTRAP);
	return true;
}

unsigned int
cuts_run(const struct cuts_shared *s, void (*code)(void *arg),
	void (*look)(void *arg, unsigned int n), void *arg)
{
	uint8_t *first = malloc(total(s)), *now = malloc(total(s));
	pid_t child = start_child(code, arg);
	unsigned int n = 0;

	CHECK(first != NULL && now != NULL);
	save(s, first);
	save(s, now);
	do {
		if (n > 0 && !changed(s, now))
			continue;
		save(s, now);
		look(arg, n++);
		restore(s, now);
	} while (step(child));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	restore(s, first);
	free(first);
	free(now);
	return n;
}
