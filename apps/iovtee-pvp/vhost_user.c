/* SPDX-License-Identifier: BSD-3-Clause
 * Messages as the vhost-user specification has them ("Message Specification", "Front-end message types").
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vhost_user.h"

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
};

#define VERSION    1u
#define NEED_REPLY 8u

#define F_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define PROTOCOL_REPLY_ACK  (UINT64_C(1) << 3)

#define HEADER_SIZE offsetof(struct message, payload)

struct vring_state {
	uint32_t index;
	uint32_t num;
};

struct vring_address {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct memory_table {
	uint32_t regions;
	uint32_t padding;
	uint64_t guest_address;
	uint64_t size;
	uint64_t user_address;
	uint64_t offset;
};

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	union {
		uint64_t number;
		struct vring_state state;
		struct vring_address address;
		struct memory_table memory;
	} payload;
} __attribute__((packed));

static int
send_message(int fd, const struct message *m, int passed)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)m, HEADER_SIZE + m->size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed >= 0) {
		struct cmsghdr *c;

		h.msg_control = &control;
		h.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&h);
		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &passed, sizeof(passed));
	}
	return sendmsg(fd, &h, MSG_NOSIGNAL) == (ssize_t)iov.iov_len ? 0 : -EPIPE;
}

/* Send, and wait for the number that comes back. */
static int
ask(int fd, struct message *m, int passed, uint64_t *number)
{
	struct message reply;
	const ssize_t want = HEADER_SIZE + sizeof(reply.payload.number);
	int ret;

	m->flags |= VERSION;
	ret = send_message(fd, m, passed);
	if (ret < 0)
		return ret;
	if (recv(fd, &reply, want, MSG_WAITALL) != want || reply.request != m->request)
		return -EPROTO;
	*number = reply.payload.number;
	return 0;
}

/* Send what has no reply of its own; the back end tells whether it liked it. */
static int
tell(int fd, struct message *m, int passed)
{
	uint64_t refused;
	int ret;

	m->flags = NEED_REPLY;
	ret = ask(fd, m, passed, &refused);
	if (ret < 0)
		return ret;
	return refused == 0 ? 0 : -EPROTO;
}

static int
get_number(int fd, enum request request, uint64_t *number)
{
	struct message m = {.request = request};

	return ask(fd, &m, -1, number);
}

static int
set_number(int fd, enum request request, uint64_t number, int passed)
{
	struct message m = {
		.request = request,
		.size = sizeof(m.payload.number),
		.payload.number = number,
	};

	return tell(fd, &m, passed);
}

static int
set_state(int fd, enum request request, uint32_t index, uint32_t num)
{
	struct message m = {
		.request = request,
		.size = sizeof(m.payload.state),
		.payload.state = {index, num},
	};

	return tell(fd, &m, -1);
}

/* Until then, the back end does not tell whether it liked a message. */
static int
ask_for_replies(int fd)
{
	struct message m = {
		.request = SET_PROTOCOL_FEATURES,
		.flags = VERSION,
		.size = sizeof(m.payload.number),
		.payload.number = PROTOCOL_REPLY_ACK,
	};
	uint64_t offered;
	int ret;

	ret = get_number(fd, GET_PROTOCOL_FEATURES, &offered);
	if (ret < 0)
		return ret;
	return offered & PROTOCOL_REPLY_ACK ? send_message(fd, &m, -1) : -ENOTSUP;
}

static int
negotiate(int fd, uint64_t features)
{
	struct message owner = {.request = SET_OWNER};
	uint64_t offered;
	int ret;

	features |= F_PROTOCOL_FEATURES;
	ret = get_number(fd, GET_FEATURES, &offered);
	if (ret < 0)
		return ret;
	if (features & ~offered)
		return -ENOTSUP;
	ret = ask_for_replies(fd);
	if (ret == 0)
		ret = tell(fd, &owner, -1);
	return ret < 0 ? ret : set_number(fd, SET_FEATURES, features, -1);
}

int
vhost_user_connect(const char *path, uint64_t features)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
	if (ret == 0)
		ret = negotiate(fd, features);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

int
vhost_user_set_memory(int fd, const struct vhost_user_memory *memory)
{
	const uint64_t address = (uintptr_t)memory->address;
	struct message m = {
		.request = SET_MEM_TABLE,
		.size = sizeof(m.payload.memory),
		.payload.memory = {1, 0, address, memory->size, address, memory->offset},
	};

	return tell(fd, &m, memory->fd);
}

static int
set_address(int fd, uint32_t index, const struct vhost_user_ring *ring)
{
	struct message m = {
		.request = SET_VRING_ADDR,
		.size = sizeof(m.payload.address),
		.payload.address = {index, 0, (uintptr_t)ring->desc, (uintptr_t)ring->used,
			(uintptr_t)ring->avail, 0},
	};

	return tell(fd, &m, -1);
}

int
vhost_user_start_ring(int fd, uint32_t index, const struct vhost_user_ring *ring)
{
	int ret = set_state(fd, SET_VRING_NUM, index, ring->size);

	if (ret == 0)
		ret = set_state(fd, SET_VRING_BASE, index, 0);
	if (ret == 0)
		ret = set_address(fd, index, ring);
	if (ret == 0)
		ret = set_number(fd, SET_VRING_CALL, index, ring->call);
	if (ret == 0)
		ret = set_number(fd, SET_VRING_KICK, index, ring->kick);
	return ret < 0 ? ret : set_state(fd, SET_VRING_ENABLE, index, 1);
}
