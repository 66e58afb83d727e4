#include "doctor/doctor_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define ADVICE_RETRIES 10

/* ---- names and connections */

/* "172.18.0.2, 172.18.0.3" */
static void put_addresses(const struct connect_addresses *all, char *out, size_t size)
{
	size_t used = 0;
	out[0] = '\0';
	for (size_t i = 0; i < all->count && used < size; i++) {
		int n = snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", all->text[i]);
		used += n > 0 ? (size_t)n : 0;
	}
}

/* Where a server is only slow to start, more attempts are all that is needed. */
static bool may_end_by_itself(enum connect_class class)
{
	static const enum connect_class those[] = {CONNECT_NAME, CONNECT_REFUSED, CONNECT_NO_ANSWER,
		CONNECT_CLOSED, CONNECT_SILENT, CONNECT_STARTING};
	for (size_t i = 0; i < TD_ARRAY_LEN(those); i++) {
		if (those[i] == class)
			return true;
	}
	return false;
}

static void put_fix(const struct doctor_target *t, enum connect_class class,
	struct store_examination *x, enum store_layer layer)
{
	char advice[500];
	int64_t retries = t->settings->connect_max_retries;
	connect_log_advice(
		t->engine->words, t->settings, class, t->host->name, advice, sizeof(advice));
	if (may_end_by_itself(class) && retries >= 0 && retries < ADVICE_RETRIES)
		store_found_fix(x, layer,
			"%s Where it only starts too slowly, set CONNECT_MAX_RETRIES=%d (or -1: "
			"for ever).",
			advice, ADVICE_RETRIES);
	else
		store_found_fix(x, layer, "%s", advice);
}

/* What fails is found at its own layer, whatever was asked. */
static void found_failure(
	struct doctor_target *t, const struct connect_failure *worst, const char *message)
{
	enum store_layer layer = STORE_LAYER_TCP;
	if (strcmp(connect_class_layer(worst->class), "config") == 0) {
		(void)snprintf(t->wrong_setting, sizeof(t->wrong_setting), "%s", message);
		return;
	}
	(void)store_layer_of(connect_class_layer(worst->class), &layer);
	store_found(&t->found, layer, STORE_FAILS, message, doctor_cause(t->engine, worst->class),
		NULL);
	put_fix(t, worst->class, &t->found, layer);
}

static bool look_up(struct doctor_target *t)
{
	struct connect_failure failure = {.class = CONNECT_NAME};
	char list[400];
	if (connect_resolve(t->host->name, &t->limit, &t->addresses, &failure) != TD_OK) {
		t->addresses.count = 0;
		found_failure(t, &failure, failure.reason);
		return false;
	}
	put_addresses(&t->addresses, list, sizeof(list));
	store_found_ok(&t->found, STORE_LAYER_DNS, "%s is %s", t->host->name, list);
	return true;
}

/* "127.0.0.1:5432 accepts connections; connect to [::1]:5432: Connection refused (errno 111)" */
static void put_reach(const struct connect_reach *reach, char *out, size_t size)
{
	size_t used = 0;
	for (int wanted = 1; wanted >= 0; wanted--) {
		for (size_t i = 0; i < reach->count && used < size; i++) {
			const struct connect_failure *f = &reach->failures[i];
			if (reach->reached[i] != (wanted != 0))
				continue;
			int n = snprintf(out + used, size - used, "%s%s%s", used > 0 ? "; " : "",
				wanted ? f->address : f->reason,
				wanted ? " accepts connections" : "");
			used += n > 0 ? (size_t)n : 0;
		}
	}
}

static bool reach_out(struct doctor_target *t)
{
	struct connect_reach reach;
	struct connect_failures failures = {.count = 0};
	char text[600] = "";
	connect_reach(&t->addresses, t->host->port, &t->limit, &reach);
	put_reach(&reach, text, sizeof(text));
	for (size_t i = 0; i < reach.count && failures.count < CONNECT_FAILURES_MOST; i++) {
		if (!reach.reached[i])
			failures.list[failures.count++] = reach.failures[i];
	}
	if (reach.reached_count == 0) {
		found_failure(t, connect_failures_worst(&failures), text);
		return false;
	}
	/* localhost is two addresses nearly everywhere, of which a server uses one. */
	if (failures.count == 0 || connect_is_loopback(t->host->name)) {
		store_found_ok(&t->found, STORE_LAYER_TCP, "%s", text);
		return true;
	}
	const struct connect_failure *worst = connect_failures_worst(&failures);
	store_found(&t->found, STORE_LAYER_TCP, STORE_WARNS, text,
		doctor_cause(t->engine, worst->class), NULL);
	put_fix(t, worst->class, &t->found, STORE_LAYER_TCP);
	return true;
}

/* ---- logging in */

/* Whether a login that failed so had passed the layer, which is before the one that failed. */
static bool has_passed(enum connect_class class, enum store_layer layer)
{
	if (layer < STORE_LAYER_TLS)
		return true;
	if (layer == STORE_LAYER_TLS)
		return class != CONNECT_CLOSED && class != CONNECT_SILENT &&
		       class != CONNECT_NOT_THE_SERVER;
	if (layer == STORE_LAYER_PROTOCOL)
		return class != CONNECT_TLS;
	return class == CONNECT_DATABASE || class == CONNECT_PERMISSION ||
	       class == CONNECT_DATA_CENTRE;
}

static void found_passed(struct doctor_target *t, enum connect_class class)
{
	enum store_layer failed;
	if (!store_examination_failed(&t->found, &failed))
		return;
	for (unsigned i = 0; i < (unsigned)failed; i++) {
		enum store_layer layer = (enum store_layer)i;
		if (t->found.layers[i].verdict == STORE_NOT_REACHED && has_passed(class, layer))
			store_found_ok(&t->found, layer, "the login came past this");
	}
}

static void found_no_login(struct doctor_target *t, const struct connect_failures *failures)
{
	char text[600];
	const struct connect_failure *worst = connect_failures_worst(failures);
	connect_failures_text(failures, text, sizeof(text));
	found_failure(t, worst, text);
	found_passed(t, worst->class);
}

static void found_no_memory(struct doctor_target *t)
{
	store_found(&t->found, STORE_LAYER_PROTOCOL, STORE_FAILS, "out of memory",
		"This process got no memory.", "Give it more, or end something else.");
}

/* PostgreSQL's socket in a folder. */
static bool is_folder(const struct doctor_target *t)
{
	return t->host->name[0] == '/';
}

static bool find_server(struct doctor_target *t)
{
	if (!is_folder(t))
		return look_up(t) && reach_out(t);
	store_found(&t->found, STORE_LAYER_DNS, STORE_DOES_NOT_APPLY,
		"a socket in a folder has no name to look up", NULL, NULL);
	store_found_ok(&t->found, STORE_LAYER_TCP, "a socket in a folder, without a network");
	return true;
}

void doctor_target_examine(struct doctor_target *t)
{
	struct connect_failures failures = {.count = 0};
	store_examination_init(&t->found);
	if (t->host != NULL && !find_server(t))
		return;
	enum td_status status = t->engine->examine(t, &failures);
	if (failures.count > 0 && status == TD_UNAVAILABLE)
		found_no_login(t, &failures);
	else if (status != TD_OK)
		found_no_memory(t);
}

/* ---- telling */

static const char *const not_reached = "not looked at, because something before it failed";

static enum doctor_status status_of(const struct doctor_target *t, enum store_verdict verdict)
{
	switch (verdict) {
	case STORE_IS_OK:
		return DOCTOR_OK;
	case STORE_WARNS:
		return DOCTOR_WARN;
	case STORE_FAILS:
		/* The service uses the host that works. */
		return t->has_working_sibling ? DOCTOR_WARN : DOCTOR_FAIL;
	case STORE_NOT_REACHED:
	case STORE_DOES_NOT_APPLY:
		break;
	}
	return DOCTOR_SKIP;
}

static bool report_layer(
	const struct doctor_target *t, enum store_layer layer, struct doctor_report *report)
{
	const struct store_finding *f = &t->found.layers[layer];
	char id[CONNECT_CHECK_SIZE];
	connect_check_id(t->engine->name, store_layer_word(layer), id);
	struct doctor_check *check = doctor_add(report, id, t->name);
	if (check == NULL)
		return false;
	if (t->engine->absent[layer] != NULL) {
		check->status = DOCTOR_SKIP;
		check->is_silent = true;
		(void)snprintf(
			check->message, sizeof(check->message), "%s", t->engine->absent[layer]);
		return true;
	}
	check->status = status_of(t, f->verdict);
	check->is_silent = f->verdict == STORE_DOES_NOT_APPLY;
	check->duration_ms = f->duration_ms;
	(void)snprintf(check->message, sizeof(check->message), "%s",
		f->message[0] != '\0' ? f->message : not_reached);
	(void)snprintf(check->cause, sizeof(check->cause), "%s", f->cause);
	(void)snprintf(check->fix, sizeof(check->fix), "%s", f->fix);
	return true;
}

bool doctor_target_report(const struct doctor_target *target, struct doctor_report *report)
{
	bool fits = true;
	for (unsigned i = 0; i < STORE_LAYER_COUNT && fits; i++)
		fits = report_layer(target, (enum store_layer)i, report);
	return fits;
}
