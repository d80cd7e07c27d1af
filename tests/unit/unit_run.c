/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "bed.h"

static const struct fake_format *const formats[] = {&fake_split, &fake_packed};

/* What only a packed ring may have. */
static const uint16_t odd_sizes[] = {3, 6, 7, 96, 255, 1000};

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

/* From the beginning, and such that the index, or the wrap counter, turns half a ring later, and at once. */
static void
every_start(const struct instance *in, uint16_t size)
{
	const struct fake_format *f = in->format;
	uint16_t turn = f == &fake_split ? 0 : f->first;
	uint16_t lap = f == &fake_split ? 65535 : 2 * size - 1;

	run_one(in, size, f->first);
	run_one(in, size, f->after(size, turn, lap - size / 2 + 1));
	run_one(in, size, f->after(size, turn, lap));
}

static void
run_instance(void **state)
{
	const struct instance *in = *state;

	const struct fake_format *f = in->format;

	if (!in->c->every_size)
		run_one(in, 16, f->first);
	for (uint16_t size = 2; in->c->every_size && size <= SIZE_MAX_TESTED; size *= 2)
		every_start(in, size);
	if (in->c->every_size && f != &fake_split)
		for (unsigned int i = 0; i < sizeof(odd_sizes) / sizeof(odd_sizes[0]); i++)
			every_start(in, odd_sizes[i]);
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
		for (unsigned int i = 0; i < nr; i++) {
			instances[n] = (struct instance){&cases[i], formats[f]};
			snprintf(names[n], sizeof(names[n]), "%s ring: %s", formats[f]->name,
				cases[i].name);
			tests[n] = (struct CMUnitTest){
				.name = names[n],
				.test_func = run_instance,
				.teardown_func = tell_context,
				.initial_state = &instances[n],
			};
			n++;
		}
	}
	fake_fail_hook = _fail;
	failed = _cmocka_run_group_tests(subject, tests, n, NULL, NULL);
	free(instances);
	free(tests);
	free(names);
	return failed;
}
