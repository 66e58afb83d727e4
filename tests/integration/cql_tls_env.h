/* TLS of the probes: CQL_TLS is "require", "verify-ca" or "verify-full", with CQL_TLS_CA,
 * CQL_TLS_CERT and CQL_TLS_KEY. */
#ifndef TD_TESTS_INTEGRATION_CQL_TLS_ENV_H
#define TD_TESTS_INTEGRATION_CQL_TLS_ENV_H

#include "cql/client/tls.h"

#include <stdlib.h>
#include <string.h>

/* As cql_tls_create(); *ret_tls is left alone where CQL_TLS is not set. */
static inline enum td_status cql_tls_from_env(struct cql_tls **ret_tls, struct td_err *err)
{
	static const char *const modes[] = {"require", "verify-ca", "verify-full"};
	const char *mode = getenv("CQL_TLS");
	struct cql_tls_config files = {.ca_file = getenv("CQL_TLS_CA"),
		.cert_file = getenv("CQL_TLS_CERT"),
		.key_file = getenv("CQL_TLS_KEY")};
	if (mode == NULL)
		return TD_OK;
	for (size_t i = 0; i < TD_ARRAY_LEN(modes); i++)
		if (strcmp(mode, modes[i]) == 0)
			files.mode = (enum cql_tls_mode)i;
	return cql_tls_create(&files, ret_tls, err);
}

#endif
