-- Subscriptions and their history. A user has at most one that is live.
CREATE TABLE user_subscriptions (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
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
	pending_at INTEGER,
	cancel_at_period_end INTEGER NOT NULL DEFAULT 0 CHECK (cancel_at_period_end IN (0, 1)),
	canceled_at INTEGER,
	ended_at INTEGER,
	version INTEGER NOT NULL DEFAULT 1 CHECK (version >= 1),
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX user_subscriptions_live ON user_subscriptions (user_id)
	WHERE status IN ('trialing', 'active', 'past_due');
CREATE INDEX user_subscriptions_by_user ON user_subscriptions (user_id, created_at);
CREATE INDEX user_subscriptions_by_package ON user_subscriptions (package_id);
CREATE INDEX user_subscriptions_by_pending_package ON user_subscriptions (pending_package_id)
	WHERE pending_package_id IS NOT NULL;
CREATE INDEX user_subscriptions_due ON user_subscriptions (current_period_end)
	WHERE status IN ('trialing', 'active', 'past_due');

CREATE TABLE subscription_history (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) BETWEEN 1 AND 64),
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
	actor TEXT NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX subscription_history_by_user ON subscription_history (user_id, created_at, id);
CREATE INDEX subscription_history_by_subscription ON subscription_history (subscription_id);
