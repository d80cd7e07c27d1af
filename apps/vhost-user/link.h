/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user socket, front end's side: messages with their file descriptors, in client or server
 * mode (vhost-user specification, "Communication").
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#define LINK_FDS_MAX     16
#define LINK_PAYLOAD_MAX 1024

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_LOG_FD = 7,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	NET_SET_MTU = 20,
};

#define MESSAGE_VERSION    1u
#define MESSAGE_REPLY      4u
#define MESSAGE_NEED_REPLY 8u

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
	uint8_t payload[LINK_PAYLOAD_MAX];
};

struct link {
	int listener; /* server mode; -1: none */
	int fd;       /* -1: not connected */
	bool acks;    /* VHOST_USER_PROTOCOL_F_REPLY_ACK negotiated */
	/* Called while a reply is waited for, since a guest goes on meanwhile; again after so many ms, at the latest. */
	int (*idle)(void *ctx);
	void *ctx;
	const char *error; /* of the last call that failed */
};

void link_init(struct link *l, int (*idle)(void *ctx), void *ctx);

/* All false on failure, with the reason in error. Times in ms. */
bool link_connect(struct link *l, const char *path, int timeout);
bool link_listen(struct link *l, const char *path);
bool link_accept(struct link *l, int timeout);
void link_close(struct link *l);
/* Has the back end not hung up? */
bool link_alive(const struct link *l);

/* Send as it is, right or wrong; bytes: what the header says and more, or less. */
bool link_send_bytes(struct link *l, const void *bytes, uint32_t size, const int *fds,
	unsigned int nr_fds);
/* Send a request that has no reply of its own, and wait for its acknowledgement if there are any. */
bool link_call(struct link *l, enum request request, const void *payload, uint32_t size,
	const int *fds, unsigned int nr_fds);
/* The next message of the back end's. */
bool link_receive(struct link *l, struct message *m, int timeout);
/* Send a request and wait for its reply. */
bool link_ask(struct link *l, enum request request, const void *payload, uint32_t size,
	const int *fds, unsigned int nr_fds, struct message *reply);

#endif
