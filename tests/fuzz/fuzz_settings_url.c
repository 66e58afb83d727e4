/* DATABASE_URL, and what is shown of it. */
#include "fuzz.h"

#include "settings/settings_value.h"

/* No password of eight characters and more between ':' and the last '@' is shown. */
static void claim_masked(struct td_slice url, const char *shown)
{
	struct td_slice rest = url, scheme;
	if (!td_slice_cut(&rest, '/', &scheme) || rest.len == 0 || rest.ptr[0] != '/')
		return;
	struct td_slice user, password;
	rest = td_slice_skip(rest, 1);
	const char *slash = memchr(rest.ptr, '/', rest.len);
	if (slash != NULL)
		rest.len = (size_t)(slash - rest.ptr);
	if (!td_slice_cut(&rest, ':', &user) || memchr(user.ptr, '@', user.len) != NULL ||
		!td_slice_cut(&rest, '@', &password) || rest.ptr == NULL || password.len < 8 ||
		memchr(password.ptr, '*', password.len) != NULL)
		return;
	size_t times = 0;
	for (size_t i = 0; i + password.len <= url.len; i++)
		times += memcmp(url.ptr + i, password.ptr, password.len) == 0;
	if (times == 1)
		FUZZ_CLAIM(memmem(shown, strlen(shown), password.ptr, password.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_slice text = fuzz_slice(data, size);
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	const char *path = NULL;
	enum td_status status = settings_read_database(text, &arena, &path, &err);
	FUZZ_CLAIM(status == TD_OK || path == NULL); /* PostgreSQL has none */
	FUZZ_CLAIM((status == TD_OK) == (err.text[0] == '\0'));
	(void)settings_url_has_password(text);
	const char *shown = settings_url_mask(text, &arena);
	if (shown != NULL && memchr(text.ptr, '\0', text.len) == NULL)
		claim_masked(text, shown);
	td_arena_done(&arena);
	return 0;
}
