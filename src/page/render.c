#include "page/page_internal.h"

const char page_csp[] = "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; "
			"form-action 'self'; "
			"base-uri 'none'; frame-ancestors 'none'";
const char page_vary[] = "Accept-Language, Cookie";

enum td_status page_render(const struct page_frame *frame, const char *template,
	const struct td_arena *arena, const struct tpl_value *root, struct td_buf *out,
	struct td_err *err)
{
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory to make a page");
	struct tpl_texts texts = locale_texts(frame->site->locales[frame->language]);
	return tpl_render(frame->site->templates, template, root, &texts, out, err);
}

enum td_status page_render_pricing(const struct page_config *config, const struct page_site *site,
	const struct catalogue_package *packages, size_t count, size_t language,
	enum page_billing billing, struct td_buf *out, struct td_err *err)
{
	const struct page_frame frame = {
		.config = config,
		.site = site,
		.language = language,
		.path = "/pricing",
		.keep = "&billing=monthly",
		.keep_yearly = "&billing=yearly",
		.title_key = "pricing.title",
		.description_key = "pricing.description",
		.may_be_indexed = true,
	};
	struct td_arena arena = TD_ARENA_INIT;
	struct tpl_value *root = page_model_frame(&arena, &frame);
	tpl_put_flag(&arena, root, "is_yearly", billing == PAGE_YEARLY);
	tpl_put_str(
		&arena, root, "billing_class", billing == PAGE_YEARLY ? "is-yearly" : "is-monthly");
	page_model_pricing(&arena, root, site->locales[language], packages, count);
	enum td_status status = page_render(&frame, "pricing", &arena, root, out, err);
	td_arena_done(&arena);
	return status;
}
