/* SPDX-License-Identifier: BSD-3-Clause */
/* Devargs of an uplink: dev(<devargs>) as net_failsafe writes them, or port=<name>. */
#include <errno.h>
#include <string.h>

#include <rte_string_fns.h>

#include "log.h"
#include "uplink_args.h"

#define DEV_KEY  "dev("
#define PORT_KEY "port="

static int
copy_value(const char *name, char *dst, const char *value, size_t len)
{
	if (len == 0 || len >= UPLINK_ARG_MAX) {
		IOVTEE_LOG(ERR, "%s: a value of %zu characters is not possible: 1 to %d", name, len,
			UPLINK_ARG_MAX - 1);
		return -EINVAL;
	}
	memcpy(dst, value, len);
	dst[len] = '\0';
	return 0;
}

/* The closing parenthesis that matches the one before s, or NULL. */
static const char *
closing(const char *s)
{
	unsigned int depth = 1;

	for (; *s != '\0'; s++) {
		depth += *s == '(';
		depth -= *s == ')';
		if (depth == 0)
			return s;
	}
	return NULL;
}

int
uplink_args_parse(const char *name, const char *args, struct uplink_args *out)
{
	const char *value, *end;

	memset(out, 0, sizeof(*out));
	if (strncmp(args, DEV_KEY, strlen(DEV_KEY)) == 0) {
		value = args + strlen(DEV_KEY);
		end = closing(value);
		if (end == NULL || end[1] != '\0') {
			IOVTEE_LOG(ERR, "%s: malformed '%s': write dev(<devargs>) and nothing else",
				name, args);
			return -EINVAL;
		}
		return copy_value(name, out->dev, value, end - value);
	}
	if (strncmp(args, PORT_KEY, strlen(PORT_KEY)) == 0 && strchr(args, ',') == NULL) {
		value = args + strlen(PORT_KEY);
		return copy_value(name, out->port, value, strlen(value));
	}
	IOVTEE_LOG(ERR, "%s: '%s' names no port to wrap: write dev(<devargs>) or port=<name>", name,
		args);
	return -EINVAL;
}
