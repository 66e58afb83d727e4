#include "app/account.h"
#include "app/session.h"
#include "base/json.h"
#include "command/command.h"
#include "service/session.h"

#include <sodium.h>
#include <string.h>

/* ---- the link
 * ------------------------------------------------------------------------------------------- */

/* Who listens on every interface is reached on this machine by loopback. */
static const char *reachable_host(const char *host)
{
	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

static void put_link(struct td_buf *out, const struct settings *s, const char *token)
{
	const char *host = reachable_host(s->host);
	bool is_v6 = strchr(host, ':') != NULL;
	if (s->public_url != NULL)
		td_buf_put_str(out, s->public_url);
	else
		td_buf_printf(out, "http://%s%s%s:%lld", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
			(long long)s->port);
	td_buf_printf(out, "/reset-password?token=%s", token);
}

static void put_result(struct td_buf *out, const struct command_call *call,
	const struct settings *settings, const struct store_op *op, const char *token)
{
	struct td_buf link = TD_BUF_INIT;
	put_link(&link, settings, token);
	out->failed = out->failed || link.failed;
	if (command_option(call, "json") != NULL) {
		struct td_json json = td_json_to(out);
		td_json_open(&json, '{');
		td_json_name(&json, "user_id");
		td_json_slice(&json, op->out.user.id);
		td_json_name(&json, "email");
		td_json_slice(&json, op->out.user.email);
		td_json_name(&json, "url");
		td_json_slice(&json, td_buf_slice(&link));
		td_json_member_time(&json, "expires_at", op->in.session.expires_at);
		td_json_close(&json, '}');
	} else {
		td_buf_put_slice(out, td_buf_slice(&link));
	}
	td_buf_put_char(out, '\n');
	if (link.ptr != NULL)
		sodium_memzero(link.ptr, link.len);
	td_buf_done(&link);
}

/* ---- the operation
 * -------------------------------------------------------------------------------------- */

static int fail_memory(void)
{
	return command_fail(TD_EXIT_FAILED, "out of memory");
}

/* Where the service runs with TEST_CLOCK, a link expires by that clock. */
static int read_clock(struct session *session, int64_t *ret_offset_ms)
{
	struct td_err err = TD_ERR_INIT;
	*ret_offset_ms = 0;
	if (!settings_is_set(session->settings, SETTING_TEST_CLOCK))
		return TD_EXIT_DONE;
	struct store_op *op = session_op(session, STORE_CLOCK_GET);
	if (op == NULL)
		return fail_memory();
	enum td_status status = store_call(session->store, &op, &err);
	if (status == TD_OK)
		*ret_offset_ms = op->out.clock_offset_ms;
	store_op_free(op);
	return status == TD_OK || status == TD_NOTFOUND
		       ? TD_EXIT_DONE
		       : command_fail_err(exit_code_of_store(&err), &err);
}

/* An exit code; with TD_EXIT_DONE the user is in op->out. */
static int make_link(struct session *session, struct store_op **op)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = store_call(session->store, op, &err);
	if (status == TD_NOTFOUND)
		return command_fail(TD_EXIT_FAILED,
			"there is no user with that e-mail address in this database");
	return status == TD_OK ? TD_EXIT_DONE : command_fail_err(exit_code_of_store(&err), &err);
}

static int reset(struct command_call *call, struct session *session)
{
	char token[APP_TOKEN_TEXT_SIZE];
	struct td_buf out = TD_BUF_INIT;
	int64_t offset_ms;
	int code = read_clock(session, &offset_ms);
	struct store_op *op = session_op(session, STORE_RESET_CREATE);
	if (code == TD_EXIT_DONE && op == NULL)
		code = fail_memory();
	app_token_generate(token);
	if (code == TD_EXIT_DONE) {
		op->now_ms += offset_ms;
		code = app_reset_create(op, td_slice_str(call->operands[0]), td_slice_str(token))
			       ? make_link(session, &op)
			       : fail_memory();
	}
	if (code == TD_EXIT_DONE) {
		put_result(&out, call, session->settings, op, token);
		code = command_print(&out);
	}
	sodium_memzero(token, sizeof(token));
	store_op_free(op);
	return code;
}

static int run_reset(struct command_call *call)
{
	int code;
	struct td_err err = TD_ERR_INIT;
	struct session session;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	if (settings->public_url == NULL && settings->port == 0) {
		code = command_fail(TD_EXIT_SETTING,
			"PORT is 0, so nobody knows where the link leads; set PUBLIC_URL, or the "
			"PORT that the service listens on");
	} else if (session_open(&session, settings, SESSION_RECORDS, &err) == TD_OK) {
		code = reset(call, &session);
		session_close(&session);
	} else {
		code = command_fail_err(exit_code_of_store(&err), &err);
	}
	settings_free(settings);
	return code;
}

static const struct command_option reset_options[] = {
	{"json", NULL, "As a JSON object: user_id, email, url, expires_at."},
	{NULL, NULL, NULL},
};

const struct command command_user = {
	.name = "user",
	.summary = "Helps users with what they cannot do themselves.",
	.examples = "tools-dashboard user reset-password ana@example.com\tprints a one-time link",
	.is_group = true,
};

const struct command command_user_reset_password = {
	.name = "user reset-password",
	.summary = "Prints a one-time link to set a new password.",
	.operands = "EMAIL",
	.about = "Give the link to the user: whoever has it can take the account. It works once,\n"
		 "for an hour, and not any more when a later one was made. It begins with\n"
		 "PUBLIC_URL, else with http://HOST:PORT.",
	.examples = "tools-dashboard user reset-password ana@example.com\t"
		    "prints http://127.0.0.1:8100/reset-password?token=…\n"
		    "tools-dashboard user reset-password ana@example.com --json\t"
		    "for a program to read",
	.options = reset_options,
	.operand_count = 1,
	.takes_settings = true,
	.run = run_reset,
};
