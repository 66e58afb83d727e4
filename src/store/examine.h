/* What a look at a database finds, layer by layer from the network up: what doctor tells. Each
 * store fills one in (store_postgres_examine() and its like), changing nothing. Plain data, one
 * thread at a time; texts never hold a secret. */
#ifndef TD_STORE_EXAMINE_H
#define TD_STORE_EXAMINE_H

#include "base/compiler.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_LAYER_MAP(X)            \
	X(DNS, "dns")                 \
	X(TCP, "tcp")                 \
	X(TLS, "tls")                 \
	X(PROTOCOL, "protocol")       \
	X(AUTH, "auth")               \
	X(DATABASE, "database")       \
	X(VERSION, "version")         \
	X(WRITABLE, "writable")       \
	X(CAPACITY, "capacity")       \
	X(MIGRATIONS, "migrations")   \
	X(DATA, "data")               \
	X(REPLICATION, "replication") \
	X(SCHEMA_AGREEMENT, "schema_agreement")

enum store_layer {
#define STORE_LAYER_ENUM(name, word) STORE_LAYER_##name,
	STORE_LAYER_MAP(STORE_LAYER_ENUM)
#undef STORE_LAYER_ENUM
	STORE_LAYER_COUNT
};

enum store_verdict {
	STORE_NOT_REACHED, /* something before it failed, or `message` says why */
	STORE_IS_OK,
	STORE_WARNS,
	STORE_FAILS,
	STORE_DOES_NOT_APPLY, /* this engine has nothing of the kind */
};

struct store_finding {
	enum store_verdict verdict;
	int64_t duration_ms;
	char message[640]; /* what was found, one sentence without a dot */
	char cause[640];   /* why; "" where all is well */
	char fix[900];     /* what to do; "" where there is nothing to do */
};

struct store_examination {
	struct store_finding layers[STORE_LAYER_COUNT];
	uint64_t since_ns; /* mono: when the last finding was made */
	bool has_clock;
	int64_t clock_ahead_ms; /* the server's clock before ours */
};

/* "tcp"; static storage. */
const char *store_layer_word(enum store_layer layer);

/* The layer of a word; false: there is none. */
bool store_layer_of(const char *word, enum store_layer *ret_layer);

void store_examination_init(struct store_examination *x);

/* All is well there. It took the time since the finding before. */
void store_found_ok(struct store_examination *x, enum store_layer layer, const char *fmt, ...)
	TD_PRINTF(3, 4);

/* STORE_WARNS, STORE_FAILS or STORE_DOES_NOT_APPLY. NULL for no text. */
void store_found(struct store_examination *x, enum store_layer layer, enum store_verdict verdict,
	const char *message, const char *cause, const char *fix);

/* The fix of what was found last at the layer, with what only the finder knows. */
void store_found_fix(struct store_examination *x, enum store_layer layer, const char *fmt, ...)
	TD_PRINTF(3, 4);

/* It fails with an error's words as message. */
void store_found_err(struct store_examination *x, enum store_layer layer, const struct td_err *err,
	const char *cause, const char *fix);

/* The first layer that fails; false: none. */
bool store_examination_failed(const struct store_examination *x, enum store_layer *ret_layer);

#endif
