#include "td_test.h"

#include "page/language.h"

#include <stdio.h>

static const struct td_slice codes[] = {
	{"en", 2},
	{"es", 2},
	{"pt-br", 5},
};

static size_t accept(const char *header)
{
	return language_accept(codes, 3, td_slice_str(header));
}

/* Weights of RFC 9110 12.4.2, and what is none. */
static void test_language_weights(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int thousandths; /* -1: not a weight */
	} rows[] = {
		{"0", 0},
		{"1", 1000},
		{"0.", 0},
		{"1.", 1000},
		{"0.5", 500},
		{"0.25", 250},
		{"0.123", 123},
		{"1.000", 1000},
		{"1.001", -1},
		{"0.1234", -1},
		{"2", -1},
		{"", -1},
		{"-1", -1},
		{".5", -1},
		{"0,5", -1},
		{"1e0", -1},
		{"00", -1},
		{"0.5 ", -1},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned weight = 7;
		bool valid = language_weight(td_slice_str(rows[i].text), &weight);
		assert_int_equal(valid, rows[i].thousandths >= 0);
		assert_int_equal(weight, valid ? rows[i].thousandths : 7);
	}
}

/* The heaviest wins; the earlier among equals; weight 0 means never. */
static void test_language_accept_takes_the_heaviest(void **state)
{
	(void)state;
	assert_int_equal(accept("es"), 1);
	assert_int_equal(accept("en;q=0.8, es;q=0.9"), 1);
	assert_int_equal(accept("en ; Q=0.9 , es;q=0.8"), 0);
	assert_int_equal(accept("es, en"), 1);
	assert_int_equal(accept("en, es"), 0);
	assert_int_equal(accept("es;q=0"), 3);
	assert_int_equal(accept("es;q=0, *;q=0.1"), 0);
	assert_int_equal(accept("de, fr;q=0.9"), 3);
	assert_int_equal(accept(""), 3);
	assert_int_equal(accept("*"), 0);
}

/* "es-MX" finds Spanish; the range that fits a language most closely decides about it. */
static void test_language_accept_looks_up_regions(void **state)
{
	(void)state;
	assert_int_equal(accept("es-MX,es;q=0.9,en;q=0.8"), 1);
	assert_int_equal(accept("ES-419"), 1);
	assert_int_equal(accept("pt-BR"), 2);
	assert_int_equal(accept("pt"), 3);
	assert_int_equal(accept("est"), 3);
	assert_int_equal(accept("es-MX;q=0.9, es;q=0.1, en;q=0.5"), 0);
	assert_int_equal(accept("*;q=0.9, en;q=0.1, es;q=0.2, pt-br;q=0"), 1);
}

/* What is not well formed is skipped, what stands beside it counts. */
static void test_language_accept_skips_nonsense(void **state)
{
	(void)state;
	assert_int_equal(accept(",,;;q=1,es;q=abc,es;q=2,-es,es-,e_s,en;q=0.1"), 0);
	assert_int_equal(accept("abcdefghi-x, es"), 1);
	assert_int_equal(accept("es;level=1, en;q=0.5"), 0);
	assert_int_equal(accept("es;q=1;q=1, en;q=0.5"), 0);
	assert_int_equal(accept("\xff\xfe, es"), 1);
	char many[400];
	size_t at = 0;
	while (at < 256)
		at += (size_t)snprintf(many + at, sizeof(many) - at, "de, ");
	(void)snprintf(many + at, sizeof(many) - at, "es");
	assert_int_equal(accept(many), 3); /* behind the 64th element nobody looks */
}

/* Query before cookie before header; a language that we have not is as if it were not said. */
static void test_language_choice_has_an_order(void **state)
{
	(void)state;
	struct language_wish wish = {TD_SLICE("es"), TD_SLICE("en"), TD_SLICE("en")};
	assert_int_equal(language_choose(codes, 3, &wish), 1);
	wish.query = TD_SLICE("xx");
	wish.cookie = TD_SLICE("es-AR");
	assert_int_equal(language_choose(codes, 3, &wish), 1);
	wish.cookie = TD_SLICE("<script>");
	wish.accept = TD_SLICE("pt-br");
	assert_int_equal(language_choose(codes, 3, &wish), 2);
	wish.accept = TD_SLICE("zh");
	assert_int_equal(language_choose(codes, 3, &wish), 0);
	wish = (struct language_wish){{NULL, 0}, {NULL, 0}, {NULL, 0}};
	assert_int_equal(language_choose(codes, 3, &wish), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_language_weights),
		cmocka_unit_test(test_language_accept_takes_the_heaviest),
		cmocka_unit_test(test_language_accept_looks_up_regions),
		cmocka_unit_test(test_language_accept_skips_nonsense),
		cmocka_unit_test(test_language_choice_has_an_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
