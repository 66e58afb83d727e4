#include "api/users.h"

#include "api/body.h"
#include "api/problem.h"
#include "app/user.h"
#include "base/json.h"

#define USERS "/user-subscription/users"

/* ---- what a user looks like
 * -------------------------------------------------------------------- */

static void put_text(struct td_json *j, const char *name, struct td_slice text)
{
	td_json_name(j, name);
	if (text.ptr != NULL)
		td_json_slice(j, text);
	else
		td_json_null(j);
}

static void put_user(struct td_buf *out, const struct store_user *user)
{
	struct td_json j = td_json_to(out);
	td_json_open(&j, '{');
	put_text(&j, "id", user->id);
	put_text(&j, "email", user->email);
	put_text(&j, "first_name", user->first_name);
	put_text(&j, "last_name", user->last_name);
	put_text(&j, "company", user->company);
	td_json_member_time(&j, "created_at", user->created_at);
	td_json_member_time(&j, "updated_at", user->updated_at);
	td_json_close(&j, '}');
	td_buf_put_char(out, '\n');
}

/* Every character of an id may stand in a path. */
static char *make_location(struct td_arena *arena, const struct store_user *user)
{
	return td_arena_printf(arena, USERS "/%.*s", TD_SLICE_ARG(user->id));
}

static void reply_user(struct http_request *rq, const struct store_user *user, bool created)
{
	char *location = created ? make_location(http_arena(rq), user) : NULL;
	struct td_buf body = TD_BUF_INIT;
	put_user(&body, user);
	if (body.failed || (created && location == NULL)) {
		td_buf_done(&body);
		call_reply_failure(rq, TD_NOMEM, NULL);
		return;
	}
	const struct http_header headers[] = {{"Location", location}};
	const struct http_reply reply = {.status = created ? 201 : 200,
		.content_type = API_JSON_TYPE,
		.take = &body,
		.headers = headers,
		.header_count = TD_ARRAY_LEN(headers)};
	http_reply(rq, &reply);
	td_buf_done(&body);
}

static struct http_problem email_taken(void)
{
	return call_problem(TD_PROBLEM_EMAIL_TAKEN,
		"Another user has this e-mail address. Use another one, or "
		"find that user with GET " USERS "?email=….");
}

static void reply_email_taken(struct http_request *rq)
{
	struct http_problem problem = email_taken();
	http_reply_problem(rq, &problem);
}

static void reply_not_found(struct http_request *rq, const char *detail)
{
	struct http_problem problem = call_problem(TD_PROBLEM_USER_NOT_FOUND, detail);
	http_reply_problem(rq, &problem);
}

/* ---- what they send
 * ---------------------------------------------------------------------------- */

static void check_id(struct td_slice id, struct app_faults *faults)
{
	if (!app_user_id_is_valid(id))
		app_faults_add(faults, "/user_id", "in the path cannot be used: " APP_USER_ID_RULE);
}

/* False: the call has ended. The form lives as long as the request. */
static bool read_form(
	struct api_call *call, struct app_faults *faults, struct app_user_form *ret_form)
{
	struct http_request *rq = api_call_rq(call);
	struct app_user_form form;
	const struct api_field fields[] = {
		{"email", false, &form.email},
		{"first_name", false, &form.first_name},
		{"last_name", false, &form.last_name},
		{"company", true, &form.company},
	};
	struct td_err err = TD_ERR_INIT;
	enum td_status status = api_body_read(
		http_body(rq), http_arena(rq), fields, TD_ARRAY_LEN(fields), faults, &err);
	if (status == TD_NOMEM) {
		api_call_submit(call, /* ready= */ false, NULL);
		return false;
	}
	if (status != TD_OK) {
		struct http_problem problem = call_problem(TD_PROBLEM_BAD_REQUEST,
			td_arena_strndup(http_arena(rq), err.text, strlen(err.text)));
		api_call_refuse(call, &problem);
		return false;
	}
	/* Of a body that is not an object nothing can be said about its members. */
	if (!app_faults_at(faults, ""))
		app_user_check(&form, faults);
	if (faults->count > 0) {
		api_call_refuse_faults(call, faults);
		return false;
	}
	*ret_form = form;
	return true;
}

/* ---- the routes
 * -------------------------------------------------------------------------------- */

static void show_put(struct http_request *rq, const struct store_op *op, enum td_status status)
{
	if (status == TD_OK)
		reply_user(rq, &op->out.user, op->out.created);
	else
		reply_email_taken(rq);
}

static void put_one(struct api_call *call)
{
	struct td_slice id = http_param(api_call_rq(call), "user_id");
	struct app_faults faults = {.count = 0};
	struct app_user_form form;
	check_id(id, &faults);
	if (!read_form(call, &faults, &form))
		return;
	struct store_op *op = api_call_op(call, STORE_USER_PUT);
	api_call_submit(call, op != NULL && app_user_put(op, id, &form), show_put);
}

static void handle_put(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS, put_one);
}

static bool make_answer(struct td_arena *arena, struct td_buf *body, int http_status,
	struct store_answer *ret_answer)
{
	*ret_answer = (struct store_answer){
		.http_status = http_status, .body = td_arena_slice(arena, td_buf_slice(body))};
	bool ok = !body->failed && !arena->failed;
	td_buf_done(body);
	return ok;
}

static bool make_create_answers(struct store_op *op, struct store_idempotency *keep)
{
	struct td_buf body = TD_BUF_INIT;
	put_user(&body, &op->in.user);
	if (!make_answer(&op->arena, &body, 201, &keep->on_ok))
		return false;
	keep->on_ok.location = td_slice_str(make_location(&op->arena, &op->in.user));
	struct http_problem taken = email_taken();
	struct td_buf problem = TD_BUF_INIT;
	http_problem_put(&problem, &taken);
	return make_answer(&op->arena, &problem, (int)taken.status, &keep->on_exists);
}

static void show_create(struct http_request *rq, const struct store_op *op, enum td_status status)
{
	if (status == TD_OK)
		reply_user(rq, &op->out.user, /* created= */ true);
	else
		reply_email_taken(rq);
}

static void create_one(struct api_call *call)
{
	struct app_faults faults = {.count = 0};
	struct app_user_form form;
	if (!read_form(call, &faults, &form) || !api_call_once(call, "POST " USERS))
		return;
	struct store_op *op = api_call_op(call, STORE_USER_CREATE);
	bool ready = op != NULL && app_user_create(op, &form) &&
		     api_call_keep(call, op, make_create_answers);
	api_call_submit(call, ready, show_create);
}

static void handle_create(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS, create_one);
}

static void show_user(struct http_request *rq, const struct store_op *op, enum td_status status)
{
	if (status == TD_OK)
		reply_user(rq, &op->out.user, /* created= */ false);
	else if (op->kind == STORE_USER_BY_EMAIL)
		reply_not_found(rq, "No user has this e-mail address.");
	else
		reply_not_found(rq, "No user has this id. PUT " USERS "/{user_id} makes one.");
}

static void get_one(struct api_call *call)
{
	struct td_slice id = http_param(api_call_rq(call), "user_id");
	struct app_faults faults = {.count = 0};
	check_id(id, &faults);
	if (faults.count > 0) {
		api_call_refuse_faults(call, &faults);
		return;
	}
	struct store_op *op = api_call_op(call, STORE_USER_GET);
	api_call_submit(call, op != NULL && app_user_get(op, id), show_user);
}

static void handle_get(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS, get_one);
}

static void find_one(struct api_call *call)
{
	struct http_request *rq = api_call_rq(call);
	struct td_slice email;
	if (http_query_count(rq, "email") != 1 || !http_query(rq, "email", &email) ||
		email.len == 0) {
		struct http_problem problem = call_problem(TD_PROBLEM_BAD_REQUEST,
			"Say which user: GET " USERS "?email=name@example.com, with one email.");
		api_call_refuse(call, &problem);
		return;
	}
	struct store_op *op = api_call_op(call, STORE_USER_BY_EMAIL);
	api_call_submit(call, op != NULL && app_user_find(op, email), show_user);
}

static void handle_find(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS, find_one);
}

enum td_status api_users_add_routes(
	struct api_calls *api, struct http_server *server, struct td_err *err)
{
	const struct http_route routes[] = {
		{"PUT", USERS "/{user_id}", handle_put, api, HTTP_ROUTE_JSON, 0},
		{"GET", USERS "/{user_id}", handle_get, api, 0, 0},
		{"POST", USERS, handle_create, api, HTTP_ROUTE_JSON, 0},
		{"GET", USERS, handle_find, api, 0, 0},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
