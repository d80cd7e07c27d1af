/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands, one a line: NAME KEY=VALUE... Each is answered by one line of JSON, with "ok" false and an
 * "error" if it could not be done. tests/integration/harness/frontend.py is the other end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend.h"

#define WORDS_MAX  48
#define HEADER_LEN 12u
#define SEND_MAX   4096u
/* Of the area of a buffer. */
#define HEADROOM_MAX 256u

struct words {
	unsigned int nr;
	char *word[WORDS_MAX];
};

struct named_layout {
	const char *name;
	bool indirect;
};

static const struct named_layout layouts[FAKE_LAYOUTS] = {
	[FAKE_ONE] = {"one", false},
	[FAKE_HDR_FOLLOWED] = {"hdr_followed", false},
	[FAKE_HDR_APART] = {"hdr_apart", false},
	[FAKE_CHAIN] = {"chain", false},
	[FAKE_INDIRECT_ONE] = {"indirect_one", true},
	[FAKE_INDIRECT_HDR] = {"indirect_hdr", true},
	[FAKE_INDIRECT_CHAIN] = {"indirect_chain", true},
	[FAKE_DIRECT_INDIRECT] = {"direct_indirect", true},
	[FAKE_PAGE_CROSS] = {"page_cross", false},
	[FAKE_REGION_CROSS] = {"region_cross", false},
};

static void answer(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* With members beside "ok". */
static void
answer(const char *format, ...)
{
	va_list args;

	fputs("{\"ok\": true, ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	puts("}");
}

static void
answer_ok(void)
{
	puts("{\"ok\": true}");
}

static void
answer_failure(const char *error)
{
	printf("{\"ok\": false, \"error\": \"%s\"}\n", error);
}

static void
answer_bool(const struct frontend *f, bool ok)
{
	if (ok)
		answer_ok();
	else
		answer_failure(f->link.error);
}

static const char *
text(const struct words *w, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (unsigned int i = 1; i < w->nr; i++)
		if (strncmp(w->word[i], key, n) == 0 && w->word[i][n] == '=')
			return w->word[i] + n + 1;
	return otherwise;
}

static uint64_t
number(const struct words *w, const char *key, uint64_t otherwise)
{
	const char *value = text(w, key, NULL);

	return value == NULL ? otherwise : strtoull(value, NULL, 0);
}

/* Names joined by '+'; 0 if one is unknown. */
static uint32_t
parse_layouts(const char *list)
{
	char copy[256], *rest = copy, *name;
	uint32_t bits = 0;

	snprintf(copy, sizeof(copy), "%s", list);
	while ((name = strsep(&rest, "+")) != NULL) {
		unsigned int i = 0;

		while (i < FAKE_LAYOUTS && strcmp(layouts[i].name, name) != 0)
			i++;
		if (i == FAKE_LAYOUTS)
			return 0;
		bits |= 1u << i;
	}
	return bits;
}

static void
tear_down(struct frontend *f)
{
	if (!f->set_up)
		return;
	f->running = f->set_up = false;
	f->log.checking = false;
	queues_fini(f);
	memory_fini(&f->memory);
	for (unsigned int pair = 0; pair < PAIRS_MAX; pair++)
		backlog_clear(&f->backlog[pair]);
}

static void
cmd_setup(struct frontend *f, const struct words *w)
{
	const char *format = text(w, "format", "split");
	struct guest_conf c = {
		.format = strcmp(format, "packed") == 0 ? &fake_packed : &fake_split,
		.pairs = number(w, "pairs", 1),
		.regions = number(w, "regions", 4),
		.size = number(w, "size", 256),
		.mergeable = number(w, "mergeable", 1),
		.indirect = number(w, "indirect", 0),
		.event_idx = number(w, "event_idx", 0),
		.version_1 = number(w, "version_1", 1),
		.guest_csum = number(w, "guest_csum", 0),
		.guest_tso = number(w, "guest_tso", 0),
		.csum = number(w, "csum", 0),
		.tso = number(w, "tso", 0),
		.any_num_buffers = number(w, "any_num_buffers", 0),
		.swap = number(w, "swap", 1),
		.sleep = number(w, "sleep", 0),
		.layouts = parse_layouts(text(w, "layouts", "one")),
		.len_min = number(w, "len_min", 2000),
		.len_max = number(w, "len_max", 2000),
		.headroom = number(w, "headroom", 0),
		.mtu = number(w, "mtu", 0),
	};

	tear_down(f);
	if (c.pairs < 1 || c.pairs > PAIRS_MAX || c.size < 1 || c.size > 32768 || c.layouts == 0 ||
		c.regions < 1 || c.regions > MEMORY_REGIONS_MAX || c.len_min < 16 ||
		c.len_min > c.len_max || c.len_max > FAKE_LEN_MAX || c.headroom > HEADROOM_MAX) {
		answer_failure("setup: a value is out of its range");
		return;
	}
	f->conf = c;
	f->stats = (struct guest_stats){0};
	f->posting = true;
	memory_init(&f->memory, 2 * c.pairs, c.size, c.format, c.regions);
	queues_init(f);
	f->set_up = true;
	answer("\"layouts\": %u", c.layouts);
}

static void
cmd_connect(struct frontend *f, const struct words *w)
{
	answer_bool(f, link_connect(&f->link, text(w, "path", ""), number(w, "timeout", 5000)));
}

static void
cmd_listen(struct frontend *f, const struct words *w)
{
	answer_bool(f, link_listen(&f->link, text(w, "path", "")));
}

static void
cmd_accept(struct frontend *f, const struct words *w)
{
	answer_bool(f, link_accept(&f->link, number(w, "timeout", 5000)));
}

static void
cmd_close(struct frontend *f, const struct words *w)
{
	bool lost = number(w, "lost", 0);

	link_close(&f->link);
	for (unsigned int v = 0; v < VRINGS_MAX; v++) {
		f->vring[v].lost = lost && f->vring[v].started;
		f->vring[v].started = false;
	}
	answer_ok();
}

static void
cmd_alive(struct frontend *f, const struct words *w)
{
	(void)w;
	answer("\"alive\": %s", link_alive(&f->link) ? "true" : "false");
}

static void
cmd_negotiate(struct frontend *f, const struct words *w)
{
	if (!negotiate(f, number(w, "extra", 0)))
		answer_failure(f->link.error);
	else
		answer("\"offered\": %lu, \"features\": %lu, \"protocol\": %lu", f->offered,
			f->features, f->protocol);
}

static void
cmd_table(struct frontend *f, const struct words *w)
{
	const char *name = text(w, "kind", table_names[TABLE_RIGHT]);

	for (enum table kind = 0; kind < TABLE_KINDS; kind++) {
		if (strcmp(name, table_names[kind]) == 0) {
			answer_bool(f, memory_announce(&f->memory, &f->link, kind));
			return;
		}
	}
	answer_failure("table: no such kind");
}

/* vring=V, or all of them, in order. */
static void
each_vring(struct frontend *f, const struct words *w,
	bool (*todo)(struct frontend *f, unsigned int v, bool arg), bool arg)
{
	unsigned int first = number(w, "vring", 0);
	unsigned int end = text(w, "vring", NULL) != NULL ? first + 1 : 2 * f->conf.pairs;
	bool ok = f->set_up && end <= 2 * f->conf.pairs;

	f->link.error = "no such vring";
	for (unsigned int v = first; ok && v < end; v++)
		ok = todo(f, v, arg);
	answer_bool(f, ok);
}

static void
cmd_start(struct frontend *f, const struct words *w)
{
	each_vring(f, w, start_vring, number(w, "resume", 0));
}

static bool
stop_one(struct frontend *f, unsigned int v, bool arg)
{
	(void)arg;
	return stop_vring(f, v);
}

static void
cmd_stop(struct frontend *f, const struct words *w)
{
	each_vring(f, w, stop_one, false);
}

static void
cmd_enable(struct frontend *f, const struct words *w)
{
	each_vring(f, w, enable_vring, number(w, "on", 1));
}

static void
cmd_mtu(struct frontend *f, const struct words *w)
{
	answer_bool(f, set_mtu(f, number(w, "value", 0)));
}

static bool
frozen_one(struct frontend *f, unsigned int v, bool arg)
{
	(void)arg;
	check_frozen(f, v);
	return true;
}

static void
cmd_frozen(struct frontend *f, const struct words *w)
{
	each_vring(f, w, frozen_one, false);
}

static bool
beside_one(struct frontend *f, unsigned int v, bool arg)
{
	(void)arg;
	fake_guest_check_posted(&f->vring[v].g);
	return true;
}

static void
cmd_beside(struct frontend *f, const struct words *w)
{
	each_vring(f, w, beside_one, false);
}

static void
cmd_run(struct frontend *f, const struct words *w)
{
	f->running = number(w, "on", 1) && f->set_up;
	answer_ok();
}

static void
cmd_post(struct frontend *f, const struct words *w)
{
	f->posting = number(w, "on", 1);
	answer_ok();
}

static void
cmd_stats(struct frontend *f, const struct words *w)
{
	const struct guest_stats *s = &f->stats;
	unsigned int posted = 0;

	(void)w;
	driver_count_notifications(f);
	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++)
		posted += f->vring[v].g.nr_posted;
	answer("\"received\": %lu, \"sent\": %lu, \"flushed\": %lu, \"too_long\": %lu, "
	       "\"large\": %lu, \"merged\": %lu, \"kicks\": %lu, \"notified\": %lu, \"sleeps\": %lu, \"lost_wakeups\": %lu, "
	       "\"waited_ns\": %lu, "
	       "\"posted\": %u, \"log_checked\": %lu, \"log_missing\": %lu, "
	       "\"log_late\": %lu, "
	       "\"log_first_missing\": %lu",
		s->received, s->sent, s->flushed, s->too_long, s->large, s->merged, s->kicks,
		s->notified, s->sleeps, s->lost_wakeups, s->waited_ns, posted, f->log.checked,
		f->log.missing, f->log.late, f->log.first_missing);
}

static void
cmd_save(struct frontend *f, const struct words *w)
{
	(void)w;
	fake_mem_save(&f->memory.mem);
	answer_ok();
}

static void
cmd_changed(struct frontend *f, const struct words *w)
{
	uint64_t at = fake_mem_changed(&f->memory.mem, 0, 0);

	(void)w;
	answer("\"changed\": %s, \"at\": %lu", at == UINT64_MAX ? "false" : "true", at);
}

static void
cmd_log(struct frontend *f, const struct words *w)
{
	answer_bool(f, number(w, "on", 1) ? log_start(f) : log_stop(f));
}

static unsigned int
from_hex(const char *hex, uint8_t *bytes, unsigned int max)
{
	unsigned int n = 0, value;

	for (; n < max && sscanf(hex, "%2x", &value) == 1; hex += 2)
		bytes[n++] = value;
	return n;
}

/* A packet with any header: data=HEX, the virtio-net header first; pair=. */
static void
cmd_send(struct frontend *f, const struct words *w)
{
	unsigned int pair = number(w, "pair", 0);
	uint8_t bytes[SEND_MAX];
	unsigned int n = from_hex(text(w, "data", ""), bytes, sizeof(bytes));

	if (!f->set_up || pair >= f->conf.pairs) {
		answer_failure("no such queue pair");
		return;
	}
	memcpy(backlog_append(&f->backlog[pair], n)->data, bytes, n);
	answer_ok();
}

/* What goes with a message: guest memory, or another file of so many bytes. */
static int
some_file(const struct frontend *f, const struct words *w)
{
	int fd;

	if (text(w, "file", NULL) == NULL)
		return dup(f->set_up ? f->memory.mem.fd : STDIN_FILENO);
	fd = memfd_create("raw", MFD_CLOEXEC);
	CHECK(fd >= 0 && ftruncate(fd, number(w, "file", 0)) == 0);
	return fd;
}

/* Any message: request=, flags=, payload=HEX, fds=N, file=BYTES; size= another than the payload's. */
static void
cmd_raw(struct frontend *f, const struct words *w)
{
	struct message m = {number(w, "request", 0), number(w, "flags", MESSAGE_VERSION), 0, {0}};
	unsigned int n = from_hex(text(w, "payload", ""), m.payload, sizeof(m.payload));
	unsigned int nr_fds = number(w, "fds", 0);
	int fds[LINK_FDS_MAX], fd = some_file(f, w);

	m.size = number(w, "size", n);
	for (unsigned int i = 0; i < LINK_FDS_MAX; i++)
		fds[i] = fd;
	answer_bool(f, link_send_bytes(&f->link, &m, HEADER_LEN + n, fds, nr_fds));
	close(fd);
}

static void
cmd_reply(struct frontend *f, const struct words *w)
{
	struct message m;

	if (!link_receive(&f->link, &m, number(w, "timeout", 1000))) {
		answer_failure(f->link.error);
		return;
	}
	printf("{\"ok\": true, \"request\": %u, \"payload\": \"", m.request);
	for (unsigned int i = 0; i < m.size; i++)
		printf("%02x", m.payload[i]);
	puts("\"}");
}

static const struct {
	const char *name;
	void (*run)(struct frontend *f, const struct words *w);
} commands[] = {
	{"setup", cmd_setup},
	{"connect", cmd_connect},
	{"listen", cmd_listen},
	{"accept", cmd_accept},
	{"close", cmd_close},
	{"alive", cmd_alive},
	{"negotiate", cmd_negotiate},
	{"table", cmd_table},
	{"start", cmd_start},
	{"stop", cmd_stop},
	{"enable", cmd_enable},
	{"mtu", cmd_mtu},
	{"frozen", cmd_frozen},
	{"beside", cmd_beside},
	{"run", cmd_run},
	{"post", cmd_post},
	{"stats", cmd_stats},
	{"send", cmd_send},
	{"save", cmd_save},
	{"changed", cmd_changed},
	{"log", cmd_log},
	{"raw", cmd_raw},
	{"reply", cmd_reply},
};

void
command(struct frontend *f, char *line)
{
	struct words w = {0};
	char *word;

	while (w.nr < WORDS_MAX && (word = strsep(&line, " \n")) != NULL)
		if (*word != '\0')
			w.word[w.nr++] = word;
	for (unsigned int i = 0; w.nr > 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, w.word[0]) == 0) {
			commands[i].run(f, &w);
			fflush(stdout);
			return;
		}
	}
	answer_failure("no such command");
	fflush(stdout);
}
