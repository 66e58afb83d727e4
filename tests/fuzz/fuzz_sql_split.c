/* The splitter of migration files, in each of its three flavours. */
#include "fuzz.h"

#include "migrate/sql_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sql_flavour flavours[] = {SQL_SQLITE, SQL_POSTGRES, SQL_CQL};
	enum sql_flavour flavour = flavours[fuzz_choose(&data, &size, TD_ARRAY_LEN(flavours))];
	struct td_slice text = fuzz_slice(data, size);
	struct sql_split split = {.flavour = flavour, .rest = text, .line = 1};
	struct sql_statement statement;
	unsigned line = 1;
	const char *end = text.ptr;
	for (;;) {
		enum sql_next next = sql_split_next(&split, &statement);
		if (next == SQL_END)
			return 0;
		FUZZ_CLAIM(fuzz_is_within(statement.text, text));
		FUZZ_CLAIM(statement.line >= line);
		if (next == SQL_BROKEN)
			return 0;
		FUZZ_CLAIM(statement.text.len > 0 && statement.text.ptr >= end);
		FUZZ_CLAIM(
			statement.word.len == 0 || fuzz_is_within(statement.word, statement.text));
		line = statement.line;
		end = statement.text.ptr + statement.text.len;
		(void)sql_is_transaction(flavour, &statement);
	}
}
