/* The setting TEST_CLOCK: the clock's start, POST /test/clock, and what this process tells of it in
 * answers that need no store. */
#include "app/test_clock.h"
#include "api/body.h"
#include "api/problem.h"
#include "base/json.h"
#include "base/log.h"
#include "service/service_internal.h"
#include "settings/settings_value.h"

#define LOOK_MS 500

bool service_start_test_clock(struct service *service, struct td_err *err)
{
	const struct settings *s = service->settings;
	if (!settings_is_set(s, SETTING_TEST_CLOCK))
		return true;
	struct store_op *op = store_op_new(STORE_CLOCK_SET);
	if (op == NULL) {
		(void)td_err_set(err, TD_NOMEM, "no memory for the test clock");
		return false;
	}
	app_test_clock_start(op, s->test_clock, td_clock_wall_ms(service->clock));
	op->now_ms = td_clock_wall_ms(service->clock);
	op->deadline_ms = td_clock_mono_ms(service->clock) + (uint64_t)s->store_timeout_ms;
	enum td_status status = store_call(service->store, &op, err);
	store_op_free(op);
	if (status == TD_OK || status == TD_CONFLICT)
		td_log(TD_LOG_WARNING, "clock.test",
			"TEST_CLOCK is set: times are those of a test clock in the database");
	return status == TD_OK || status == TD_CONFLICT;
}

/* ---- what the others have set
 * --------------------------------------------------------------------------- */

static void look_done(struct store_op *op, enum td_status status)
{
	struct service *service = op->owner;
	if (status == TD_OK)
		calls_note_offset(service->calls, op->out.clock_offset_ms);
}

static void look_released(struct store_op *op)
{
	struct service *service = op->owner;
	store_op_free(op);
	atomic_store(&service->looks_at_clock, false);
}

void service_look_at_test_clock(struct service *service, uint64_t now_ms)
{
	struct store *store = service_store(service);
	if (!calls_has_test_clock(service->calls) || store == NULL ||
		!service->database->has_records || now_ms < service->clock_due_ms ||
		atomic_load(&service->looks_at_clock))
		return;
	service->clock_due_ms = now_ms + LOOK_MS;
	struct store_op *op = store_op_new(STORE_CLOCK_GET);
	if (op == NULL)
		return;
	op->owner = service;
	op->done = look_done;
	op->release = look_released;
	op->now_ms = td_clock_wall_ms(service->clock);
	op->deadline_ms = now_ms + (uint64_t)service->settings->store_timeout_ms;
	atomic_store(&service->looks_at_clock, true);
	if (store_submit(store, op) != TD_OK)
		look_released(op);
}

/* ---- POST /test/clock
 * ----------------------------------------------------------------------------------- */

#define ROUTE "/test/clock"

static bool put_time(struct td_buf *out, int64_t now_ms)
{
	struct td_json j = td_json_to(out);
	td_json_open(&j, '{');
	td_json_member_time(&j, "now", now_ms);
	td_json_close(&j, '}');
	td_buf_put_char(out, '\n');
	return !out->failed;
}

struct clock_request {
	struct app_test_clock clock; /* first */
	struct calls *calls;
};

static bool make_answer(
	const struct app_flow *flow, struct td_arena *arena, struct api_answer *ret_answer)
{
	const struct clock_request *request = (const struct clock_request *)flow;
	const struct app_test_clock *clock = &request->clock;
	if (clock->fault == NULL) {
		calls_note_offset(request->calls, clock->now_ms - clock->real_ms);
		ret_answer->status = 200;
		return put_time(&ret_answer->body, clock->now_ms);
	}
	const char *member = clock->sets ? "set" : "advance";
	const struct http_field_error error = {clock->sets ? "/set" : "/advance", clock->fault};
	struct http_problem problem = call_problem(
		TD_PROBLEM_VALIDATION, td_arena_printf(arena, "%s: %s.", member, clock->fault));
	problem.errors = &error;
	problem.error_count = 1;
	http_problem_put(&ret_answer->body, &problem);
	ret_answer->status = problem.status;
	return !ret_answer->body.failed;
}

/* Exactly one of the two. */
static void check(struct http_request *rq, struct app_faults *faults, struct td_slice advance,
	struct td_slice set, struct app_test_clock *clock)
{
	struct td_err err = TD_ERR_INIT;
	clock->sets = set.ptr != NULL;
	if ((advance.ptr != NULL) == clock->sets)
		app_faults_add(faults, "",
			"needs one of \"advance\" (\"31d\") and \"set\" (a time of RFC 3339)");
	else if (clock->sets && !td_time_parse(set, &clock->set_ms))
		app_faults_add(
			faults, "/set", "is not a time of RFC 3339, like 2027-01-31T12:00:00Z");
	else if (!clock->sets &&
		 settings_read_duration(advance, &clock->advance_ms, &err) != TD_OK) {
		const char *why = td_arena_strndup(http_arena(rq), err.text, strlen(err.text));
		app_faults_add(faults, "/advance", why != NULL ? why : "is not a duration");
	}
}

/* False: the call has ended. */
static bool read_body(struct api_call *call, struct app_test_clock *clock)
{
	struct http_request *rq = api_call_rq(call);
	struct app_faults faults = {.count = 0};
	struct td_slice advance, set;
	const struct api_field fields[] = {{"advance", false, &advance}, {"set", false, &set}};
	struct td_err err = TD_ERR_INIT;
	enum td_status status = api_body_read(
		http_body(rq), http_arena(rq), fields, TD_ARRAY_LEN(fields), &faults, &err);
	if (status == TD_INVALID) {
		struct http_problem problem = call_problem(TD_PROBLEM_BAD_REQUEST,
			td_arena_strndup(http_arena(rq), err.text, strlen(err.text)));
		api_call_refuse(call, &problem);
		return false;
	}
	if (status != TD_OK) {
		api_call_submit(call, /* ready= */ false, NULL);
		return false;
	}
	if (faults.count == 0)
		check(rq, &faults, advance, set, clock);
	if (faults.count > 0)
		api_call_refuse_faults(call, &faults);
	return faults.count == 0;
}

static void set_clock(struct api_call *call)
{
	struct call *base = api_call_base(call);
	struct clock_request *request = td_arena_alloc(http_arena(base->rq), sizeof(*request));
	if (request == NULL) {
		api_call_submit(call, /* ready= */ false, NULL);
		return;
	}
	if (!read_body(call, &request->clock) || !api_call_once(call, "POST " ROUTE))
		return;
	request->calls = base->calls;
	request->clock.real_ms = base->now_ms - base->offset_ms;
	request->clock.has_offset = base->has_offset;
	request->clock.offset_ms = base->offset_ms;
	app_test_clock_begin(&request->clock);
	api_call_flow(call, &request->clock.flow, make_answer);
}

static void handle_clock(struct http_request *rq, void *ctx)
{
	api_call_begin(ctx, rq, API_KEYS, set_clock);
}

enum td_status service_add_test_clock_route(struct service *service, struct td_err *err)
{
	const struct http_route routes[] = {
		{"POST", ROUTE, handle_clock, service->api_calls, HTTP_ROUTE_JSON, 0},
	};
	if (!calls_has_test_clock(service->calls))
		return TD_OK;
	return http_server_add_routes(service->server, routes, TD_ARRAY_LEN(routes), err);
}
