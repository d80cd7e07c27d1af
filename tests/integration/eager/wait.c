/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into the applications of tests: librte_vhost looks once a second for a socket that it shall listen on, or
 * whether it can connect by now, and each test would wait for that.
 */
#include <poll.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#define SECOND_MS 1000
#define LESS_MS   20

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t bytes);

/* What poll() is for libraries that are built with _FORTIFY_SOURCE. */
int
__poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t bytes)
{
	(void)bytes;
	return poll(fds, n, timeout == SECOND_MS ? LESS_MS : timeout);
}

unsigned int
sleep(unsigned int seconds)
{
	const struct timespec less = {.tv_nsec = LESS_MS * 1000000L}, whole = {.tv_sec = seconds};

	nanosleep(seconds == 1 ? &less : &whole, NULL);
	return 0;
}
