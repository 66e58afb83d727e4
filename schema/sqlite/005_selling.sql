-- Selling: passwords, sessions, what a planned change costs, limits on guessing, and what processes agree on.
ALTER TABLE users ADD COLUMN password_hash TEXT CHECK (length(password_hash) BETWEEN 1 AND 200);

ALTER TABLE user_subscriptions ADD COLUMN pending_price INTEGER CHECK (pending_price BETWEEN 0 AND 999999999999);
ALTER TABLE user_subscriptions ADD COLUMN pending_currency TEXT
	CHECK (length(pending_currency) = 3 AND pending_currency NOT GLOB '*[^A-Z]*');

-- History gets the order in which it was written: times alone do not tell it.
CREATE TABLE subscription_history_in_order (
	seq INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
	subscription_id TEXT NOT NULL REFERENCES user_subscriptions (id),
	user_id TEXT NOT NULL REFERENCES users (id),
	action TEXT NOT NULL
		CHECK (action IN ('created', 'upgraded', 'downgraded', 'cycle_changed',
			'change_scheduled', 'cancel_scheduled', 'resumed', 'canceled', 'renewed',
			'expired')),
	from_package TEXT,
	to_package TEXT,
	from_cycle TEXT CHECK (from_cycle IN ('monthly', 'yearly')),
	to_cycle TEXT CHECK (to_cycle IN ('monthly', 'yearly')),
	price INTEGER CHECK (price BETWEEN 0 AND 999999999999),
	currency TEXT CHECK (length(currency) = 3 AND currency NOT GLOB '*[^A-Z]*'),
	reason TEXT CHECK (length(reason) <= 1000),
	actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 210),
	created_at INTEGER NOT NULL
) STRICT;
INSERT INTO subscription_history_in_order (id, subscription_id, user_id, action, from_package, to_package,
	from_cycle, to_cycle, price, currency, reason, actor, created_at)
	SELECT id, subscription_id, user_id, action, from_package, to_package, from_cycle, to_cycle, price, currency,
		reason, actor, created_at FROM subscription_history ORDER BY created_at, id;
DROP TABLE subscription_history;
ALTER TABLE subscription_history_in_order RENAME TO subscription_history;
CREATE INDEX subscription_history_by_user ON subscription_history (user_id, seq);
CREATE INDEX subscription_history_by_subscription ON subscription_history (subscription_id);

CREATE TABLE sessions (
	hash BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- One link a user: a later one takes its place.
CREATE TABLE password_resets (
	user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX password_resets_by_expiry ON password_resets (expires_at);

-- Failed tries of a subject ("account:…", "address:…") since its window began.
CREATE TABLE throttles (
	subject TEXT PRIMARY KEY NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
	count INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX throttles_by_expiry ON throttles (expires_at);

-- Which process does a work that one at a time does. Real time, never the test clock's.
CREATE TABLE leases (
	name TEXT PRIMARY KEY NOT NULL,
	owner TEXT NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- TEST_CLOCK: at most one row; milliseconds that all processes add to the time.
CREATE TABLE test_clock (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	offset_ms INTEGER NOT NULL
) STRICT;
