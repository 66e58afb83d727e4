/* The catalogue as a JSON file: what is taken can be written, and reads back as the same. */
#include "fuzz.h"

#include "catalogue/file.h"

static bool parse(struct td_slice bytes, struct td_arena *arena, struct store_catalogue *ret)
{
	static struct catalogue_faults faults;
	struct td_err err = TD_ERR_INIT;
	faults.count = 0;
	enum td_status status = catalogue_file_parse(bytes, arena, ret, &faults, &err);
	struct td_buf line = TD_BUF_INIT;
	for (size_t i = 0; status == TD_INVALID && i < faults.count; i++)
		catalogue_fault_put(&line, &faults.list[i]);
	td_buf_done(&line);
	if (status == TD_INVALID)
		FUZZ_CLAIM(faults.count > 0 && err.text[0] != '\0');
	return status == TD_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct td_arena arena = {.limit = 64u << 20}, again = {.limit = 64u << 20};
	struct td_buf first = TD_BUF_INIT, second = TD_BUF_INIT;
	struct store_catalogue rows;
	if (parse(fuzz_slice(data, size), &arena, &rows)) {
		catalogue_file_write(&first, &rows);
		if (!first.failed && parse(td_buf_slice(&first), &again, &rows)) {
			catalogue_file_write(&second, &rows);
			FUZZ_CLAIM(second.failed ||
				   td_slice_equal(td_buf_slice(&first), td_buf_slice(&second)));
		}
	}
	td_buf_done(&first);
	td_buf_done(&second);
	td_arena_done(&arena);
	td_arena_done(&again);
	return 0;
}
