/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lists.h"
#include "message.h"

int
parse_number(const char *option, const char *text, unsigned int min, unsigned int max,
	unsigned int *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n < min || n > max) {
		pvp_error("%s '%s': give a number from %u to %u", option, text, min, max);
		return -EINVAL;
	}
	*value = n;
	return 0;
}

int
for_each_element(const char *list, int (*add)(void *ctx, const char *element), void *ctx)
{
	char *copy = strdup(list), *rest = copy, *element;
	int ret = 0;

	if (copy == NULL)
		return -ENOMEM;
	while (ret == 0 && (element = strsep(&rest, ",")) != NULL)
		ret = add(ctx, element);
	free(copy);
	return ret;
}

struct request {
	const char *option;
	unsigned int min, max;
	struct numbers *numbers;
};

static int
add_number(void *ctx, const char *text)
{
	const struct request *r = ctx;
	struct numbers *n = r->numbers;

	if (n->count == MAX_NUMBERS) {
		pvp_error("%s: '%s' is one too many; give at most %u", r->option, text,
			MAX_NUMBERS);
		return -E2BIG;
	}
	return parse_number(r->option, text, r->min, r->max, &n->value[n->count++]);
}

int
parse_numbers(const char *option, const char *list, unsigned int min, unsigned int max,
	struct numbers *numbers)
{
	struct request r = {option, min, max, numbers};

	numbers->count = 0;
	return for_each_element(list, add_number, &r);
}
