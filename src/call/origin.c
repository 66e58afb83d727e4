#include "call/origin.h"

#define FOREIGN "The request comes from a page of another site, so nothing was done."

/* What stands behind "https://" or "http://". False: another scheme, or "null". */
static bool split(struct td_slice origin, bool *ret_https, struct td_slice *ret_host)
{
	static const char https[] = "https://", http[] = "http://";
	*ret_https = td_slice_has_prefix(origin, https);
	if (!*ret_https && !td_slice_has_prefix(origin, http))
		return false;
	*ret_host = td_slice_skip(origin, *ret_https ? sizeof(https) - 1 : sizeof(http) - 1);
	return true;
}

/* The port that goes without saying is left out. */
static struct td_slice without_default_port(struct td_slice host, bool https)
{
	const char *port = https ? ":443" : ":80";
	size_t len = strlen(port);
	bool has = host.len > len && memcmp(host.ptr + host.len - len, port, len) == 0;
	return has ? td_slice(host.ptr, host.len - len) : host;
}

static bool is_same_host(struct td_slice a, struct td_slice b, bool https)
{
	a = without_default_port(a, https);
	b = without_default_port(b, https);
	return a.len > 0 && a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static bool is_ours(const struct calls *calls, struct http_request *rq, struct td_slice origin)
{
	bool https, wants_https;
	struct td_slice host, ours;
	if (!split(origin, &https, &host))
		return false;
	if (calls_public_url(calls) == NULL)
		return (https || !http_is_https(rq)) && is_same_host(host, http_host(rq), https);
	return split(td_slice_str(calls_public_url(calls)), &wants_https, &ours) &&
	       https == wants_https && is_same_host(host, ours, https);
}

/* Sec-Fetch-Site, which no page can set, names another site. */
static bool is_said_to_be_foreign(const struct http_request *rq)
{
	struct td_slice value;
	return http_header(rq, "Sec-Fetch-Site", &value) && !td_slice_is(value, "same-origin") &&
	       !td_slice_is(value, "none");
}

const char *call_origin_fault(const struct calls *calls, struct http_request *rq)
{
	struct td_slice value;
	if (http_header(rq, "Origin", &value))
		return http_header_count(rq, "Origin") == 1 && is_ours(calls, rq, value) ? NULL
											 : FOREIGN;
	return is_said_to_be_foreign(rq) ? FOREIGN : NULL;
}

bool call_origin_is_hidden(const struct http_request *rq)
{
	struct td_slice value;
	return http_header_count(rq, "Origin") == 1 && http_header(rq, "Origin", &value) &&
	       td_slice_is(value, "null") && !is_said_to_be_foreign(rq);
}
