#include "api/packages.h"

#include "api/problem.h"
#include "base/alloc.h"
#include "http/http.h"
#include "work/lock.h"

#define PACKAGES "/user-subscription/packages"

/* Longer slugs do not exist (the store's tables), so no more of one is told. */
#define SLUG_MOST 64

/* All answers of one snapshot; never changed once it can be seen. */
struct answers {
	struct catalogue_snapshot *snapshot;
	struct http_prepared *list;
	struct http_prepared **each; /* in the order of the snapshot's list */
	size_t count;
};

struct api_packages {
	struct td_lock lock;
	struct answers *answers; /* guarded by lock; NULL before the first snapshot */
};

/* ---- making answers */

static struct http_prepared *prepare(const struct catalogue_body *body)
{
	const struct http_prepared_config config = {
		.content_type = API_JSON_TYPE,
		.identity = body->bytes[CATALOGUE_IDENTITY],
		.gzip = body->bytes[CATALOGUE_GZIP],
		.br = body->bytes[CATALOGUE_BR],
		.etag = body->tag,
	};
	return http_prepared_create(&config);
}

static void free_answers(struct answers *answers)
{
	if (answers == NULL)
		return;
	for (size_t i = 0; i < answers->count; i++)
		http_prepared_unref(answers->each[i]);
	http_prepared_unref(answers->list);
	catalogue_snapshot_unref(answers->snapshot);
	td_free(answers->each);
	td_free(answers);
}

/* False: no memory. */
static bool fill_answers(struct answers *answers)
{
	size_t count;
	const struct catalogue_package *list = catalogue_snapshot_list(answers->snapshot, &count);
	answers->list = prepare(catalogue_snapshot_json(answers->snapshot));
	answers->each = td_alloc_array(count + 1, sizeof(answers->each[0]));
	if (answers->list == NULL || answers->each == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		answers->each[i] = prepare(&list[i].json);
		if (answers->each[i] == NULL)
			return false;
		answers->count++;
	}
	return true;
}

void api_packages_changed(struct api_packages *packages, struct catalogue_snapshot *snapshot)
{
	struct answers *answers = td_alloc_zero(sizeof(*answers));
	if (answers == NULL)
		return;
	answers->snapshot = catalogue_snapshot_ref(snapshot);
	if (fill_answers(answers)) {
		td_lock_take(&packages->lock);
		struct answers *before = packages->answers;
		packages->answers = answers;
		td_lock_give(&packages->lock);
		answers = before;
	}
	free_answers(answers);
}

/* ---- answering */

static void reply_not_yet(struct http_request *rq)
{
	const struct http_problem problem = call_problem(TD_PROBLEM_STORE_UNAVAILABLE,
		"The packages have not been read from the database yet. Try again in a second.");
	http_reply_problem(rq, &problem);
}

static void reply_no_such(struct http_request *rq, struct td_slice slug)
{
	char *detail = td_arena_printf(http_arena(rq),
		"There is no package \"%.*s\" on offer. GET " PACKAGES " lists those that are.",
		(int)(slug.len < SLUG_MOST ? slug.len : SLUG_MOST), slug.ptr);
	const struct http_problem problem = call_problem(TD_PROBLEM_PACKAGE_NOT_FOUND, detail);
	http_reply_problem(rq, &problem);
}

/* NULL for a package that is not on offer. */
static struct http_prepared *find_answer(const struct answers *answers, struct td_slice slug)
{
	size_t count;
	const struct catalogue_package *list = catalogue_snapshot_list(answers->snapshot, &count);
	const struct catalogue_package *found = catalogue_snapshot_find(answers->snapshot, slug);
	if (found == NULL || !found->row.is_active)
		return NULL;
	return answers->each[found - list];
}

static void get_list(struct http_request *rq, void *ctx)
{
	struct api_packages *packages = ctx;
	struct http_prepared *prepared = NULL;
	td_lock_take(&packages->lock);
	if (packages->answers != NULL)
		prepared = http_prepared_ref(packages->answers->list);
	td_lock_give(&packages->lock);
	if (prepared != NULL)
		http_reply_prepared(rq, prepared);
	else
		reply_not_yet(rq);
	http_prepared_unref(prepared);
}

static void get_one(struct http_request *rq, void *ctx)
{
	struct api_packages *packages = ctx;
	struct td_slice slug = http_param(rq, "slug");
	struct http_prepared *prepared = NULL;
	td_lock_take(&packages->lock);
	bool known = packages->answers != NULL;
	if (known)
		prepared = find_answer(packages->answers, slug);
	if (prepared != NULL)
		(void)http_prepared_ref(prepared);
	td_lock_give(&packages->lock);
	if (prepared != NULL)
		http_reply_prepared(rq, prepared);
	else if (known)
		reply_no_such(rq, slug);
	else
		reply_not_yet(rq);
	http_prepared_unref(prepared);
}

enum td_status api_packages_add_routes(
	struct api_packages *packages, struct http_server *server, struct td_err *err)
{
	const struct http_route routes[] = {
		{.method = "GET", .pattern = PACKAGES, .handler = get_list, .ctx = packages},
		{.method = "GET",
			.pattern = PACKAGES "/{slug}",
			.handler = get_one,
			.ctx = packages},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}

struct api_packages *api_packages_create(void)
{
	struct api_packages *packages = td_alloc_zero(sizeof(*packages));
	if (packages == NULL)
		return NULL;
	td_lock_init(&packages->lock);
	return packages;
}

void api_packages_destroy(struct api_packages *packages)
{
	if (packages == NULL)
		return;
	free_answers(packages->answers);
	td_lock_done(&packages->lock);
	td_free(packages);
}
