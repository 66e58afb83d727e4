#include "app/apikey.h"
#include "base/json.h"
#include "base/uuid.h"
#include "command/command.h"
#include "service/log_sink.h"
#include "service/session.h"

#include <string.h>

/* Runs one operation; *ret_op is the caller's to free. An exit code; `none` is the text of
 * TD_NOTFOUND. */
static int run_op(struct session *session, struct store_op **op, const char *none)
{
	struct td_err err = TD_ERR_INIT;
	enum td_status status = store_call(session->store, op, &err);
	if (status == TD_OK)
		return TD_EXIT_DONE;
	if (status == TD_NOTFOUND)
		return command_fail(TD_EXIT_FAILED, "%s", none);
	return command_fail_err(exit_code_of_store(&err), &err);
}

static struct store_op *begin_op(struct session *session, enum store_op_kind kind)
{
	struct store_op *op = session_op(session, kind);
	if (op == NULL)
		(void)command_fail(TD_EXIT_FAILED, "out of memory");
	return op;
}

static int create(struct command_call *call, struct session *session)
{
	char key[APIKEY_TEXT_SIZE];
	char id[TD_UUID_TEXT_SIZE];
	struct td_buf out = TD_BUF_INIT;
	struct store_op *op = begin_op(session, STORE_KEY_CREATE);
	if (op == NULL)
		return TD_EXIT_FAILED;
	apikey_generate(key);
	td_uuid_v7(op->now_ms, id);
	op->in.key.id = td_arena_slice(&op->arena, td_slice_str(id));
	op->in.key.name = td_arena_slice(
		&op->arena, td_slice_trim(td_slice_str(command_option(call, "name"))));
	op->in.key.created_at = op->now_ms;
	apikey_hash(td_slice_str(key), op->in.key.hash);
	int code = op->arena.failed ? command_fail(TD_EXIT_FAILED, "out of memory")
				    : run_op(session, &op, "");
	if (code == TD_EXIT_DONE) {
		td_buf_printf(&out, "%s\n", key);
		code = command_print(&out);
	}
	apikey_wipe(key, sizeof(key));
	store_op_free(op);
	return code;
}

static void put_time_text(struct td_buf *out, int64_t wall_ms)
{
	char time[TD_TIME_TEXT_SIZE];
	if (wall_ms != 0)
		td_time_format(wall_ms, time);
	td_buf_printf(out, "%-26s", wall_ms != 0 ? time : "-");
}

static void put_keys_text(struct td_buf *out, const struct store_op *op)
{
	td_buf_printf(
		out, "%-38s%-26s%-26s%-26s%s\n", "ID", "CREATED", "LAST USED", "REVOKED", "NAME");
	for (size_t i = 0; i < op->out.key_count; i++) {
		const struct store_api_key *key = &op->out.keys[i];
		td_buf_printf(out, "%-38.*s", TD_SLICE_ARG(key->id));
		put_time_text(out, key->created_at);
		put_time_text(out, key->last_used_at);
		put_time_text(out, key->revoked_at);
		log_sink_put_safe(out, key->name);
		td_buf_put_char(out, '\n');
	}
}

static void put_time_json(struct td_json *json, const char *name, int64_t wall_ms)
{
	td_json_name(json, name);
	if (wall_ms != 0)
		td_json_time(json, wall_ms);
	else
		td_json_null(json);
}

static void put_keys_json(struct td_buf *out, const struct store_op *op)
{
	struct td_json json = td_json_to(out);
	td_json_open(&json, '[');
	for (size_t i = 0; i < op->out.key_count; i++) {
		const struct store_api_key *key = &op->out.keys[i];
		td_json_open(&json, '{');
		td_json_name(&json, "id");
		td_json_slice(&json, key->id);
		td_json_name(&json, "name");
		td_json_slice(&json, key->name);
		put_time_json(&json, "created_at", key->created_at);
		put_time_json(&json, "last_used_at", key->last_used_at);
		put_time_json(&json, "revoked_at", key->revoked_at);
		td_json_close(&json, '}');
	}
	td_json_close(&json, ']');
	td_buf_put_char(out, '\n');
}

static int list(struct command_call *call, struct session *session)
{
	struct td_buf out = TD_BUF_INIT;
	struct store_op *op = begin_op(session, STORE_KEY_LIST);
	int code = op == NULL ? TD_EXIT_FAILED : run_op(session, &op, "");
	if (code == TD_EXIT_DONE) {
		if (command_option(call, "json") != NULL)
			put_keys_json(&out, op);
		else
			put_keys_text(&out, op);
		code = command_print(&out);
	}
	store_op_free(op);
	return code;
}

static int revoke(struct command_call *call, struct session *session)
{
	struct td_buf out = TD_BUF_INIT;
	struct store_op *op = begin_op(session, STORE_KEY_REVOKE);
	if (op == NULL)
		return TD_EXIT_FAILED;
	op->in.key.id = td_arena_slice(&op->arena, td_slice_str(call->operands[0]));
	int code = op->arena.failed
			   ? command_fail(TD_EXIT_FAILED, "out of memory")
			   : run_op(session, &op,
				     "there is no key with that id; `tools-dashboard apikey list` "
				     "shows them");
	if (code == TD_EXIT_DONE) {
		td_buf_printf(&out, "Revoked %s\n", call->operands[0]);
		code = command_print(&out);
	}
	store_op_free(op);
	return code;
}

static int with_session(
	struct command_call *call, int (*work)(struct command_call *call, struct session *session))
{
	int code;
	struct td_err err = TD_ERR_INIT;
	struct session session;
	struct settings *settings = command_load_settings(call, &code);
	if (settings == NULL)
		return code;
	if (session_open(&session, settings, SESSION_RECORDS, &err) == TD_OK) {
		code = work(call, &session);
		session_close(&session);
	} else {
		code = command_fail_err(exit_code_of_store(&err), &err);
	}
	settings_free(settings);
	return code;
}

static int run_create(struct command_call *call)
{
	const char *name = command_option(call, "name");
	const char *why = NULL;
	if (name == NULL)
		return command_fail(TD_EXIT_USAGE,
			"the key needs a name that says whose it is: tools-dashboard apikey create "
			"--name shop");
	if (!apikey_check_name(td_slice_str(name), &why))
		return command_fail(TD_EXIT_USAGE, "--name: %s", why);
	return with_session(call, create);
}

static int run_list(struct command_call *call)
{
	return with_session(call, list);
}

static int run_revoke(struct command_call *call)
{
	if (!td_uuid_is_valid(td_slice_str(call->operands[0])))
		return command_fail(TD_EXIT_USAGE,
			"'%.60s' is not the id of a key; `tools-dashboard apikey list` shows them",
			call->operands[0]);
	return with_session(call, revoke);
}

static const struct command_option create_options[] = {
	{"name", "NAME", "Whose key it is; it shows in `apikey list` and in the history."},
	{NULL, NULL, NULL},
};

static const struct command_option list_options[] = {
	{"json", NULL, "As a JSON array."},
	{NULL, NULL, NULL},
};

const struct command command_apikey = {
	.name = "apikey",
	.summary = "Makes, lists and revokes keys of the API.",
	.examples = "tools-dashboard apikey create --name shop\tprints a new key\n"
		    "tools-dashboard apikey list\twhose keys there are\n"
		    "tools-dashboard apikey revoke ID\tit is refused from now on",
	.is_group = true,
};

const struct command command_apikey_create = {
	.name = "apikey create",
	.summary = "Makes a key and prints it, alone, on stdout.",
	.about = "It is shown only now: the database keeps its SHA-256. Send it as\n"
		 "Authorization: Bearer KEY.",
	.examples = "tools-dashboard apikey create --name shop\tprints td_…\n"
		    "KEY=$(tools-dashboard apikey create --name test)\tfor a script",
	.options = create_options,
	.takes_settings = true,
	.run = run_create,
};

const struct command command_apikey_list = {
	.name = "apikey list",
	.summary = "Lists the keys: id, name, when made, last used, revoked.",
	.examples = "tools-dashboard apikey list --json\tfor a program to read",
	.options = list_options,
	.takes_settings = true,
	.run = run_list,
};

const struct command command_apikey_revoke = {
	.name = "apikey revoke",
	.summary = "Revokes a key, at once and for good.",
	.operands = "ID",
	.examples = "tools-dashboard apikey revoke 0191d7c2-0000-7000-8000-000000000000\t"
		    "the id is in `apikey list`",
	.operand_count = 1,
	.takes_settings = true,
	.run = run_revoke,
};
