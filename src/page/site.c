#include "page/page_internal.h"

#include "assets/assets.h"
#include "base/alloc.h"
#include "base/compress.h"
#include "base/digest.h"
#include "http/http.h"

#include <string.h>

/* Templates that the code asks for by name. */
static const char *const needed[] = {"pricing", "checkout", "sign_in", "reset", "account", "change",
	"preview", "cancel", "error", "problem", "problems"};

/* A file of a set, with what was compressed when it was compiled in. */
struct source {
	struct td_slice path, bytes, gzip, br;
};

struct sources {
	struct source *list;
	size_t count;
};

static struct source *find_source(const struct sources *sources, struct td_slice path)
{
	for (size_t i = 0; i < sources->count; i++) {
		if (td_slice_equal(sources->list[i].path, path))
			return &sources->list[i];
	}
	return NULL;
}

/* The compiled-in files, those of the folder instead of or beside them. */
static enum td_status list_sources(enum asset_set set, const char *folder, struct td_arena *arena,
	struct sources *ret_sources, struct td_err *err)
{
	struct asset_file *files = NULL;
	size_t file_count = 0, built_count;
	const struct asset *built = asset_compiled(set, &built_count);
	if (folder != NULL) {
		enum td_status status = asset_load(
			set, folder, "", arena, &files, &file_count, err);
		if (status != TD_OK)
			return status;
	}
	struct sources sources = {NULL, 0};
	sources.list = td_arena_array(arena, built_count + file_count + 1, sizeof(*sources.list));
	if (sources.list == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to list files");
	for (size_t i = 0; i < built_count; i++)
		sources.list[sources.count++] = (struct source){
			td_slice_str(built[i].path), built[i].bytes, built[i].gzip, built[i].br};
	for (size_t i = 0; i < file_count; i++) {
		struct source *old = find_source(&sources, files[i].path);
		struct source *place = old != NULL ? old : &sources.list[sources.count++];
		*place = (struct source){.path = files[i].path, .bytes = files[i].bytes};
	}
	*ret_sources = sources;
	return TD_OK;
}

/* "pricing" of "pricing.html"; empty where the name does not end so. */
static struct td_slice stem(struct td_slice path, const char *ending)
{
	size_t len = strlen(ending);
	if (path.len <= len || memcmp(path.ptr + path.len - len, ending, len) != 0)
		return td_slice(NULL, 0);
	return td_slice(path.ptr, path.len - len);
}

static enum td_status load_templates(
	struct page_site *site, const char *folder, struct td_arena *arena, struct td_err *err)
{
	struct sources files;
	enum td_status status = list_sources(ASSET_TEMPLATES, folder, arena, &files, err);
	if (status != TD_OK)
		return status;
	struct tpl_source *sources = td_arena_array(arena, files.count + 1, sizeof(*sources));
	if (sources == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for templates");
	size_t count = 0;
	for (size_t i = 0; i < files.count; i++) {
		struct td_slice name = stem(files.list[i].path, ".html");
		if (name.len > 0)
			sources[count++] = (struct tpl_source){name, files.list[i].bytes};
	}
	status = tpl_set_create(sources, count, &site->templates, err);
	for (size_t i = 0; i < TD_ARRAY_LEN(needed) && status == TD_OK; i++) {
		if (!tpl_set_has(site->templates, needed[i]))
			return td_err_set(
				err, TD_INVALID, "the template %s.html is missing", needed[i]);
	}
	return status;
}

static enum td_status add_locale(
	struct page_site *site, struct td_slice code, struct td_slice json, struct td_err *err)
{
	if (site->language_count == LANGUAGE_MOST)
		return td_err_set(err, TD_TOOBIG, "locale %.*s: more than %d languages",
			TD_SLICE_ARG(code), LANGUAGE_MOST);
	struct locale **place = &site->locales[site->language_count];
	enum td_status status = locale_create(code, json, site->locales[0], place, err);
	if (status == TD_OK)
		site->codes[site->language_count++] = locale_code(*place);
	return status;
}

static enum td_status load_locales(
	struct page_site *site, const char *folder, struct td_arena *arena, struct td_err *err)
{
	struct sources files;
	enum td_status status = list_sources(ASSET_LOCALES, folder, arena, &files, err);
	if (status != TD_OK)
		return status;
	const struct source *english = find_source(&files, TD_SLICE("en.json"));
	if (english == NULL)
		return td_err_set(err, TD_INVALID, "the locale en.json is missing");
	status = add_locale(site, TD_SLICE("en"), english->bytes, err);
	for (size_t i = 0; i < files.count && status == TD_OK; i++) {
		struct td_slice code = stem(files.list[i].path, ".json");
		if (code.len > 0 && !td_slice_is(code, "en"))
			status = add_locale(site, code, files.list[i].bytes, err);
	}
	return status;
}

struct media {
	const char *ending, *type;
};

static const struct media media[] = {
	{".css", "text/css; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".jpg", "image/jpeg"},
	{".webp", "image/webp"},
	{".ico", "image/x-icon"},
	{".woff2", "font/woff2"},
	{".txt", "text/plain; charset=utf-8"},
	{".json", "application/json"},
	{".webmanifest", "application/manifest+json"},
};

static const char *media_type(struct td_slice path)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(media); i++) {
		if (stem(path, media[i].ending).len > 0)
			return media[i].type;
	}
	return "application/octet-stream";
}

/* The four names of a static file. */
static enum td_status name_static(struct td_arena *arena, const struct source *file,
	struct page_static *row, struct td_err *err)
{
	uint8_t digest[TD_SHA256_SIZE];
	char hex[2 * TD_SHA256_SIZE + 1];
	td_sha256(file->bytes, digest);
	td_hex(digest, 8, hex);
	size_t dot = file->path.len;
	while (dot > 0 && file->path.ptr[dot - 1] != '.' && file->path.ptr[dot - 1] != '/')
		dot--;
	size_t cut = dot > 0 && file->path.ptr[dot - 1] == '.' ? dot - 1 : file->path.len;
	row->name = td_arena_strndup(arena, file->path.ptr, file->path.len);
	row->key = td_arena_strndup(arena, file->path.ptr, file->path.len);
	row->hashed = td_arena_printf(arena, "%.*s.%s%s", (int)cut, file->path.ptr, hex,
		row->name != NULL ? row->name + cut : "");
	row->href = td_arena_printf(arena, "/static/%s", row->hashed != NULL ? row->hashed : "");
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory for static files");
	for (char *at = row->key; *at != '\0'; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at + ('a' - 'A'));
		else if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9')))
			*at = '_';
	}
	return TD_OK;
}

static struct http_prepared *prepare_static(const struct source *file, const char *cache_control)
{
	const struct http_prepared_config config = {
		.content_type = media_type(file->path),
		.identity = file->bytes,
		.gzip = file->gzip,
		.br = file->br,
		.cache_control = cache_control,
	};
	return http_prepared_create(&config);
}

/* A folder's file of a kind that compresses. */
static bool compress_static(struct source *file, struct td_buf *gzip, struct td_buf *br)
{
	bool is_text = strstr(media_type(file->path), "text/") != NULL ||
		       strstr(media_type(file->path), "svg") != NULL ||
		       strstr(media_type(file->path), "json") != NULL;
	if (file->gzip.len > 0 || file->br.len > 0 || !is_text)
		return true;
	if (!td_compress_gzip(file->bytes, gzip) || !td_compress_br(file->bytes, br))
		return false;
	file->gzip = td_buf_slice(gzip);
	file->br = td_buf_slice(br);
	return true;
}

static enum td_status add_static(
	struct page_site *site, const struct source *file, struct td_err *err)
{
	struct source copy = *file;
	struct td_buf gzip = TD_BUF_INIT, br = TD_BUF_INIT;
	struct page_static *row = &site->statics[site->static_count++];
	enum td_status status = name_static(&site->arena, file, row, err);
	if (status == TD_OK && compress_static(&copy, &gzip, &br)) {
		row->kept = prepare_static(&copy, "public, max-age=31536000, immutable");
		row->asked = prepare_static(&copy, NULL);
	}
	td_buf_done(&gzip);
	td_buf_done(&br);
	if (status == TD_OK && (row->kept == NULL || row->asked == NULL))
		return td_err_set(err, TD_NOMEM, "no memory for %s", row->name);
	return status;
}

static enum td_status load_statics(
	struct page_site *site, const char *folder, struct td_arena *arena, struct td_err *err)
{
	struct sources files;
	enum td_status status = list_sources(ASSET_STATIC, folder, arena, &files, err);
	if (status != TD_OK)
		return status;
	site->statics = td_arena_array(&site->arena, files.count + 1, sizeof(*site->statics));
	if (site->statics == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for static files");
	for (size_t i = 0; i < files.count && status == TD_OK; i++)
		status = add_static(site, &files.list[i], err);
	return status;
}

static enum td_status load(
	struct page_site *site, const struct page_config *config, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	enum td_status status = load_templates(site, config->templates_dir, &arena, err);
	if (status == TD_OK)
		status = load_locales(site, config->locales_dir, &arena, err);
	if (status == TD_OK)
		status = load_statics(site, config->static_dir, &arena, err);
	td_arena_done(&arena);
	if (status != TD_OK)
		return status;
	struct tpl_texts texts = locale_texts(site->locales[0]);
	return tpl_set_check_texts(site->templates, &texts, err);
}

enum td_status page_site_create(
	const struct page_config *config, struct page_site **ret_site, struct td_err *err)
{
	struct page_site *site = td_alloc_zero(sizeof(*site));
	if (site == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for pages");
	site->arena = (struct td_arena)TD_ARENA_INIT;
	atomic_init(&site->refs, 1);
	enum td_status status = load(site, config, err);
	if (status != TD_OK) {
		page_site_unref(site);
		return status;
	}
	*ret_site = site;
	return TD_OK;
}

struct page_site *page_site_ref(struct page_site *site)
{
	atomic_fetch_add_explicit(&site->refs, 1, memory_order_relaxed);
	return site;
}

void page_site_unref(struct page_site *site)
{
	if (site == NULL || atomic_fetch_sub_explicit(&site->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < site->static_count; i++) {
		http_prepared_unref(site->statics[i].kept);
		http_prepared_unref(site->statics[i].asked);
	}
	for (size_t i = site->language_count; i > 0; i--)
		locale_destroy(site->locales[i - 1]);
	tpl_set_destroy(site->templates);
	td_arena_done(&site->arena);
	td_free(site);
}

struct http_prepared *page_site_static(const struct page_site *site, struct td_slice name)
{
	for (size_t i = 0; i < site->static_count; i++) {
		if (td_slice_is(name, site->statics[i].hashed))
			return site->statics[i].kept;
		if (td_slice_is(name, site->statics[i].name))
			return site->statics[i].asked;
	}
	return NULL;
}
