/* Where a request that changes something comes from: a page of ours, or somebody else's. */
#ifndef TD_CALL_ORIGIN_H
#define TD_CALL_ORIGIN_H

#include "call/call.h"

/* NULL: from a page of ours, or from no browser. Else a sentence for a 403; static storage. Origin
 * must be PUBLIC_URL where that is set, else have the request's Host (and be https where that is
 * known; a proxy that is not trusted may end TLS unseen). Where there is none, Sec-Fetch-Site
 * decides. `Origin: null` is nobody's. */
const char *call_origin_fault(const struct calls *calls, struct http_request *rq);

/* `Origin: null`, and Sec-Fetch-Site does not say that it is somebody else's: so does a page of
 * ours that hides its address (Referrer-Policy: no-referrer); and others that a form's token must
 * keep out. */
bool call_origin_is_hidden(const struct http_request *rq);

#endif
