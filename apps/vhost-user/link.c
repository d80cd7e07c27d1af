/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

#define HEADER_SIZE    12u
#define REPLY_TIMEOUT  10000
#define CONNECT_PERIOD 10

void
link_init(struct link *l, int (*idle)(void *ctx), void *ctx)
{
	*l = (struct link){.listener = -1, .fd = -1, .idle = idle, .ctx = ctx};
}

static bool
failed(struct link *l, const char *error)
{
	l->error = error;
	return false;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static int
make_socket(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path))
		return -1;
	strcpy(addr->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

bool
link_connect(struct link *l, const char *path, int timeout)
{
	int64_t end = now_ms() + timeout;
	struct sockaddr_un addr;
	int fd = make_socket(path, &addr);

	if (fd < 0)
		return failed(l, "no socket, or its path is too long");
	link_close(l);
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (now_ms() > end) {
			close(fd);
			return failed(l, strerror(errno));
		}
		usleep(CONNECT_PERIOD * 1000);
	}
	l->fd = fd;
	l->acks = false;
	return true;
}

bool
link_listen(struct link *l, const char *path)
{
	struct sockaddr_un addr;
	int fd = make_socket(path, &addr);

	if (fd < 0)
		return failed(l, "no socket, or its path is too long");
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return failed(l, strerror(errno));
	}
	if (l->listener >= 0)
		close(l->listener);
	l->listener = fd;
	return true;
}

/* Wait for input, the guest going on meanwhile. */
static bool
readable(struct link *l, int fd, int timeout)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t end = now_ms() + timeout;
	int wait = 0;

	while (poll(&p, 1, wait) == 0) {
		if (now_ms() > end)
			return false;
		wait = l->idle(l->ctx);
	}
	return true;
}

bool
link_accept(struct link *l, int timeout)
{
	link_close(l);
	if (l->listener < 0 || !readable(l, l->listener, timeout))
		return failed(l, "nobody connected");
	l->fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
	l->acks = false;
	return l->fd >= 0 || failed(l, strerror(errno));
}

void
link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

bool
link_alive(const struct link *l)
{
	uint8_t byte;
	ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return l->fd >= 0 && (n > 0 || (n < 0 && errno == EAGAIN));
}

bool
link_send_bytes(struct link *l, const void *bytes, uint32_t size, const int *fds,
	unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nr_fds > LINK_FDS_MAX)
		return failed(l, "too many file descriptors");
	if (nr_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		*c = (struct cmsghdr){CMSG_LEN(nr_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), fds, nr_fds * sizeof(int));
	}
	return sendmsg(l->fd, &m, MSG_NOSIGNAL) == (ssize_t)size || failed(l, strerror(errno));
}

static bool
send_request(struct link *l, enum request request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned int nr_fds)
{
	struct message m = {request, MESSAGE_VERSION | flags, size, {0}};

	if (size > sizeof(m.payload))
		return failed(l, "payload too long");
	if (size > 0)
		memcpy(m.payload, payload, size);
	return link_send_bytes(l, &m, HEADER_SIZE + size, fds, nr_fds);
}

bool
link_receive(struct link *l, struct message *m, int timeout)
{
	if (l->fd < 0)
		return failed(l, "not connected");
	if (!readable(l, l->fd, timeout))
		return failed(l, "no reply");
	if (recv(l->fd, m, HEADER_SIZE, MSG_WAITALL) != HEADER_SIZE)
		return failed(l, "the back end hung up");
	if (!(m->flags & MESSAGE_REPLY) || m->size > sizeof(m->payload))
		return failed(l, "a reply that is none");
	if (m->size > 0 && recv(l->fd, m->payload, m->size, MSG_WAITALL) != (ssize_t)m->size)
		return failed(l, "a reply that is cut");
	return true;
}

bool
link_ask(struct link *l, enum request request, const void *payload, uint32_t size, const int *fds,
	unsigned int nr_fds, struct message *reply)
{
	if (!send_request(l, request, 0, payload, size, fds, nr_fds) ||
		!link_receive(l, reply, REPLY_TIMEOUT))
		return false;
	return reply->request == request || failed(l, "the reply to another request");
}

bool
link_call(struct link *l, enum request request, const void *payload, uint32_t size, const int *fds,
	unsigned int nr_fds)
{
	struct message m;
	uint64_t result;

	if (!send_request(l, request, l->acks ? MESSAGE_NEED_REPLY : 0, payload, size, fds, nr_fds))
		return false;
	if (!l->acks)
		return true;
	if (!link_receive(l, &m, REPLY_TIMEOUT))
		return false;
	memcpy(&result, m.payload, sizeof(result));
	if (m.request != request || m.size != sizeof(result))
		return failed(l, "an acknowledgement that is none");
	return result == 0 || failed(l, "refused by the back end");
}
