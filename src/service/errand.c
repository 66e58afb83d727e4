#include "service/errand.h"

struct store_op *errand_op(const struct errand *errand, enum store_op_kind kind, int64_t now_ms)
{
	struct store_op *op = store_op_new(kind);
	if (op == NULL)
		return NULL;
	op->now_ms = now_ms;
	op->deadline_ms = td_clock_mono_ms(errand->clock) + errand->store_timeout_ms;
	return op;
}

enum td_status errand_call(const struct errand *errand, struct store_op **op, struct td_err *err)
{
	if (*op == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for an operation");
	return store_call(errand->store, op, err);
}

enum td_status errand_run(const struct errand *errand, struct store_op *op, struct td_err *err)
{
	enum td_status status = errand_call(errand, &op, err);
	store_op_free(op);
	return status;
}

enum td_status errand_time(const struct errand *errand, int64_t *ret_ms, struct td_err *err)
{
	int64_t offset_ms = 0;
	enum td_status status = TD_OK;
	if (errand->has_test_clock) {
		struct store_op *op = errand_op(errand, STORE_CLOCK_GET, 0);
		status = errand_call(errand, &op, err);
		if (status == TD_OK)
			offset_ms = op->out.clock_offset_ms;
		store_op_free(op);
	}
	*ret_ms = td_clock_wall_ms(errand->clock) + offset_ms;
	return status == TD_NOTFOUND ? TD_OK : status;
}

bool errand_is_of_the_store(enum td_status status)
{
	return status == TD_UNAVAILABLE || status == TD_TIMEOUT || status == TD_BUSY ||
	       status == TD_STOPPING || status == TD_NOMEM;
}
