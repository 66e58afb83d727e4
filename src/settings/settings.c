#include "settings/settings.h"

#include "settings/settings_convert.h"

#include <ctype.h>
#include <string.h>

static const struct setting_info infos[SETTING_COUNT] = {
#define SETTING_ROW(name_, field_, type_, default_, low_, high_, words_, marks_, group_, help_) \
	[SETTING_##name_] = {                                                                   \
		.name = #name_,                                                                 \
		.default_value = default_,                                                      \
		.words = words_,                                                                \
		.help = help_,                                                                  \
		.low = low_,                                                                    \
		.high = high_,                                                                  \
		.type = SETTING_TYPE_##type_,                                                   \
		.marks = marks_,                                                                \
		.group = SETTING_GROUP_##group_,                                                \
	},
	SETTING_MAP(SETTING_ROW)
#undef SETTING_ROW
};

static const char *const headings[SETTING_GROUP_COUNT] = {
#define SETTING_HEADING(name, heading) heading,
	SETTING_GROUP_MAP(SETTING_HEADING)
#undef SETTING_HEADING
};

const struct setting_info *setting_get(enum setting_id id)
{
	td_assert(id < SETTING_COUNT);
	return &infos[id];
}

const char *setting_group_heading(enum setting_group group)
{
	td_assert(group < SETTING_GROUP_COUNT);
	return headings[group];
}

bool setting_flag(enum setting_id id, bool file, char out[SETTING_FLAG_SIZE])
{
	const struct setting_info *info = setting_get(id);
	if (file ? (info->marks & SETTING_FILE) == 0 : (info->marks & SETTING_SECRET) != 0)
		return false;
	size_t len = strlen(info->name);
	td_assert(len + sizeof("-file") <= SETTING_FLAG_SIZE);
	for (size_t i = 0; i < len; i++)
		out[i] = info->name[i] == '_' ? '-' : (char)tolower((unsigned char)info->name[i]);
	memcpy(out + len, file ? "-file" : "", file ? sizeof("-file") : 1);
	return true;
}

bool setting_of_flag(const char *flag, enum setting_id *ret_id, bool *ret_file)
{
	for (unsigned i = 0; i < SETTING_COUNT * 2; i++) {
		char name[SETTING_FLAG_SIZE];
		bool file = i % 2 == 1;
		if (setting_flag((enum setting_id)(i / 2), file, name) && strcmp(name, flag) == 0) {
			*ret_id = (enum setting_id)(i / 2);
			*ret_file = file;
			return true;
		}
	}
	return false;
}

bool setting_is_switch(enum setting_id id)
{
	return setting_get(id)->type == SETTING_TYPE_PRESENT;
}
