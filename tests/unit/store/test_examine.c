#include "td_test.h"

#include "store/examine.h"

#include <string.h>

/* Words lead to layers and back. */
static void test_every_layer_has_its_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STORE_LAYER_COUNT; i++) {
		enum store_layer layer;
		assert_true(store_layer_of(store_layer_word((enum store_layer)i), &layer));
		assert_int_equal(layer, i);
	}
	enum store_layer layer;
	assert_false(store_layer_of("config", &layer));
}

static void test_the_first_layer_that_fails_is_known(void **state)
{
	(void)state;
	struct store_examination x;
	struct td_err err = TD_ERR_INIT;
	enum store_layer layer;
	store_examination_init(&x);
	assert_false(store_examination_failed(&x, &layer));
	store_found_ok(&x, STORE_LAYER_TCP, "%s accepts", "a:1");
	store_found(&x, STORE_LAYER_TLS, STORE_WARNS, "half", "because", "do");
	assert_false(store_examination_failed(&x, &layer));
	(void)td_err_set(&err, TD_DENIED, "no");
	store_found_err(&x, STORE_LAYER_AUTH, &err, "cause", NULL);
	store_found_fix(&x, STORE_LAYER_AUTH, "set %d", 10);
	store_found(&x, STORE_LAYER_DATA, STORE_FAILS, "later", NULL, NULL);
	assert_true(store_examination_failed(&x, &layer));
	assert_int_equal(layer, STORE_LAYER_AUTH);
	assert_string_equal(x.layers[STORE_LAYER_TCP].message, "a:1 accepts");
	assert_string_equal(x.layers[STORE_LAYER_AUTH].message, "no");
	assert_string_equal(x.layers[STORE_LAYER_AUTH].cause, "cause");
	assert_string_equal(x.layers[STORE_LAYER_AUTH].fix, "set 10");
	assert_int_equal(x.layers[STORE_LAYER_DNS].verdict, STORE_NOT_REACHED);
}

/* A server's words may be longer than there is room. */
static void test_long_texts_are_cut(void **state)
{
	(void)state;
	struct store_examination x;
	char text[4000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	store_examination_init(&x);
	store_found(&x, STORE_LAYER_DATA, STORE_FAILS, text, text, text);
	store_found_ok(&x, STORE_LAYER_DNS, "%s", text);
	store_found_fix(&x, STORE_LAYER_DATA, "%s", text);
	assert_int_equal(strlen(x.layers[STORE_LAYER_DATA].message),
		sizeof(x.layers[STORE_LAYER_DATA].message) - 1);
	assert_int_equal(
		strlen(x.layers[STORE_LAYER_DATA].fix), sizeof(x.layers[STORE_LAYER_DATA].fix) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_layer_has_its_word),
		cmocka_unit_test(test_the_first_layer_that_fails_is_known),
		cmocka_unit_test(test_long_texts_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
