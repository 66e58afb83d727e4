#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX   63
#define EDITS_MOST 2

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance, with three rows of the table. */
static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	memset(before, 0, sizeof(rows[0]));
	for (size_t i = 1; i <= a_len; i++) {
		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			int x = tolower((unsigned char)a[i - 1]),
			    y = tolower((unsigned char)b[j - 1]);
			now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
				y == tolower((unsigned char)a[i - 2]))
				now[j] = least(now[j], before[j - 2] + 1);
		}
		size_t *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

const char *td_nearest(const char *word, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	size_t best_edits = EDITS_MOST + 1;
	size_t len = strlen(word);
	for (size_t i = 0; i < count && len <= WORD_MAX; i++) {
		size_t other = strlen(candidates[i]);
		if (other > WORD_MAX)
			continue;
		size_t distance = edits(word, len, candidates[i], other);
		if (distance < best_edits && distance < len) {
			best_edits = distance;
			best = candidates[i];
		}
	}
	return best;
}
