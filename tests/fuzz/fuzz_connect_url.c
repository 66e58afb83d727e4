/* A database's URL and contact points; the first byte chooses. */
#include "fuzz.h"

#include "connect/url.h"

#define SECRET "s3cretw0rd"

static void check(const struct connect_url *url, struct td_arena *arena)
{
	FUZZ_CLAIM(url->scheme != NULL);
	FUZZ_CLAIM(url->host_count <= CONNECT_HOSTS_MOST);
	FUZZ_CLAIM(url->param_count <= CONNECT_PARAMS_MOST);
	for (size_t i = 0; i < url->host_count; i++)
		FUZZ_CLAIM(url->hosts[i].name != NULL);
	for (size_t i = 0; i < url->param_count; i++)
		FUZZ_CLAIM(connect_url_param(url, url->params[i].name) != NULL);
	char *target = url->host_count > 0 ? connect_url_target(url, arena) : NULL;
	if (target != NULL)
		FUZZ_CLAIM(strchr(target, ':') != NULL || strchr(target, '/') != NULL);
}

static void parse(struct td_slice text, struct td_arena *arena, struct td_err *err)
{
	struct connect_url url;
	enum td_status status = connect_url_parse(text, "X", 5432, arena, &url, err);
	if (status == TD_OK)
		check(&url, arena);
	else
		FUZZ_CLAIM(err->text[0] != '\0');
}

/* A part of a password that is not encoded is nothing but a part of the password. */
static void claim_whole(const struct connect_url *url)
{
	const char *password = connect_url_param(url, "password");
	FUZZ_CLAIM(password != NULL || url->password != NULL);
	FUZZ_CLAIM(password != NULL || strstr(url->password, SECRET) != NULL);
	FUZZ_CLAIM(url->database == NULL || strstr(url->database, SECRET) == NULL);
	for (size_t i = 0; i < url->host_count; i++)
		FUZZ_CLAIM(strstr(url->hosts[i].name, SECRET) == NULL);
}

/* In a password, behind what could be a port, a host, a path or a query: it comes out nowhere. */
static void parse_with_secret(struct td_slice rest, struct td_arena *arena)
{
	static const char *const heads[] = {"", "12/", "12?", "12,", "12@", "12:", "/", "12#"};
	struct td_err err = TD_ERR_INIT;
	struct connect_url url;
	if (rest.len < 2 || memchr(rest.ptr, '@', rest.len) == NULL ||
		memmem(rest.ptr, rest.len, SECRET, strlen(SECRET)) != NULL)
		return;
	const char *head = heads[(unsigned char)rest.ptr[0] % TD_ARRAY_LEN(heads)];
	struct td_slice tail = td_slice_skip(rest, 1);
	const char *text = td_arena_printf(
		arena, "postgresql://u:%s" SECRET "%.*s", head, TD_SLICE_ARG(tail));
	/* A NUL in the tail ends it. */
	if (text == NULL || strchr(strstr(text, SECRET), '@') == NULL)
		return;
	enum td_status status = connect_url_parse(td_slice_str(text), "X", 5432, arena, &url, &err);
	FUZZ_CLAIM(strstr(err.text, SECRET) == NULL);
	/* What is encoded may be the same word, elsewhere. */
	if (status == TD_OK && strchr(text, '%') == NULL)
		claim_whole(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 4);
	struct td_slice text = fuzz_slice(data, size);
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	struct connect_host host;
	if (way == 0)
		parse_with_secret(text, &arena);
	else if (way == 1 && connect_host_parse(text, "X", 9042, &arena, &host, &err) == TD_OK)
		FUZZ_CLAIM(host.name != NULL && host.port > 0);
	else if (way > 1)
		parse(text, &arena, &err);
	td_arena_done(&arena);
	return 0;
}
