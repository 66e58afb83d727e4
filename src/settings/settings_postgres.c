#include "settings/settings_postgres.h"

#include "settings/settings_value.h"

static bool any_postgres_is_set(const struct settings *settings)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		enum setting_id id = (enum setting_id)i;
		if (setting_get(id)->group == SETTING_GROUP_POSTGRESQL &&
			settings_is_set(settings, id))
			return true;
	}
	return false;
}

static enum td_status fill_gaps(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err)
{
	struct connect_url *url = &settings->postgres;
	enum td_status status = TD_OK;
	url->scheme = "postgresql";
	if (url->user == NULL)
		url->user = settings->postgres_user;
	if (url->database == NULL)
		url->database = settings->postgres_db;
	if (url->host_count == 0) {
		*ret_wrong = SETTING_POSTGRES_HOST;
		status = connect_host_parse(td_slice_str(settings->postgres_host), "",
			(uint16_t)settings->postgres_port, &settings->arena, &url->hosts[0], err);
		url->host_count = 1;
	}
	return status;
}

enum td_status settings_settle_postgres(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err)
{
	const char *text = settings->database_url;
	bool by_url = settings_is_set(settings, SETTING_DATABASE_URL);
	enum td_status status = TD_OK;
	settings->uses_postgres = by_url ? settings->sqlite_path == NULL
					 : any_postgres_is_set(settings);
	if (by_url && settings->uses_postgres && text != NULL) {
		*ret_wrong = SETTING_DATABASE_URL;
		status = connect_url_parse(td_slice_str(text), "",
			(uint16_t)settings->postgres_port, &settings->arena, &settings->postgres,
			err);
	}
	if (settings->uses_postgres && !by_url)
		settings->sqlite_path = NULL;
	return status == TD_OK ? fill_gaps(settings, ret_wrong, err) : status;
}

enum td_status settings_postgres_password(const struct settings *settings, struct td_arena *arena,
	const char **ret_password, struct td_err *err)
{
	const char *text = NULL;
	struct connect_url url = {.password = NULL};
	enum td_status status = TD_OK;
	bool by_url = settings_is_set(settings, SETTING_DATABASE_URL) &&
		      settings->sqlite_path == NULL;
	if (by_url) {
		status = settings_read_again(settings, SETTING_DATABASE_URL, arena, &text, err);
		if (status == TD_OK)
			status = connect_url_parse(td_slice_str(text), "DATABASE_URL",
				SETTINGS_POSTGRES_PORT, arena, &url, err);
	}
	if (status == TD_OK && url.password == NULL &&
		(!by_url || settings_is_set(settings, SETTING_POSTGRES_PASSWORD))) {
		status = settings_read_again(
			settings, SETTING_POSTGRES_PASSWORD, arena, &text, err);
		if (status == TD_OK)
			url.password = td_arena_strndup(arena, text, strlen(text));
	}
	if (status == TD_OK && arena->failed)
		status = td_err_set(err, TD_NOMEM, "out of memory");
	if (status == TD_OK)
		*ret_password = url.password;
	return status;
}
