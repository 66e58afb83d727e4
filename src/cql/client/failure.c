#include "cql/client/failure.h"

static const struct {
	const char *name, *words;
	bool is_setting;
} failures[] = {
#define CQL_FAILURE_ROW(name, is_setting, words) {#name, words, is_setting},
	CQL_FAILURE_MAP(CQL_FAILURE_ROW)
#undef CQL_FAILURE_ROW
};

const char *cql_failure_name(enum cql_failure failure)
{
	return failures[failure].name;
}

const char *cql_failure_words(enum cql_failure failure)
{
	return failures[failure].words;
}

bool cql_failure_is_setting(enum cql_failure failure)
{
	return failures[failure].is_setting;
}
