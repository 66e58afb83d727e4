/* Accept-Language, and the languages that a query or a cookie asks for. */
#include "fuzz.h"

#include "page/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct td_slice codes[] = {{"en", 2}, {"es", 2}, {"pt-br", 5}};
	struct language_wish wish = {.accept = fuzz_slice(data, size)};
	unsigned weight = 0;
	FUZZ_CLAIM(language_accept(codes, TD_ARRAY_LEN(codes), wish.accept) <= TD_ARRAY_LEN(codes));
	FUZZ_CLAIM(language_find(codes, TD_ARRAY_LEN(codes), wish.accept) <= TD_ARRAY_LEN(codes));
	if (language_weight(wish.accept, &weight))
		FUZZ_CLAIM(weight <= 1000 && size <= 5);
	(void)td_slice_cut(&wish.accept, '\x1F', &wish.query);
	(void)td_slice_cut(&wish.accept, '\x1F', &wish.cookie);
	FUZZ_CLAIM(language_choose(codes, TD_ARRAY_LEN(codes), &wish) < TD_ARRAY_LEN(codes));
	return 0;
}
