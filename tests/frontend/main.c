/* SPDX-License-Identifier: BSD-3-Clause */
/* iovtee-frontend: commands on standard input, answers on standard output; ends with its input. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frontend.h"

#define LINE_MAX_LEN 16384
/* Turns of a busy guest between two looks at standard input. */
#define TURNS 16

static struct frontend frontend;

/* A failed check of the guest's ends it; the answer goes to whoever asks next. */
static void
report_failure(const char *file, int line)
{
	printf("{\"ok\": false, \"error\": \"the guest's check failed: %s:%d, see the log\"}\n",
		file, line);
	fflush(stdout);
	_exit(3);
}

/* While a reply is waited for. */
static int
go_on(void *ctx)
{
	struct frontend *f = ctx;

	if (!f->running)
		return 1;
	if (!driver_step(f))
		usleep(10);
	return 0;
}

static bool
has_input(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

int
main(void)
{
	char line[LINE_MAX_LEN];
	size_t len = 0;

	fake_fail_hook = report_failure;
	link_init(&frontend.link, go_on, &frontend);
	driver_init(&frontend);
	for (;;) {
		ssize_t n;

		for (int i = 0; i < TURNS && driver_step(&frontend); i++)
			;
		if (!has_input(STDIN_FILENO)) {
			if (!driver_step(&frontend))
				driver_rest(&frontend, STDIN_FILENO);
			continue;
		}
		n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
		if (n <= 0) /* also: a line that is too long */
			return 0;
		len += n;
		if (line[len - 1] != '\n') /* one command is answered before the next one is sent */
			continue;
		line[len] = '\0';
		len = 0;
		command(&frontend, line);
	}
}
