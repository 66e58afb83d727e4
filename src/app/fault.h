/* What is wrong with a request's fields, all of it at once: each fault has the place (a JSON
 * pointer, RFC 6901) and a sentence that says what to do. Plain data; pointers and sentences are
 * borrowed (static storage or the request's arena). */
#ifndef TD_APP_FAULT_H
#define TD_APP_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#define APP_FAULTS_MOST 16

struct app_fault {
	const char *pointer; /* "/email"; "" is the whole document */
	const char *detail;
};

struct app_faults {
	struct app_fault items[APP_FAULTS_MOST];
	size_t count;
};

/* One over APP_FAULTS_MOST is left out: a client that repairs those sees the rest then. */
void app_faults_add(struct app_faults *faults, const char *pointer, const char *detail);

/* The place has a fault already. */
bool app_faults_at(const struct app_faults *faults, const char *pointer);

#endif
