/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message of the front end's, as librte_vhost hands it to its external handlers (vhost-user specification, "Message
 * Specification"; compat.h for its size there).
 */
#ifndef IOVTEE_VHOST_MESSAGE_H
#define IOVTEE_VHOST_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "../compat.h"

/* "Front-end message types". */
enum request {
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	SET_VRING_ENABLE = 18,
	SEND_RARP = 19,
	NET_SET_MTU = 20,
	IOTLB_MSG = 22,
	POSTCOPY_ADVISE = 28,
	POSTCOPY_LISTEN = 29,
	POSTCOPY_END = 30,
	GET_INFLIGHT_FD = 31,
	SET_INFLIGHT_FD = 32,
};

#define MESSAGE_REPLY      UINT32_C(4)
#define MESSAGE_NEED_REPLY UINT32_C(8)

#define MESSAGE_REGIONS_MAX 8

struct message_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_address;
	uint64_t offset; /* in its file */
} __attribute__((packed));

struct message {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload */
	union {
		uint64_t u64; /* of requests with one number */
		struct {
			uint32_t index;
			uint32_t num;
		} vring;
		struct {
			uint32_t nr;
			uint32_t padding;
			struct message_region region[MESSAGE_REGIONS_MAX];
		} table;
		struct {
			uint64_t size;
			uint64_t offset;
		} log;
		uint8_t payload[IOVTEE_VHOST_PAYLOAD_MAX];
	};
	int fds[IOVTEE_VHOST_FDS_MAX];
	int nr_fds;
} __attribute__((packed));

/**
 * May librte_vhost have it? Not requests that were not offered, memory that its file does not have, and regions that
 * overlap. Any thread.
 *
 * @param port its name, for the log.
 * @return false: logged.
 */
bool message_check(const struct message *m, const char *port);

/** Close the file descriptors of a message that is refused. */
void message_close_fds(struct message *m);

#endif
