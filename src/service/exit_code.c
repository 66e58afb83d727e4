#include "service/exit_code.h"

int exit_code_of_store(const struct td_err *err)
{
	switch (err->code) {
	case TD_OK:
		return TD_EXIT_DONE;
	case TD_SCHEMA:
		return TD_EXIT_SCHEMA;
	case TD_INVALID:
		/* Without a layer it is a file of SCHEMA_DIR that is wrong. */
		return err->check[0] != '\0' ? TD_EXIT_DEPENDENCY : TD_EXIT_SETTING;
	case TD_DENIED:
	case TD_BUSY:
	case TD_TIMEOUT:
	case TD_UNAVAILABLE:
	case TD_IO:
	case TD_CORRUPT:
		return TD_EXIT_DEPENDENCY;
	case TD_NOMEM:
	case TD_NOTFOUND:
	case TD_EXISTS:
	case TD_CONFLICT:
	case TD_MISMATCH:
	case TD_TOOBIG:
	case TD_LIMITED:
	case TD_STOPPING:
	case TD_INTERNAL:
	case TD_STATUS_COUNT:
		break;
	}
	return TD_EXIT_FAILED;
}
