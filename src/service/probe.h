/* Asks a service of ours over HTTP whether it is ready; needs no other program. */
#ifndef TD_SERVICE_PROBE_H
#define TD_SERVICE_PROBE_H

#include "base/err.h"

#define PROBE_TIMEOUT_MS 3000

/* GET /readyz, at loopback where `host` is every interface, else at `host`. TD_OK: it answered 200.
 *   TD_UNAVAILABLE  nobody answers, or it said why it is not ready: `err` has the words
 *   TD_TIMEOUT      no answer within PROBE_TIMEOUT_MS */
enum td_status probe_ready(const char *host, unsigned port, struct td_err *err) TD_MUST_CHECK;

#endif
