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

/* Behind a password: no error shows it. */
static void parse_with_secret(struct td_slice rest, struct td_arena *arena)
{
	struct td_err err = TD_ERR_INIT;
	const char *at = rest.len > 0 ? memchr(rest.ptr, '@', rest.len) : NULL;
	if (at == NULL || memchr(rest.ptr, '/', (size_t)(at - rest.ptr)) != NULL)
		return;
	char *url = td_arena_printf(
		arena, "postgresql://u:" SECRET "%.*s", (int)rest.len, rest.ptr);
	if (url == NULL)
		return;
	parse(td_slice_str(url), arena, &err);
	FUZZ_CLAIM(strstr(err.text, SECRET) == NULL);
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
