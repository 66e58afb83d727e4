/* What tools/embed.py generates; only assets.c uses it. */
#ifndef TD_ASSETS_ASSETS_COMPILED_H
#define TD_ASSETS_ASSETS_COMPILED_H

#include "assets/assets.h"

struct asset_compiled_set {
	const struct asset *files;
	size_t count;
};

extern const struct asset_compiled_set asset_sets[ASSET_SET_COUNT];

#endif
