/* SPDX-License-Identifier: BSD-3-Clause */
/* Devargs of an uplink: dev(<devargs>) as net_failsafe writes them, or port=<name>. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "log.h"
#include "uplink_args.h"

#define DEV_KEY   "dev("
#define PORT_KEY  "port="
#define FRAME_KEY ",max-frame="

/* With its headroom it fits in an mbuf. */
#define MAX_FRAME ((unsigned int)(UINT16_MAX - RTE_PKTMBUF_HEADROOM))

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

/* [,max-frame=<n>] behind the port. */
static int
parse_rest(const char *name, const char *rest, struct uplink_args *out)
{
	unsigned long n;
	char *end;

	if (*rest == '\0')
		return 0;
	if (strncmp(rest, FRAME_KEY, strlen(FRAME_KEY)) != 0) {
		IOVTEE_LOG(ERR,
			"%s: '%s' is not known behind dev(...) or port=: write max-frame=<n>", name,
			rest);
		return -EINVAL;
	}
	rest += strlen(FRAME_KEY);
	n = strtoul(rest, &end, 10);
	if (!isdigit((unsigned char)*rest) || *end != '\0' || n < RTE_ETHER_MIN_LEN ||
		n > MAX_FRAME) {
		IOVTEE_LOG(ERR, "%s: max-frame=%s is not a number from %u to %u", name, rest,
			RTE_ETHER_MIN_LEN, MAX_FRAME);
		return -EINVAL;
	}
	out->max_frame = n;
	return 0;
}

int
uplink_args_parse(const char *name, const char *args, struct uplink_args *out)
{
	const char *value, *end = NULL;
	char *to = NULL;
	int ret;

	memset(out, 0, sizeof(*out));
	out->max_frame = MAX_FRAME;
	if (strncmp(args, DEV_KEY, strlen(DEV_KEY)) == 0) {
		to = out->dev;
		value = args + strlen(DEV_KEY);
		end = closing(value);
	} else if (strncmp(args, PORT_KEY, strlen(PORT_KEY)) == 0) {
		to = out->port;
		value = args + strlen(PORT_KEY);
		end = value + strcspn(value, ",");
	}
	if (end == NULL) {
		IOVTEE_LOG(ERR,
			"%s: '%s' names no port to wrap: write dev(<devargs>) or port=<name>", name,
			args);
		return -EINVAL;
	}
	ret = copy_value(name, to, value, end - value);
	return ret < 0 ? ret : parse_rest(name, end + (*end == ')'), out);
}
