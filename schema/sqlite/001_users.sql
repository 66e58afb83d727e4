-- Users. Times in all tables: milliseconds since 1970-01-01 UTC; the defaults are for rows that
-- other clients write.
CREATE TABLE users (
	id TEXT PRIMARY KEY NOT NULL
		CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9._:@-]*'
			AND id NOT IN ('.', '..')),
	email TEXT NOT NULL COLLATE NOCASE UNIQUE
		CHECK (length(email) BETWEEN 3 AND 254),
	first_name TEXT NOT NULL CHECK (length(first_name) BETWEEN 1 AND 200),
	last_name TEXT NOT NULL CHECK (length(last_name) BETWEEN 1 AND 200),
	company TEXT CHECK (length(company) BETWEEN 1 AND 200),
	created_at INTEGER NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
	updated_at INTEGER NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
) STRICT, WITHOUT ROWID;
