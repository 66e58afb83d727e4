#include "page/language.h"

#define ELEMENTS_MOST 64

/* How closely a range fits a language; the closest decides. */
enum fit {
	FIT_NONE,
	FIT_ANY,     /* * */
	FIT_PRIMARY, /* es-MX for es */
	FIT_EXACT,
};

struct offer {
	enum fit fit;
	unsigned weight;
	unsigned place; /* in the header: the earlier wins among equals */
};

bool language_weight(struct td_slice text, unsigned *ret_thousandths)
{
	if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1'))
		return false;
	unsigned value = text.ptr[0] == '1' ? 1000 : 0;
	if (text.len > 1 && text.ptr[1] != '.')
		return false;
	unsigned place = 100;
	for (size_t i = 2; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value += (unsigned)(text.ptr[i] - '0') * place;
		place /= 10;
	}
	if (value > 1000)
		return false;
	*ret_thousandths = value;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_letter_or_digit(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 4647 2.1: subtags of 1 to 8 letters or digits. */
static bool is_range(struct td_slice text)
{
	if (td_slice_is(text, "*"))
		return true;
	size_t in_subtag = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (is_letter_or_digit(text.ptr[i]) && in_subtag < 8)
			in_subtag++;
		else if (text.ptr[i] == '-' && in_subtag > 0)
			in_subtag = 0;
		else
			return false;
	}
	return in_subtag > 0;
}

static enum fit fit_of(struct td_slice code, struct td_slice range)
{
	if (td_slice_is(range, "*"))
		return FIT_ANY;
	if (range.len < code.len || code.len == 0)
		return FIT_NONE;
	for (size_t i = 0; i < code.len; i++) {
		if (lower(range.ptr[i]) != code.ptr[i])
			return FIT_NONE;
	}
	if (range.len == code.len)
		return FIT_EXACT;
	return range.ptr[code.len] == '-' ? FIT_PRIMARY : FIT_NONE;
}

size_t language_find(const struct td_slice *codes, size_t count, struct td_slice wanted)
{
	if (!is_range(wanted))
		return count;
	size_t best = count;
	for (size_t i = 0; i < count; i++) {
		enum fit fit = fit_of(codes[i], wanted);
		if (fit == FIT_EXACT)
			return i;
		if (fit == FIT_PRIMARY && best == count)
			best = i;
	}
	return best;
}

/* "es-MX; q=0.8" into its range and weight. */
static bool read_element(struct td_slice element, struct td_slice *ret_range, unsigned *ret_weight)
{
	struct td_slice rest = element, range, parameter;
	if (!td_slice_cut(&rest, ';', &range))
		return false;
	range = td_slice_trim(range);
	if (!is_range(range))
		return false;
	*ret_range = range;
	*ret_weight = 1000;
	if (!td_slice_cut(&rest, ';', &parameter))
		return true;
	parameter = td_slice_trim(parameter);
	if (rest.ptr != NULL || parameter.len < 2 || lower(parameter.ptr[0]) != 'q' ||
		parameter.ptr[1] != '=')
		return false;
	return language_weight(td_slice_skip(parameter, 2), ret_weight);
}

static void weigh(
	struct offer *offer, struct td_slice code, struct td_slice range, struct offer element)
{
	element.fit = fit_of(code, range);
	bool closer = element.fit > offer->fit;
	bool likes_more = element.fit == offer->fit && element.weight > offer->weight;
	if (element.fit != FIT_NONE && (closer || likes_more))
		*offer = element;
}

size_t language_accept(const struct td_slice *codes, size_t count, struct td_slice header)
{
	struct offer offers[LANGUAGE_MOST] = {{FIT_NONE, 0, 0}};
	if (count > LANGUAGE_MOST)
		count = LANGUAGE_MOST;
	struct td_slice element;
	for (unsigned place = 0; place < ELEMENTS_MOST && td_slice_cut(&header, ',', &element);
		place++) {
		struct td_slice range;
		unsigned weight;
		if (!read_element(td_slice_trim(element), &range, &weight))
			continue;
		for (size_t i = 0; i < count; i++)
			weigh(&offers[i], codes[i], range, (struct offer){FIT_NONE, weight, place});
	}
	size_t best = count;
	for (size_t i = 0; i < count; i++) {
		if (offers[i].fit == FIT_NONE || offers[i].weight == 0)
			continue;
		if (best == count || offers[i].weight > offers[best].weight ||
			(offers[i].weight == offers[best].weight &&
				offers[i].place < offers[best].place))
			best = i;
	}
	return best;
}

size_t language_choose(const struct td_slice *codes, size_t count, const struct language_wish *wish)
{
	size_t found = language_find(codes, count, wish->query);
	if (found == count)
		found = language_find(codes, count, wish->cookie);
	if (found == count)
		found = language_accept(codes, count, wish->accept);
	return found < count ? found : 0;
}
