/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages that librte_vhost would not survive, or takes though they make no sense. Others it checks itself. */
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "guest.h"
#include "log.h"
#include "vhost_message.h"

/*
 * librte_vhost carries these out whether their feature was negotiated or not. Some write where the message says, or
 * wait for another one while all guests wait for them.
 */
static bool
was_offered(uint32_t request)
{
	switch (request) {
	case IOTLB_MSG:
	case POSTCOPY_ADVISE:
	case POSTCOPY_LISTEN:
	case POSTCOPY_END:
	case GET_INFLIGHT_FD:
	case SET_INFLIGHT_FD:
		return false;
	default:
		return true;
	}
}

/* The payload is what was in memory before, beyond what came. */
static bool
is_whole_table(const struct message *m)
{
	size_t head = offsetof(struct message, table.region) - offsetof(struct message, payload);

	return m->size >= head && m->table.nr > 0 && m->table.nr <= MESSAGE_REGIONS_MAX &&
		m->size >= head + m->table.nr * sizeof(m->table.region[0]);
}

static bool
overlaps_one_before(const struct message *m, uint32_t i)
{
	const struct message_region *r = &m->table.region[i];

	for (uint32_t j = 0; j < i; j++) {
		const struct message_region *other = &m->table.region[j];

		if (r->gpa < other->gpa + other->size && other->gpa < r->gpa + r->size)
			return true;
	}
	return false;
}

/* What is wrong with it? NULL: nothing. */
static const char *
region_fault(const struct message *m, uint32_t i)
{
	const struct message_region *r = &m->table.region[i];

	if (r->gpa + r->size <= r->gpa)
		return "is empty, or has no end";
	if (overlaps_one_before(m, i))
		return "overlaps another one";
	if ((int)i < m->nr_fds && !guest_file_holds(m->fds[i], r->offset, r->size))
		return "goes beyond its file";
	return NULL;
}

static bool
check_table(const struct message *m, const char *port)
{
	if (!is_whole_table(m)) {
		IOVTEE_LOG(ERR,
			"%s: a memory table of %u bytes that tells of %u regions is refused", port,
			m->size, m->table.nr);
		return false;
	}
	for (uint32_t i = 0; i < m->table.nr; i++) {
		const struct message_region *r = &m->table.region[i];
		const char *fault = region_fault(m, i);

		if (fault == NULL)
			continue;
		IOVTEE_LOG(ERR,
			"%s: a memory table is refused: region %u, %" PRIu64 " bytes at %#" PRIx64
			" from offset %#" PRIx64 " of its file, %s",
			port, i, r->size, r->gpa, r->offset, fault);
		return false;
	}
	return true;
}

/* librte_vhost maps the log from its offset, and then adds that once more. */
static bool
check_log(const struct message *m, const char *port)
{
	if (m->nr_fds != 1 || m->size != sizeof(m->log) ||
		(m->log.offset == 0 && guest_file_holds(m->fds[0], 0, m->log.size)))
		return true;
	IOVTEE_LOG(ERR,
		"%s: a log of %" PRIu64 " bytes from offset %" PRIu64
		" is refused: it has to be at offset 0 and within its file",
		port, m->log.size, m->log.offset);
	return false;
}

bool
message_check(const struct message *m, const char *port)
{
	if (m->request == SET_MEM_TABLE)
		return check_table(m, port);
	if (m->request == SET_LOG_BASE)
		return check_log(m, port);
	if (was_offered(m->request))
		return true;
	IOVTEE_LOG(ERR, "%s: request %u was not offered, and is refused", port, m->request);
	return false;
}

void
message_close_fds(struct message *m)
{
	for (int i = 0; i < m->nr_fds; i++) {
		close(m->fds[i]);
		m->fds[i] = -1;
	}
}
