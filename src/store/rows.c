#include "store/rows.h"

static const char *const statuses[STORE_STATUS_COUNT] = {
#define STATUS_WORD(name, word, live) [STORE_##name] = (word),
	STORE_STATUS_MAP(STATUS_WORD)
#undef STATUS_WORD
};

static const bool lives[STORE_STATUS_COUNT] = {
#define STATUS_LIVE(name, word, live) [STORE_##name] = (live),
	STORE_STATUS_MAP(STATUS_LIVE)
#undef STATUS_LIVE
};

static const char *const cycles[STORE_CYCLE_COUNT] = {
#define CYCLE_WORD(name, word) [STORE_CYCLE_##name] = (word),
	STORE_CYCLE_MAP(CYCLE_WORD)
#undef CYCLE_WORD
};

static const char *const pendings[STORE_PENDING_COUNT] = {
#define PENDING_WORD(name, word) [STORE_PENDING_##name] = (word),
	STORE_PENDING_MAP(PENDING_WORD)
#undef PENDING_WORD
};

static const char *const actions[STORE_ACTION_COUNT] = {
#define ACTION_WORD(name, word) [STORE_ACTION_##name] = (word),
	STORE_ACTION_MAP(ACTION_WORD)
#undef ACTION_WORD
};

const char *store_status_word(enum store_status status)
{
	return statuses[status];
}

bool store_status_is_live(enum store_status status)
{
	return lives[status];
}

const char *store_cycle_word(enum store_cycle cycle)
{
	return cycles[cycle];
}

const char *store_pending_word(enum store_pending_action action)
{
	return pendings[action];
}

const char *store_action_word(enum store_action action)
{
	return actions[action];
}

/* The empty word of "none" is found by nobody. */
static bool find(const char *const *words, int count, struct td_slice word, int *ret)
{
	for (int i = 0; i < count; i++) {
		if (word.len > 0 && td_slice_is(word, words[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool store_status_find(struct td_slice word, enum store_status *ret)
{
	int at;
	if (!find(statuses, STORE_STATUS_COUNT, word, &at))
		return false;
	*ret = (enum store_status)at;
	return true;
}

bool store_cycle_find(struct td_slice word, enum store_cycle *ret)
{
	int at;
	if (!find(cycles, STORE_CYCLE_COUNT, word, &at))
		return false;
	*ret = (enum store_cycle)at;
	return true;
}

bool store_pending_find(struct td_slice word, enum store_pending_action *ret)
{
	int at;
	if (!find(pendings, STORE_PENDING_COUNT, word, &at))
		return false;
	*ret = (enum store_pending_action)at;
	return true;
}

bool store_action_find(struct td_slice word, enum store_action *ret)
{
	int at;
	if (!find(actions, STORE_ACTION_COUNT, word, &at))
		return false;
	*ret = (enum store_action)at;
	return true;
}
