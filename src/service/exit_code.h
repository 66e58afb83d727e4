/* How a process of ours ends, for whoever started it. Help and man page are made from this list. */
#ifndef TD_SERVICE_EXIT_CODE_H
#define TD_SERVICE_EXIT_CODE_H

#include "base/err.h"

/*    name         code  words */
#define EXIT_CODE_MAP(X)                                                             \
	X(DONE, 0, "done")                                                           \
	X(FAILED, 1, "failed")                                                       \
	X(USAGE, 2, "wrong usage: an unknown command, flag or argument")             \
	X(SETTING, 3, "a setting is wrong")                                          \
	X(DEPENDENCY, 4, "a dependency (the database) could not be reached or used") \
	X(SCHEMA, 5,                                                                 \
		"the schema does not fit: an applied migration was edited or is "    \
		"missing, or the database is of a newer version")                    \
	X(FOUND, 6, "`doctor` or `catalogue diff` found something")

enum exit_code {
#define EXIT_CODE_ENUM(name, code, words) TD_EXIT_##name = code,
	EXIT_CODE_MAP(EXIT_CODE_ENUM)
#undef EXIT_CODE_ENUM
};

/* The process was ended by signal n before it could drain: this plus n. */
#define TD_EXIT_SIGNAL 128

/* What a failure of opening or using the store means. */
int exit_code_of_store(const struct td_err *err);

#endif
