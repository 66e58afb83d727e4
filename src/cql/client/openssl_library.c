#define OPENSSL_LIBRARY_ITSELF
#include "cql/client/openssl_library.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define LIBRARY "libssl.so.3" /* finds those of libcrypto, too */

struct openssl_functions openssl_functions;

static atomic_flag is_loading = ATOMIC_FLAG_INIT;
static bool is_loaded; /* guarded by is_loading */

/* POSIX lets dlsym() give functions; ISO C has no cast for it, so the bytes are copied. */
static bool find(void *library, const char *name, void *ret_function)
{
	void *found = dlsym(library, name);
	memcpy(ret_function, &found, sizeof(found));
	return found != NULL;
}

/* NULL, or what is missing. */
static const char *load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	const char *missing = library == NULL ? LIBRARY : NULL;
#define OPENSSL_FIND(result, name, parameters)                                 \
	if (missing == NULL && !find(library, #name, &openssl_functions.name)) \
		missing = #name;
	OPENSSL_FUNCTION_MAP(OPENSSL_FIND)
#undef OPENSSL_FIND
	return missing;
}

enum td_status openssl_library_load(struct td_err *err)
{
	const char *missing = NULL;
	while (atomic_flag_test_and_set(&is_loading))
		(void)sched_yield();
	if (!is_loaded)
		missing = load();
	is_loaded |= missing == NULL;
	atomic_flag_clear(&is_loading);
	if (missing == NULL)
		return TD_OK;
	return td_err_set(err, TD_UNAVAILABLE,
		"TLS needs %s (%s is missing): install it with `apt-get install libssl3`", LIBRARY,
		missing);
}
