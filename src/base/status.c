#include "base/status.h"

#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	int http;
	bool retry;
	const char *words;
} statuses[TD_STATUS_COUNT] = {
#define TD_STATUS_ROW(name, http, retry, words) [TD_##name] = {#name, http, retry, words},
	TD_STATUS_MAP(TD_STATUS_ROW)
#undef TD_STATUS_ROW
};

const char *td_status_name(enum td_status status)
{
	td_assert(status < TD_STATUS_COUNT);
	return statuses[status].name;
}

const char *td_status_words(enum td_status status)
{
	td_assert(status < TD_STATUS_COUNT);
	return statuses[status].words;
}

int td_status_http(enum td_status status)
{
	td_assert(status < TD_STATUS_COUNT);
	return statuses[status].http;
}

bool td_status_may_retry(enum td_status status)
{
	td_assert(status < TD_STATUS_COUNT);
	return statuses[status].retry;
}

void td_assert_failed(const char *claim, const char *file, int line)
{
	(void)fprintf(
		stderr, "error: internal fault: (%s) does not hold at %s:%d\n", claim, file, line);
	abort();
}
