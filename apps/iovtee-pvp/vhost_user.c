/* SPDX-License-Identifier: BSD-3-Clause
 * Messages as the vhost-user specification has them ("Message Specification").
 */
#include <errno.h>
#include <string.h>

#include <linux/vhost_types.h>

#include "message.h"
#include "vhost_user.h"

#define F_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define PROTOCOL_REPLY_ACK  (UINT64_C(1) << 3)

#define CONNECT_MS 1000

struct memory_table {
	uint32_t regions;
	uint32_t padding;
	uint64_t guest_address;
	uint64_t size;
	uint64_t user_address;
	uint64_t offset;
};

/* While a reply is waited for: this guest does nothing then. */
static int
do_nothing(void *ctx)
{
	(void)ctx;
	return 1;
}

static int
outcome(const struct link *l, bool done)
{
	if (!done)
		pvp_error("vhost-user back end: %s", l->error);
	return done ? 0 : -EPROTO;
}

static bool
offers(struct link *l, enum request request, uint64_t wanted)
{
	struct message m;
	uint64_t offered;

	if (!link_ask(l, request, NULL, 0, NULL, 0, &m))
		return false;
	memcpy(&offered, m.payload, sizeof(offered));
	if (wanted & ~offered)
		l->error = "it does not offer what the guest needs";
	return !(wanted & ~offered);
}

static bool
set_number(struct link *l, enum request request, uint64_t number, int fd)
{
	return link_call(l, request, &number, sizeof(number), &fd, fd >= 0);
}

static bool
set_state(struct link *l, enum request request, uint32_t index, uint32_t num)
{
	const struct vhost_vring_state state = {index, num};

	return link_call(l, request, &state, sizeof(state), NULL, 0);
}

/* From then on, the back end tells whether it liked a message. */
static bool
ask_for_replies(struct link *l)
{
	l->acks = offers(l, GET_PROTOCOL_FEATURES, PROTOCOL_REPLY_ACK) &&
		set_number(l, SET_PROTOCOL_FEATURES, PROTOCOL_REPLY_ACK, -1);
	return l->acks;
}

int
vhost_user_connect(struct link *l, const char *path, uint64_t features)
{
	features |= F_PROTOCOL_FEATURES;
	link_init(l, do_nothing, NULL);
	return outcome(l,
		link_connect(l, path, CONNECT_MS) && offers(l, GET_FEATURES, features) &&
			ask_for_replies(l) && link_call(l, SET_OWNER, NULL, 0, NULL, 0) &&
			set_number(l, SET_FEATURES, features, -1));
}

int
vhost_user_set_memory(struct link *l, const struct vhost_user_memory *memory)
{
	const uint64_t address = (uintptr_t)memory->address;
	const struct memory_table table = {1, 0, address, memory->size, address, memory->offset};

	return outcome(l, link_call(l, SET_MEM_TABLE, &table, sizeof(table), &memory->fd, 1));
}

static bool
set_address(struct link *l, uint32_t index, const struct vhost_user_ring *ring)
{
	const struct vhost_vring_addr address = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.used_user_addr = (uintptr_t)ring->used,
		.avail_user_addr = (uintptr_t)ring->avail,
	};

	return link_call(l, SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
}

int
vhost_user_start_ring(struct link *l, uint32_t index, const struct vhost_user_ring *ring)
{
	return outcome(l,
		set_state(l, SET_VRING_NUM, index, ring->size) &&
			set_state(l, SET_VRING_BASE, index, 0) && set_address(l, index, ring) &&
			set_number(l, SET_VRING_CALL, index, ring->call) &&
			set_number(l, SET_VRING_KICK, index, ring->kick) &&
			set_state(l, SET_VRING_ENABLE, index, 1));
}
