-- A user's subscriptions lie together, in the order of time: what is read most needs one search, not two.
CREATE TABLE user_subscriptions_in_order (
	id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
	user_id TEXT NOT NULL REFERENCES users (id),
	package_id TEXT NOT NULL REFERENCES subscription_packages (id),
	status TEXT NOT NULL
		CHECK (status IN ('trialing', 'active', 'past_due', 'canceled', 'expired')),
	billing_cycle TEXT NOT NULL CHECK (billing_cycle IN ('monthly', 'yearly')),
	price INTEGER NOT NULL CHECK (price BETWEEN 0 AND 999999999999),
	currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency NOT GLOB '*[^A-Z]*'),
	started_at INTEGER NOT NULL,
	anchor_day INTEGER NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
	current_period_start INTEGER NOT NULL,
	current_period_end INTEGER NOT NULL CHECK (current_period_end > current_period_start),
	pending_action TEXT CHECK (pending_action IN ('change', 'cancel')),
	pending_package_id TEXT REFERENCES subscription_packages (id),
	pending_billing_cycle TEXT CHECK (pending_billing_cycle IN ('monthly', 'yearly')),
	pending_price INTEGER CHECK (pending_price BETWEEN 0 AND 999999999999),
	pending_currency TEXT CHECK (length(pending_currency) = 3 AND pending_currency NOT GLOB '*[^A-Z]*'),
	pending_at INTEGER,
	cancel_at_period_end INTEGER NOT NULL DEFAULT 0 CHECK (cancel_at_period_end IN (0, 1)),
	canceled_at INTEGER,
	ended_at INTEGER,
	version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	PRIMARY KEY (user_id, created_at, id)
) STRICT, WITHOUT ROWID;
INSERT INTO user_subscriptions_in_order (id, user_id, package_id, status, billing_cycle, price, currency, started_at,
	anchor_day, current_period_start, current_period_end, pending_action, pending_package_id, pending_billing_cycle,
	pending_price, pending_currency, pending_at, cancel_at_period_end, canceled_at, ended_at, version, created_at,
	updated_at)
	SELECT id, user_id, package_id, status, billing_cycle, price, currency, started_at, anchor_day,
		current_period_start, current_period_end, pending_action, pending_package_id, pending_billing_cycle,
		pending_price, pending_currency, pending_at, cancel_at_period_end, canceled_at, ended_at, version,
		created_at, updated_at FROM user_subscriptions;

-- Its foreign key names the table that is to be dropped; so it is made anew.
CREATE TABLE subscription_history_in_order (
	seq INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
	subscription_id TEXT NOT NULL REFERENCES user_subscriptions_in_order (id),
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
INSERT INTO subscription_history_in_order (seq, id, subscription_id, user_id, action, from_package, to_package,
	from_cycle, to_cycle, price, currency, reason, actor, created_at)
	SELECT seq, id, subscription_id, user_id, action, from_package, to_package, from_cycle, to_cycle, price,
		currency, reason, actor, created_at FROM subscription_history ORDER BY seq;

DROP TABLE subscription_history;
DROP TABLE user_subscriptions;
ALTER TABLE user_subscriptions_in_order RENAME TO user_subscriptions;
ALTER TABLE subscription_history_in_order RENAME TO subscription_history;
CREATE UNIQUE INDEX user_subscriptions_live ON user_subscriptions (user_id)
	WHERE status IN ('trialing', 'active', 'past_due');
CREATE INDEX user_subscriptions_by_package ON user_subscriptions (package_id);
CREATE INDEX user_subscriptions_by_pending_package ON user_subscriptions (pending_package_id)
	WHERE pending_package_id IS NOT NULL;
CREATE INDEX user_subscriptions_due ON user_subscriptions (current_period_end)
	WHERE status IN ('trialing', 'active', 'past_due');
CREATE INDEX subscription_history_by_user ON subscription_history (user_id, seq);
CREATE INDEX subscription_history_by_subscription ON subscription_history (subscription_id);
