-- API keys, of which only a SHA-256 is kept, and the answers kept for repeated requests.
CREATE TABLE api_keys (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
	name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	created_at INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL DEFAULT 0,
	revoked_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE idempotency (
	caller TEXT NOT NULL,
	route TEXT NOT NULL,
	key TEXT NOT NULL,
	fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
	expires_at INTEGER NOT NULL,
	http_status INTEGER NOT NULL CHECK (http_status BETWEEN 200 AND 499),
	body TEXT NOT NULL,
	location TEXT,
	PRIMARY KEY (caller, route, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);
