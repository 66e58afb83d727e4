/* /checkout/{slug}: a visitor gives a name and a password, who is signed in only confirms. */
#include "page/call.h"

#define FORM_MOST 16384 /* bytes of a body */

/* ---- the page
 * ------------------------------------------------------------------------------------------ */

static void show_page(struct page_call *pc, const struct store_user *user)
{
	struct td_arena *arena = http_arena(pc->call.rq);
	const char *path = td_arena_printf(
		arena, "/checkout/%.*s", TD_SLICE_ARG(pc->package->row.slug));
	struct page_frame frame = page_call_frame(pc, path);
	frame.keep = "&billing=monthly";
	frame.keep_yearly = "&billing=yearly";
	frame.title_key = "checkout.title";
	enum store_cycle sent = page_form_cycle(&pc->form);
	enum page_billing billing = sent == STORE_CYCLE_NONE     ? pc->v.billing
				    : sent == STORE_CYCLE_YEARLY ? PAGE_YEARLY
								 : PAGE_MONTHLY;
	struct tpl_value *root = page_model_frame(arena, &frame);
	if (user != NULL)
		page_model_user(arena, root, user);
	page_model_checkout(
		arena, root, page_visit_locale(&pc->v), pc->package, &pc->form, billing);
	page_call_reply(pc, &frame, "checkout", root);
}

/* Who has a subscription changes it; nobody has two. */
static void lead_to_change(const struct page_call *pc)
{
	enum store_cycle sent = page_form_cycle(&pc->form);
	bool is_yearly = sent == STORE_CYCLE_NONE ? pc->v.billing == PAGE_YEARLY
						  : sent == STORE_CYCLE_YEARLY;
	page_visit_redirect(&pc->v,
		td_arena_printf(http_arena(pc->call.rq),
			"/account/change?package_slug=%.*s&billing_cycle=%s",
			TD_SLICE_ARG(pc->package->row.slug), is_yearly ? "yearly" : "monthly"));
}

static void show_to_user(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	const struct store_subscription *there = pc->use.overview.history.subscription;
	if (flow->refused)
		page_call_refuse(pc, flow);
	else if (there != NULL && store_status_is_live(there->status))
		lead_to_change(pc);
	else
		show_page(pc, &pc->use.overview.user);
}

static void show(struct page_call *pc)
{
	if (page_call_is_signed_in(pc))
		page_call_overview(pc, 1, 0, show_to_user);
	else
		show_page(pc, NULL);
}

static void show_again(struct page_call *pc, unsigned status)
{
	pc->status = status;
	show(pc);
}

static bool find_package(struct page_call *pc)
{
	pc->package = page_visit_package(&pc->v, http_param(pc->call.rq, "slug"));
	return pc->package != NULL;
}

static void then_get(struct page_call *pc)
{
	if (find_package(pc))
		show(pc);
}

static void get_checkout(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_checkout_names, then_get);
}

/* ---- the button
 * ---------------------------------------------------------------------------------------- */

/* A form that is sent twice finds what the first has made: that is no news. */
static const char *account_after(
	const struct page_call *pc, const struct store_subscription *result, bool written)
{
	bool is_wanted = written || (td_slice_equal(result->package.id, pc->package->row.id) &&
					    result->cycle == page_form_cycle(&pc->form));
	return is_wanted ? "/account?notice=subscribed" : "/account?notice=already";
}

static void checked_out(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	const struct app_checkout *checkout = &pc->use.checkout;
	if (flow->refused && flow->problem == TD_PROBLEM_EMAIL_TAKEN) {
		page_form_wrong(&pc->form, "email", "wrong.email.taken");
		show_again(pc, 422);
	} else if (flow->refused) {
		page_call_refuse(pc, flow);
	} else if (page_call_keep_session(pc)) {
		page_visit_redirect(
			&pc->v, account_after(pc, &checkout->result, checkout->written));
	}
}

static void check_out(struct page_call *pc)
{
	pc->use.checkout = (struct app_checkout){
		.flow.actor = TD_SLICE("user"),
		.form = &pc->user,
		.password = page_form_get(&pc->form, "password"),
		.address = page_call_address(pc),
		.package = &pc->package->row,
		.cycle = page_form_cycle(&pc->form),
		.session = page_call_new_session(pc),
		.memory = pc->v.page->config.password_memory,
	};
	app_checkout_begin(&pc->use.checkout);
	call_flow(&pc->call, &pc->use.flow, checked_out);
}

static void subscribed(struct call *call, struct app_flow *flow)
{
	struct page_call *pc = page_call_of(call);
	const struct app_selling *selling = &pc->use.selling;
	bool is_there = flow->refused && flow->problem == TD_PROBLEM_ALREADY_SUBSCRIBED;
	if (flow->refused && !is_there)
		page_call_refuse(pc, flow);
	else
		page_visit_redirect(&pc->v, account_after(pc, &selling->result, selling->written));
}

static void subscribe(struct page_call *pc)
{
	pc->use.selling = (struct app_selling){
		.flow.actor = TD_SLICE("user"),
		.verb = APP_SUBSCRIBE,
		.user_id = pc->call.user_id,
		.package = &pc->package->row,
		.cycle = page_form_cycle(&pc->form),
	};
	app_selling_begin(&pc->use.selling);
	call_flow(&pc->call, &pc->use.flow, subscribed);
}

static void then_post(struct page_call *pc)
{
	bool is_visitor = !page_call_is_signed_in(pc);
	if (!find_package(pc))
		return;
	if (!pc->is_genuine) {
		page_form_wrong(&pc->form, NULL, "form.old");
		show_again(pc, 403);
		return;
	}
	page_check_checkout(
		&pc->form, http_arena(pc->call.rq), &pc->package->row, is_visitor, &pc->user);
	if (pc->form.wrong_count > 0)
		show_again(pc, 422);
	else if (is_visitor)
		check_out(pc);
	else
		subscribe(pc);
}

static void post_checkout(struct http_request *rq, void *page)
{
	page_call_begin(rq, page, page_checkout_names, then_post);
}

enum td_status page_add_checkout_routes(
	struct page *page, struct http_server *server, struct td_err *err)
{
	const struct http_route routes[] = {
		{"GET", "/checkout/{slug}", get_checkout, page, HTTP_ROUTE_PAGE, 0},
		{"POST", "/checkout/{slug}", post_checkout, page, HTTP_ROUTE_PAGE | HTTP_ROUTE_FORM,
			FORM_MOST},
	};
	return http_server_add_routes(server, routes, TD_ARRAY_LEN(routes), err);
}
