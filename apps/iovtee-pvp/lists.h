/* SPDX-License-Identifier: BSD-3-Clause
 * Numbers, and lists of them, as options give them.
 */
#ifndef PVP_LISTS_H
#define PVP_LISTS_H

#define MAX_NUMBERS 16

struct numbers {
	unsigned int value[MAX_NUMBERS];
	unsigned int count;
};

/* These say what is wrong; `option` is for the message. */
int parse_number(const char *option, const char *text, unsigned int min, unsigned int max,
	unsigned int *value);
/* "a,b,c" */
int parse_numbers(const char *option, const char *list, unsigned int min, unsigned int max,
	struct numbers *numbers);

/* Call `add` for every element of the list "a,b,c". */
int for_each_element(const char *list, int (*add)(void *ctx, const char *element), void *ctx);

#endif
