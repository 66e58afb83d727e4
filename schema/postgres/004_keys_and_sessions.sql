-- API keys and sessions, of which only a SHA-256 is kept; the answers kept for repeated requests; events on their way out.
CREATE TABLE api_keys (
	id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
	created_at timestamptz NOT NULL,
	last_used_at timestamptz,
	revoked_at timestamptz
);

CREATE TABLE sessions (
	hash bytea PRIMARY KEY CHECK (length(hash) = 32),
	user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- One link a user: a later one takes its place.
CREATE TABLE password_resets (
	user_id text PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
	expires_at timestamptz NOT NULL
);
CREATE INDEX password_resets_by_expiry ON password_resets (expires_at);

-- Failed tries of a subject ("account:…", "address:…") since its window began.
CREATE TABLE throttles (
	subject text PRIMARY KEY CHECK (length(subject) BETWEEN 1 AND 200),
	count bigint NOT NULL,
	expires_at timestamptz NOT NULL
);
CREATE INDEX throttles_by_expiry ON throttles (expires_at);

-- Which process does a work that one at a time does. Real time, never the test clock's.
CREATE TABLE leases (
	name text PRIMARY KEY,
	owner text NOT NULL,
	expires_at timestamptz NOT NULL
);

-- TEST_CLOCK: at most one row; milliseconds that all processes add to the time.
CREATE TABLE test_clock (
	id integer PRIMARY KEY CHECK (id = 1),
	offset_ms bigint NOT NULL
);

CREATE TABLE idempotency (
	caller text NOT NULL,
	route text NOT NULL,
	key text NOT NULL,
	fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
	expires_at timestamptz NOT NULL,
	http_status integer NOT NULL CHECK (http_status BETWEEN 200 AND 499),
	body text NOT NULL,
	location text,
	PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

CREATE TABLE outbox (
	id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
	user_id text NOT NULL,
	event text NOT NULL,
	created_at timestamptz NOT NULL
);
CREATE INDEX outbox_by_age ON outbox (created_at, id);
