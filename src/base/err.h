/* The story of a failure: plain data that travels with a job between threads.
 * Every function that takes `struct td_err *err` accepts NULL and writes it only on failure. */
#ifndef TD_BASE_ERR_H
#define TD_BASE_ERR_H

#include "base/compiler.h"
#include "base/status.h"

#include <stdbool.h>

#define TD_ERR_TEXT_MAX 512

struct td_err {
	enum td_status code;
	int native;     /* errno, an SQLite or CQL code; 0 where there is none */
	char state[6];  /* SQLSTATE; "" where there is none */
	char check[32]; /* doctor's identifier of the layer that failed ("sqlite.writable"); or ""
			 */
	bool told;      /* it was logged already: once is enough */
	char text[TD_ERR_TEXT_MAX]; /* a sentence for people; cut at a character; never a secret */
};

/* Nothing happened yet: TD_OK and no text. */
#define TD_ERR_INIT           \
	{                     \
		.code = TD_OK \
	}

/* Sets code and text, clears the rest, and returns `code`, so that a caller can `return
 * td_err_set(…)`. */
enum td_status td_err_set(struct td_err *err, enum td_status code, const char *fmt, ...)
	TD_PRINTF(3, 4);

/* As td_err_set with `native` = error_number, and its words at the end of the text: "…: No space
 * left on device (errno 28)". Keeps errno. */
enum td_status td_err_errno(struct td_err *err, enum td_status code, int error_number,
	const char *fmt, ...) TD_PRINTF(4, 5);

/* Puts "what: " before the text. Each layer adds at most once. Returns err->code (TD_INTERNAL for
 * NULL). */
enum td_status td_err_context(struct td_err *err, const char *fmt, ...) TD_PRINTF(2, 3);

/* Names the layer in doctor's words ("sqlite.writable"); it ends a log line as ` check=ID`. */
void td_err_check(struct td_err *err, const char *check);

#endif
