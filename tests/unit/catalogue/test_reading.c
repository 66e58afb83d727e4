#include "td_test.h"

#include "catalogue/reading.h"

#include <string.h>

#define S(text) TD_SLICE(text)

/* A store that answers at once, as the test says. */
struct fake {
	struct store store;
	enum td_status next; /* of reads */
	enum td_status next_put;
	unsigned parts;    /* what it has */
	const char *value; /* of the metadata's one key */
	size_t packages, bad_rows;
	char kept[4096]; /* "" : nothing */
	size_t puts, reads;
	char asked[128]; /* the slugs of the last read of content */
};

static struct store_package *make_packages(struct td_arena *arena, size_t count)
{
	static const char *const slugs[] = {"a", "b", "c"};
	struct store_package *rows = td_arena_array(arena, count + 1, sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct store_package){.id = td_slice_str(slugs[i]),
			.slug = td_slice_str(slugs[i]),
			.name = S("Name"),
			.description = S(""),
			.currency = S("USD"),
			.price_monthly = 100,
			.display_order = (int64_t)i,
			.is_active = true};
	return rows;
}

static struct store_metadata *make_metadata(struct td_arena *arena, const char *value)
{
	struct store_metadata *row = td_arena_alloc(arena, sizeof(*row));
	*row = (struct store_metadata){
		.package_slug = S("a"), .key = S("tagline"), .value = td_slice_str(value)};
	return row;
}

static void note_asked(struct fake *fake, const struct store_op *op)
{
	fake->asked[0] = '\0';
	for (size_t i = 0; i < op->in.slug_count; i++)
		(void)strncat(fake->asked, op->in.slugs[i].ptr, op->in.slugs[i].len);
}

static enum td_status read_rows(struct fake *fake, struct store_op *op)
{
	struct store_catalogue *c = &op->out.catalogue;
	fake->reads++;
	if ((op->in.parts & STORE_CONTENT) != 0)
		note_asked(fake, op);
	if (fake->next != TD_OK)
		return td_err_set(&op->err, fake->next, "the fake is away");
	if ((op->in.parts & fake->parts & STORE_PACKAGES) != 0) {
		c->packages = make_packages(&op->arena, fake->packages);
		c->package_count = fake->packages;
	}
	if ((op->in.parts & fake->parts & STORE_CONTENT) != 0) {
		c->metadata = make_metadata(&op->arena, fake->value);
		c->metadata_count = 1;
	}
	op->out.bad_rows = td_arena_array(&op->arena, 4, sizeof(*op->out.bad_rows));
	op->out.bad_row_count = fake->bad_rows;
	for (size_t i = 0; i < fake->bad_rows; i++)
		op->out.bad_rows[i] = (struct store_bad_row){S("table"), S("key"), S("why"), false};
	return TD_OK;
}

static enum td_status put_kept(struct fake *fake, struct store_op *op)
{
	fake->puts++;
	if (fake->next_put != TD_OK)
		return fake->next_put;
	assert_true(op->in.text.len < sizeof(fake->kept));
	memcpy(fake->kept, op->in.text.ptr, op->in.text.len);
	fake->kept[op->in.text.len] = '\0';
	return TD_OK;
}

static enum td_status run(struct fake *fake, struct store_op *op)
{
	if (op->kind == STORE_KEPT_PUT)
		return put_kept(fake, op);
	if (op->kind == STORE_CATALOGUE_READ)
		return read_rows(fake, op);
	assert_int_equal(op->kind, STORE_KEPT_GET);
	op->out.text = td_slice_str(fake->kept);
	return fake->kept[0] != '\0' ? TD_OK : TD_NOTFOUND;
}

static enum td_status fake_submit(struct store *store, struct store_op *op)
{
	enum td_status status = run((struct fake *)store, op);
	op->done(op, status);
	op->release(op);
	return TD_OK;
}

static const struct store_class fake_class = {.submit = fake_submit};

struct stage {
	struct fake records, content;
	struct reading reading;
	struct reading_result result;
	struct td_err err;
};

static void begin_reading(struct stage *s)
{
	s->reading = (struct reading){.records = &s->records.store,
		.content = &s->content.store,
		.clock = &td_clock_system,
		.store_timeout_ms = 1000,
		.desk = desk_create(),
		.source = "content",
		.kept_source = "records"};
	assert_non_null(s->reading.desk);
}

static int set_up(void **state)
{
	static struct stage stage;
	stage = (struct stage){
		.records = {.store = {&fake_class, &td_clock_system},
			.parts = STORE_PACKAGES,
			.packages = 2},
		.content = {.store = {&fake_class, &td_clock_system},
			.parts = STORE_CONTENT,
			.value = "first"},
	};
	begin_reading(&stage);
	*state = &stage;
	return 0;
}

static void end_reading(struct stage *s)
{
	store_op_free(s->result.op);
	s->result.op = NULL;
	reading_done(&s->reading);
	desk_unref(s->reading.desk);
}

static int tear_down(void **state)
{
	end_reading(*state);
	return 0;
}

static enum td_status read_again(struct stage *s)
{
	store_op_free(s->result.op);
	s->err = (struct td_err)TD_ERR_INIT;
	return reading_run(&s->reading, &s->result, &s->err);
}

static void expect(struct stage *s, size_t packages, const char *value, const char *source)
{
	const struct store_catalogue *c = &s->result.op->out.catalogue;
	assert_int_equal(c->package_count, packages);
	assert_int_equal(c->metadata_count, 1);
	assert_true(td_slice_is(c->metadata[0].value, value));
	assert_string_equal(s->result.source, source);
}

/* Another process, which finds what the first has kept. */
static void restart(struct stage *s)
{
	end_reading(s);
	begin_reading(s);
}

static void test_one_store_has_both(void **state)
{
	struct stage *s = *state;
	s->reading.content = NULL;
	s->records.parts = STORE_PACKAGES | STORE_CONTENT;
	s->records.value = "here";
	assert_int_equal(read_again(s), TD_OK);
	expect(s, 2, "here", "content");
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_OK);
	assert_int_equal(s->records.puts, 0);
	s->records.next = TD_UNAVAILABLE;
	assert_int_equal(read_again(s), TD_UNAVAILABLE);
	assert_null(s->result.op);
	assert_string_equal(s->err.text, "the fake is away");
}

static void test_content_of_the_packages_that_are_there(void **state)
{
	struct stage *s = *state;
	s->records.bad_rows = 1;
	s->content.bad_rows = 2;
	assert_int_equal(read_again(s), TD_OK);
	expect(s, 2, "first", "content");
	assert_string_equal(s->content.asked, "ab");
	assert_int_equal(s->result.op->out.bad_row_count, 3);
	assert_true(td_slice_is(s->result.op->out.bad_rows[2].why, "why"));
}

static void test_content_as_it_was_while_it_is_away(void **state)
{
	struct stage *s = *state;
	assert_int_equal(read_again(s), TD_OK);
	s->content.next = TD_TIMEOUT;
	s->records.packages = 3;
	assert_int_equal(read_again(s), TD_TIMEOUT);
	assert_string_equal(s->err.text, "the fake is away");
	/* Nobody knows the third one's content. */
	expect(s, 2, "first", "content");
	s->content.next = TD_OK;
	s->content.value = "second";
	assert_int_equal(read_again(s), TD_OK);
	expect(s, 3, "second", "content");
}

static void test_nothing_is_served_where_nothing_was_kept(void **state)
{
	struct stage *s = *state;
	s->content.next = TD_UNAVAILABLE;
	assert_int_equal(read_again(s), TD_UNAVAILABLE);
	assert_null(s->result.op);
}

static void test_what_was_kept_is_served_after_a_restart(void **state)
{
	struct stage *s = *state;
	assert_int_equal(read_again(s), TD_OK);
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_OK);
	restart(s);
	s->content.next = TD_UNAVAILABLE;
	s->records.packages = 3;
	assert_int_equal(read_again(s), TD_UNAVAILABLE);
	expect(s, 2, "first", "records");
	s->content.next = TD_OK;
	assert_int_equal(read_again(s), TD_OK);
	expect(s, 3, "first", "content");
}

static void test_what_was_kept_is_looked_at_first(void **state)
{
	struct stage *s = *state;
	s->content.next = TD_UNAVAILABLE;
	(void)strcpy(s->records.kept, "{\"version\": 1, \"packages\": [{\"slug\": \"a\"}]}");
	assert_int_equal(read_again(s), TD_UNAVAILABLE);
	assert_null(s->result.op);
}

static void test_kept_once_and_again_when_it_changes(void **state)
{
	struct stage *s = *state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(read_again(s), TD_OK);
		assert_int_equal(reading_keep(&s->reading, &s->err), TD_OK);
	}
	assert_int_equal(s->records.puts, 1);
	s->content.value = "second";
	assert_int_equal(read_again(s), TD_OK);
	s->records.next_put = TD_UNAVAILABLE;
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_UNAVAILABLE);
	s->records.next_put = TD_OK;
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_OK);
	assert_int_equal(s->records.puts, 3);
	assert_non_null(strstr(s->records.kept, "second"));
}

static void test_what_cannot_be_kept_is_said_once(void **state)
{
	static char long_value[5001];
	struct stage *s = *state;
	memset(long_value, 'x', sizeof(long_value) - 1);
	s->content.value = long_value;
	assert_int_equal(read_again(s), TD_OK);
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_INVALID);
	assert_non_null(strstr(s->err.text, "cannot be kept"));
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_OK);
	assert_int_equal(s->records.puts, 0);
	s->content.value = "short";
	assert_int_equal(read_again(s), TD_OK);
	assert_int_equal(reading_keep(&s->reading, &s->err), TD_OK);
	assert_int_equal(s->records.puts, 1);
}

static void test_stopped_desk_ends_it(void **state)
{
	struct stage *s = *state;
	assert_int_equal(read_again(s), TD_OK);
	s->content.next = TD_STOPPING;
	assert_int_equal(read_again(s), TD_STOPPING);
	assert_null(s->result.op);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_store_has_both),
		TEST(test_content_of_the_packages_that_are_there),
		TEST(test_content_as_it_was_while_it_is_away),
		TEST(test_nothing_is_served_where_nothing_was_kept),
		TEST(test_what_was_kept_is_served_after_a_restart),
		TEST(test_what_was_kept_is_looked_at_first),
		TEST(test_kept_once_and_again_when_it_changes),
		TEST(test_what_cannot_be_kept_is_said_once),
		TEST(test_stopped_desk_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
