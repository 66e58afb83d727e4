/* Another package or period: the choice, what it would mean (by the rules that make the change),
 * and the button. */
#include "page/change.h"

#define FORM_MOST 8192 /* bytes of a body */

/* ---- confirming
 * --------------------------------------------------------------------------------------- */

static const char *notice_of(const struct app_confirm *confirm)
{
	const struct app_selling *s = &confirm->selling;
	if (confirm->stale)
		return "stale";
	if (confirm->flow.refused)
		return "nothing";
	switch (s->verb) {
	case APP_SWITCH:
		return s->when == APP_NOW ? "changed" : "change_planned";
	case APP_CANCEL:
		return s->when == APP_NOW ? "canceled" : "cancel_planned";
	case APP_RESUME:
		return "kept";
	case APP_SUBSCRIBE:
		break;
	}
	return "subscribed";
}

/* The rules may find that it is so already; that is no error for who asked for it. */
static void confirmed(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	bool is_rule = flow->problem == TD_PROBLEM_NO_CHANGE ||
		       flow->problem == TD_PROBLEM_NOTHING_PLANNED ||
		       flow->problem == TD_PROBLEM_NO_SUBSCRIPTION;
	if (flow->refused && !is_rule)
		page_call_refuse(pc, flow);
	else
		page_visit_redirect(
			&pc->v, td_arena_printf(http_arena(call->rq), "/account?notice=%s",
					notice_of(&pc->use.confirm)));
}

void page_confirm(struct page_call *pc, const struct app_selling *wish)
{
	pc->use.confirm = (struct app_confirm){
		.flow.actor = TD_SLICE("user"),
		.selling = *wish,
		.seen_id = page_form_get(&pc->form, "subscription_id"),
		.seen_version = page_number(page_form_get(&pc->form, "version")),
	};
	pc->use.confirm.selling.user_id = pc->call.user_id;
	app_confirm_begin(&pc->use.confirm);
	call_flow(&pc->call, &pc->use.flow, confirmed);
}

/* ---- choosing
 * ------------------------------------------------------------------------------------------ */

static void show_choice(struct page_call *pc, const struct store_subscription *row)
{
	struct td_arena *arena = http_arena(pc->call.rq);
	struct page_shelf shelf = page_call_shelf(pc);
	struct page_frame frame = page_call_frame(pc, "/account/change");
	enum store_cycle cycle = page_form_cycle(&pc->form);
	struct td_slice slug = page_form_get(&pc->form, "package_slug");
	bool is_yearly = (cycle != STORE_CYCLE_NONE ? cycle : row->cycle) == STORE_CYCLE_YEARLY;
	frame.title_key = "change.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	tpl_put_flag(arena, root, "is_yearly", is_yearly);
	tpl_put_str(arena, root, "billing_class", is_yearly ? "is-yearly" : "is-monthly");
	tpl_put_flag(arena, root, "is_at_end", page_form_when(&pc->form) == APP_PERIOD_END);
	page_model_choices(arena, root, &shelf, row, slug.len > 0 ? slug : row->package.slug);
	page_form_put_error(arena, root, shelf.locale, &pc->form, "package_slug");
	page_form_put_error(arena, root, shelf.locale, &pc->form, "billing_cycle");
	page_form_put_error(arena, root, shelf.locale, &pc->form, "when");
	page_form_put_wrong(arena, root, shelf.locale, &pc->form);
	page_model_subscription(arena, tpl_put_map(arena, root, "subscription"), &shelf, row);
	page_call_reply(pc, &frame, "change", root);
}

static void show_preview(struct page_call *pc, const struct store_subscription *before,
	const struct store_subscription *after)
{
	struct td_arena *arena = http_arena(pc->call.rq);
	struct page_shelf shelf = page_call_shelf(pc);
	struct page_frame frame = page_call_frame(pc, "/account/change");
	struct td_slice slug = pc->package->row.slug;
	const char *cycle = store_cycle_word(page_form_cycle(&pc->form));
	const char *when = page_form_when(&pc->form) == APP_NOW ? "now" : "period_end";
	frame.keep = td_arena_printf(arena, "&package_slug=%.*s&billing_cycle=%s&when=%s",
		TD_SLICE_ARG(slug), cycle, when);
	frame.title_key = "preview.title";
	struct tpl_value *root = page_model_frame(arena, &frame);
	page_model_preview(arena, root, &shelf, before, after, pc->call.now_ms);
	page_model_subscription(arena, tpl_put_map(arena, root, "subscription"), &shelf, before);
	tpl_put_text(arena, root, "package_slug", slug);
	tpl_put_str(arena, root, "billing_cycle", cycle);
	tpl_put_str(arena, root, "when", when);
	tpl_put_str(arena, root, "seen", page_prices_seen(arena, &pc->package->row));
	page_form_put_wrong(arena, root, shelf.locale, &pc->form);
	page_call_reply(pc, &frame, "preview", root);
}

static void preview(struct page_call *pc, const struct store_subscription *row)
{
	struct app_change change;
	app_change_begin(&change, http_arena(pc->call.rq), row, TD_SLICE("user"));
	switch (app_subscription_switch(&change, &pc->package->row, page_form_cycle(&pc->form),
		page_form_when(&pc->form), pc->call.now_ms)) {
	case APP_RULE_OK:
		show_preview(pc, row, &change.row);
		return;
	case APP_RULE_NO_CHANGE:
		page_form_wrong(&pc->form, "package_slug", "wrong.same");
		pc->status = 422;
		show_choice(pc, row);
		return;
	case APP_RULE_NOT_LIVE:
	case APP_RULE_NOTHING_PLANNED:
	case APP_RULE_NOMEM:
		break;
	}
	page_visit_problem(&pc->v, TD_PROBLEM_OVERLOADED);
}

/* Everything was chosen that a preview needs. */
static bool is_whole(const struct page_call *pc)
{
	return pc->package != NULL && page_form_cycle(&pc->form) != STORE_CYCLE_NONE &&
	       page_form_has_when(&pc->form);
}

static void show_change(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	const struct store_subscription *row = pc->use.overview.history.subscription;
	if (flow->refused)
		page_call_refuse(pc, flow);
	else if (row == NULL || !store_status_is_live(row->status))
		page_visit_redirect(&pc->v, "/account");
	else if (is_whole(pc))
		preview(pc, row);
	else
		show_choice(pc, row);
}

/* A package that is on offer; where another was asked for that is the form's fault. */
static void find_package(struct page_call *pc)
{
	struct td_slice slug = page_form_get(&pc->form, "package_slug");
	const struct catalogue_package *package = pc->v.view->snapshot != NULL && slug.len > 0
							  ? catalogue_snapshot_find(
								    pc->v.view->snapshot, slug)
							  : NULL;
	if (package != NULL && package->row.is_active)
		pc->package = package;
	else if (slug.len > 0)
		page_form_wrong(&pc->form, "package_slug", "wrong.package_slug");
}

static void then_get_change(struct page_call *pc)
{
	if (!page_call_needs_user(pc))
		return;
	find_package(pc);
	page_check_change(&pc->form, /* is_final= */ false);
	pc->status = pc->form.wrong_count > 0 ? 422 : 200;
	page_call_overview(pc, 1, 0, show_change);
}

static void get_change(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_change_names, then_get_change);
}

static void then_post_change(struct page_call *pc)
{
	if (!page_call_needs_user(pc) || !page_call_needs_genuine(pc))
		return;
	find_package(pc);
	if (pc->package != NULL)
		page_check_prices(&pc->form, http_arena(pc->call.rq), &pc->package->row);
	page_check_change(&pc->form, /* is_final= */ true);
	if (!is_whole(pc) || pc->form.wrong_count > 0) {
		pc->status = 422;
		page_call_overview(pc, 1, 0, show_change);
		return;
	}
	const struct app_selling wish = {
		.verb = APP_SWITCH,
		.package = &pc->package->row,
		.cycle = page_form_cycle(&pc->form),
		.when = page_form_when(&pc->form),
	};
	page_confirm(pc, &wish);
}

static void post_change(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_change_names, then_post_change);
}

enum td_status page_add_change_routes(
	struct page *page, struct http_server *server, struct td_err *err)
{
	const struct http_route routes[] = {
		{"GET", "/account/change", get_change, page, HTTP_ROUTE_PAGE, 0},
		{"POST", "/account/change", post_change, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_FORM,
			FORM_MOST},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
