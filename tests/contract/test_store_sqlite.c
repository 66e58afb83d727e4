/* The contract suite against SQLite. */
#include "sqlite_db.h"

#include <sodium.h>

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	contract_factory = &sqlitedb_factory;
	return contract_run_users() + contract_run_keys() + contract_run_answers() +
	       contract_run_catalogue() + contract_run_content() + contract_run_crowds() +
	       contract_run_subscriptions() + contract_run_login();
}
