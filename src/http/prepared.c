/* Answers that are made once and given many times. libmicrohttpd guards each of its responses with
 * a mutex, so there is one for each HTTP thread; they are made at the first use and share the body.
 */
#include "http/internal.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "http/fields.h"
#include "http/syntax.h"

#include <stdio.h>
#include <string.h>

#define THREADS_MOST 8
#define TAG_MOST     80

/* The bodies outlive the prepared answer while a connection still sends them. */
struct bodies {
	_Atomic int refs;
	struct td_slice of[HTTP_ENCODING_COUNT];
	char bytes[];
};

struct http_prepared {
	_Atomic int refs;
	unsigned status;
	unsigned offered; /* bits of enum http_encoding */
	struct bodies *bodies;
	struct td_arena arena; /* of all texts below; written by create only */
	const char *content_type, *cache_control, *csp, *vary;
	struct http_header *headers;
	size_t header_count;
	char etags[HTTP_ENCODING_COUNT][TAG_MOST + 8];
	/* Made at first use: [thread][is_https][encoding]. */
	_Atomic(struct MHD_Response *) made[THREADS_MOST][2][HTTP_ENCODING_COUNT];
};

static void let_bodies_go(void *cls)
{
	struct bodies *b = cls;
	if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		td_free(b);
}

static struct bodies *copy_bodies(const struct http_prepared_config *config)
{
	const struct td_slice from[HTTP_ENCODING_COUNT] = {[HTTP_IDENTITY] = config->identity,
		[HTTP_GZIP] = config->gzip,
		[HTTP_BR] = config->br};
	size_t total = 0;
	for (size_t i = 0; i < HTTP_ENCODING_COUNT; i++)
		total += from[i].len;
	struct bodies *b = td_alloc(sizeof(*b) + total + 1);
	if (b == NULL)
		return NULL;
	atomic_init(&b->refs, 1);
	char *at = b->bytes;
	for (size_t i = 0; i < HTTP_ENCODING_COUNT; i++) {
		if (from[i].len > 0)
			memcpy(at, from[i].ptr, from[i].len);
		b->of[i] = td_slice(at, from[i].len);
		at += from[i].len;
	}
	return b;
}

static bool is_tag(const char *tag)
{
	size_t len = strlen(tag);
	return len >= 1 && len <= TAG_MOST &&
	       strspn(tag, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       len;
}

static bool make_etags(struct http_prepared *p, const struct http_prepared_config *config)
{
	static const char *const endings[HTTP_ENCODING_COUNT] = {
		[HTTP_IDENTITY] = "", [HTTP_GZIP] = "-gz", [HTTP_BR] = "-br"};
	char text[TD_SHA256_TEXT_SIZE];
	const char *tag = config->etag;
	if (tag == NULL) {
		uint8_t digest[TD_SHA256_SIZE];
		td_sha256(config->identity, digest);
		td_hex(digest, 12, text);
		tag = text;
	}
	if (!is_tag(tag))
		return false;
	for (size_t i = 0; i < HTTP_ENCODING_COUNT; i++)
		(void)snprintf(p->etags[i], sizeof(p->etags[i]), "\"%s%s\"", tag, endings[i]);
	return true;
}

static const char *copy_text(struct td_arena *a, const char *text)
{
	return text == NULL ? NULL : td_arena_strndup(a, text, strlen(text));
}

static bool copy_texts(struct http_prepared *p, const struct http_prepared_config *config)
{
	struct td_arena *a = &p->arena;
	const char *vary = config->vary;
	p->content_type = copy_text(a, config->content_type);
	p->cache_control = copy_text(
		a, config->cache_control != NULL ? config->cache_control : "no-cache");
	p->csp = copy_text(a, config->csp);
	p->vary = vary != NULL ? td_arena_printf(a, "Accept-Encoding, %s", vary)
			       : "Accept-Encoding";
	p->headers = td_arena_array(a, config->header_count + 1, sizeof(*p->headers));
	for (size_t i = 0; p->headers != NULL && i < config->header_count; i++) {
		const struct http_header *from = &config->headers[i];
		if (from->value == NULL)
			continue;
		p->headers[p->header_count++] = (struct http_header){
			copy_text(a, from->name), copy_text(a, from->value)};
	}
	return !a->failed;
}

static struct MHD_Response *make_response(
	const struct http_prepared *p, enum http_encoding encoding, bool is_https)
{
	static const char *const codings[HTTP_ENCODING_COUNT] = {
		[HTTP_GZIP] = "gzip", [HTTP_BR] = "br"};
	struct td_slice body = p->bodies->of[encoding];
	/* MHD wants a pointer that is not const, and does not write through it. */
	void *bytes = p->bodies->bytes + (body.ptr - p->bodies->bytes);
	atomic_fetch_add_explicit(&p->bodies->refs, 1, memory_order_relaxed);
	struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
		body.len, bytes, let_bodies_go, p->bodies);
	if (r == NULL) {
		let_bodies_go(p->bodies);
		return NULL;
	}
	bool ok = (p->content_type == NULL ||
			  http_put_header(r, "Content-Type", p->content_type)) &&
		  http_put_header(r, "Cache-Control", p->cache_control) &&
		  http_put_header(r, "Vary", p->vary) &&
		  http_put_header(r, "ETag", p->etags[encoding]) &&
		  (codings[encoding] == NULL ||
			  http_put_header(r, "Content-Encoding", codings[encoding])) &&
		  http_put_security(r, p->csp, NULL, is_https);
	for (size_t i = 0; i < p->header_count; i++)
		ok = ok && http_put_header(r, p->headers[i].name, p->headers[i].value);
	if (ok)
		return r;
	MHD_destroy_response(r);
	return NULL;
}

struct http_prepared *http_prepared_create(const struct http_prepared_config *config)
{
	struct http_prepared *p = td_alloc_zero(sizeof(*p));
	if (p == NULL)
		return NULL;
	atomic_init(&p->refs, 1);
	p->status = config->status != 0 ? config->status : 200;
	p->offered = 1u << HTTP_IDENTITY | (config->gzip.len > 0 ? 1u << HTTP_GZIP : 0u) |
		     (config->br.len > 0 ? 1u << HTTP_BR : 0u);
	p->bodies = copy_bodies(config);
	if (p->bodies == NULL || !make_etags(p, config) || !copy_texts(p, config)) {
		http_prepared_unref(p);
		return NULL;
	}
	/* Made now, so that a header that is none is known now. */
	struct MHD_Response *first = make_response(p, HTTP_IDENTITY, /* is_https= */ false);
	if (first == NULL) {
		http_prepared_unref(p);
		return NULL;
	}
	atomic_init(&p->made[0][0][HTTP_IDENTITY], first);
	return p;
}

struct http_prepared *http_prepared_ref(struct http_prepared *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void http_prepared_unref(struct http_prepared *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t t = 0; t < THREADS_MOST; t++) {
		for (size_t i = 0; i < 2 * HTTP_ENCODING_COUNT; i++) {
			struct MHD_Response *r = atomic_load(
				&p->made[t][i / HTTP_ENCODING_COUNT][i % HTTP_ENCODING_COUNT]);
			if (r != NULL)
				MHD_destroy_response(r);
		}
	}
	if (p->bodies != NULL)
		let_bodies_go(p->bodies);
	td_arena_done(&p->arena);
	td_free(p);
}

struct td_slice http_prepared_body(const struct http_prepared *p)
{
	return p->bodies->of[HTTP_IDENTITY];
}

static struct MHD_Response *get_response(
	struct http_request *rq, struct http_prepared *p, enum http_encoding encoding)
{
	bool is_https = rq->server->is_https;
	_Atomic(struct MHD_Response *) *place =
		&p->made[rq->conn->thread % THREADS_MOST][is_https][encoding];
	struct MHD_Response *r = atomic_load_explicit(place, memory_order_acquire);
	if (r != NULL)
		return r;
	struct MHD_Response *fresh = make_response(p, encoding, is_https);
	if (fresh == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(place, &r, fresh))
		return fresh;
	MHD_destroy_response(fresh);
	return r;
}

static void reply_own(struct http_request *rq, const struct http_prepared *p,
	enum http_encoding encoding, unsigned status)
{
	struct MHD_Response *r = make_response(p, encoding, rq->server->is_https);
	if (r == NULL || !http_put_own(rq, r))
		http_reply_bare(rq);
	else
		http_queue(rq, status, r);
	if (r != NULL)
		MHD_destroy_response(r);
}

void http_reply_prepared(struct http_request *rq, struct http_prepared *p)
{
	http_begin_answer(rq);
	enum http_encoding encoding = http_encoding_choose(rq->guard.accept_encoding, p->offered);
	bool is_same = rq->guard.if_none_match.len > 0 && p->status == 200 &&
		       (rq->method == HTTP_METHOD_GET || rq->method == HTTP_METHOD_HEAD) &&
		       http_etag_matches(rq->guard.if_none_match, td_slice_str(p->etags[encoding]));
	unsigned status = is_same ? 304 : p->status;
	if (http_needs_own(rq)) {
		reply_own(rq, p, encoding, status);
		return;
	}
	struct MHD_Response *r = get_response(rq, p, encoding);
	if (r == NULL)
		http_reply_bare(rq);
	else
		http_queue(rq, status, r);
}
