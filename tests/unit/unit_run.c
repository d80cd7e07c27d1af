/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

static const struct fake_format *const formats[] = {&fake_split};

#define NR_FORMATS (sizeof(formats) / sizeof(formats[0]))

struct instance {
	const struct unit_case *c;
	const struct fake_format *format;
};

static void
run_one(const struct instance *in, uint16_t size, uint16_t start)
{
	const struct bed_conf conf = {.format = in->format,
		.size = size,
		.start = start,
		.hdr_len = 12};

	snprintf(fake_context, sizeof(fake_context), "%s, %s ring of %u entries from index %u",
		in->c->name, in->format->name, size, start);
	in->c->body(&conf);
}

static void
run_instance(void **state)
{
	const struct instance *in = *state;

	if (!in->c->every_size)
		run_one(in, 16, 0);
	for (uint16_t size = 2; in->c->every_size && size <= SIZE_MAX_TESTED; size *= 2) {
		run_one(in, size, 0);
		run_one(in, size, (uint16_t) - (size / 2)); /* index wraps half a ring later */
		run_one(in, size, 65535);
	}
	fake_context[0] = '\0';
}

/* A failed assertion leaves the body by longjmp: say where it was. */
static int
tell_context(void **state)
{
	if (fake_context[0] != '\0')
		print_message("failed: %s\n", fake_context);
	return 0;
}

int
unit_run(const char *subject, const struct unit_case *cases, unsigned int nr)
{
	struct instance *instances = calloc(nr * NR_FORMATS, sizeof(*instances));
	struct CMUnitTest *tests = calloc(nr * NR_FORMATS, sizeof(*tests));
	char(*names)[128] = calloc(nr * NR_FORMATS, sizeof(*names));
	unsigned int n = 0;
	int failed;

	CHECK(instances != NULL && tests != NULL && names != NULL);
	for (unsigned int f = 0; f < NR_FORMATS; f++) {
		for (unsigned int i = 0; i < nr; i++, n++) {
			instances[n] = (struct instance){&cases[i], formats[f]};
			snprintf(names[n], sizeof(names[n]), "%s ring: %s", formats[f]->name,
				cases[i].name);
			tests[n] = (struct CMUnitTest){
				.name = names[n],
				.test_func = run_instance,
				.teardown_func = tell_context,
				.initial_state = &instances[n],
			};
		}
	}
	fake_fail_hook = _fail;
	failed = _cmocka_run_group_tests(subject, tests, n, NULL, NULL);
	free(instances);
	free(tests);
	free(names);
	return failed;
}
