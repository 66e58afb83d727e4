-- Users. E-mail addresses are unique without regard to case.
CREATE TABLE users (
	id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._:@-]{1,64}$' AND id NOT IN ('.', '..')),
	email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
	first_name text NOT NULL CHECK (length(first_name) BETWEEN 1 AND 200),
	last_name text NOT NULL CHECK (length(last_name) BETWEEN 1 AND 200),
	company text CHECK (length(company) BETWEEN 1 AND 200),
	password_hash text CHECK (length(password_hash) BETWEEN 1 AND 200),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email COLLATE "C"));
