/* The process `serve`: HTTP, the embedded store and the catalogue, in one. */
#ifndef TD_SERVICE_SERVE_H
#define TD_SERVICE_SERVE_H

#include "base/compiler.h"
#include "settings/settings.h"

/* Runs until a signal ends it or the start fails; the exit code. HTTP listens before the database
 * is touched. Both are borrowed. Main thread, once, before any other thread is started. */
int serve_run(const struct settings *settings, const char *const *environment) TD_MUST_CHECK;

#endif
