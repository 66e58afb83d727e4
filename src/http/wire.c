/* What can be told about the bytes of a header after libmicrohttpd has cut it into pieces.
 *
 * 0.9.75 parses in place: method, target, version, names and values are NUL-terminated pieces of
 * one buffer, in the order in which they came. So the distance from the end of one piece to the
 * beginning of the next is what stood between them, and where it is not exactly a CRLF, the line
 * ended in a bare LF or CR, hid a NUL, or was folded (folding moves pieces out of the buffer). No
 * byte outside the pieces is read. Newer versions check all of this themselves. */
#include "http/internal.h"

#include <string.h>

struct walk {
	struct http_guard *guard;
	const char *end; /* of the piece before */
	bool is_whole;
};

/* `gap` bytes lie between the end of one piece and the next. */
static bool follows(const char *end, const char *next, ptrdiff_t gap)
{
	return (intptr_t)next - (intptr_t)end == gap;
}

static enum MHD_Result look_at_header(
	void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct walk *w = cls;
	(void)kind;
	if (name == NULL)
		return MHD_YES;
	size_t name_len = strlen(name);
	size_t value_len = value == NULL ? 0 : strlen(value);
	http_guard_header(w->guard, td_slice(name, name_len),
		td_slice(value == NULL ? "" : value, value_len));
	w->is_whole = w->is_whole && follows(w->end, name, 2);
	w->end = value == NULL ? name + name_len : value + value_len;
	return MHD_YES;
}

struct http_verdict http_wire_check(
	struct http_request *rq, const char *method, const char *version)
{
	bool is_line_whole = follows(method + strlen(method), rq->wire_target, 1) &&
			     follows(rq->wire_target + rq->raw_len, version, 1);
	struct walk w = {&rq->guard, version + strlen(version), is_line_whole};
	(void)MHD_get_connection_values(rq->mhd, MHD_HEADER_KIND, look_at_header, &w);
	bool is_whole = w.is_whole;
#if !HTTP_MHD_IS_NEW
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		rq->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (info != NULL)
		is_whole = is_whole && follows(method + info->header_size, w.end, -4);
#else
	(void)method;
	is_whole = true;
#endif
	if (is_whole)
		return (struct http_verdict){.status = 0};
	return (struct http_verdict){400, "bad-request",
		"a line of the header does not end in CRLF, is folded, or hides a NUL"};
}
