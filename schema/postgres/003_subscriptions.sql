-- Subscriptions and their history. A user has at most one that is live.
CREATE TABLE user_subscriptions (
	id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
	user_id text NOT NULL REFERENCES users (id),
	package_id text NOT NULL REFERENCES subscription_packages (id),
	status text NOT NULL CHECK (status IN ('trialing', 'active', 'past_due', 'canceled', 'expired')),
	billing_cycle text NOT NULL CHECK (billing_cycle IN ('monthly', 'yearly')),
	price numeric(12,2) NOT NULL CHECK (price >= 0),
	currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
	started_at timestamptz NOT NULL,
	anchor_day integer NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
	current_period_start timestamptz NOT NULL,
	current_period_end timestamptz NOT NULL CHECK (current_period_end > current_period_start),
	pending_action text CHECK (pending_action IN ('change', 'cancel')),
	pending_package_id text REFERENCES subscription_packages (id),
	pending_billing_cycle text CHECK (pending_billing_cycle IN ('monthly', 'yearly')),
	pending_price numeric(12,2) CHECK (pending_price >= 0),
	pending_currency text CHECK (pending_currency ~ '^[A-Z]{3}$'),
	pending_at timestamptz,
	cancel_at_period_end boolean NOT NULL DEFAULT false,
	canceled_at timestamptz,
	ended_at timestamptz,
	version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX user_subscriptions_live ON user_subscriptions (user_id)
	WHERE status IN ('trialing', 'active', 'past_due');
CREATE INDEX user_subscriptions_by_user ON user_subscriptions (user_id, created_at);
CREATE INDEX user_subscriptions_by_package ON user_subscriptions (package_id);
CREATE INDEX user_subscriptions_by_pending_package ON user_subscriptions (pending_package_id)
	WHERE pending_package_id IS NOT NULL;
CREATE INDEX user_subscriptions_due ON user_subscriptions (current_period_end)
	WHERE status IN ('trialing', 'active', 'past_due');

-- `seq` is the order in which it was written: times alone do not tell it.
CREATE TABLE subscription_history (
	seq bigint GENERATED ALWAYS AS IDENTITY,
	id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
	subscription_id text NOT NULL REFERENCES user_subscriptions (id),
	user_id text NOT NULL REFERENCES users (id),
	action text NOT NULL CHECK (action IN ('created', 'upgraded', 'downgraded', 'cycle_changed', 'change_scheduled',
		'cancel_scheduled', 'resumed', 'canceled', 'renewed', 'expired')),
	from_package text,
	to_package text,
	from_cycle text CHECK (from_cycle IN ('monthly', 'yearly')),
	to_cycle text CHECK (to_cycle IN ('monthly', 'yearly')),
	price numeric(12,2) CHECK (price >= 0),
	currency text CHECK (currency ~ '^[A-Z]{3}$'),
	reason text CHECK (length(reason) <= 1000),
	actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 210),
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX subscription_history_by_user ON subscription_history (user_id, seq);
CREATE INDEX subscription_history_by_subscription ON subscription_history (subscription_id);
-- Finds the rows of a range of numbers, in which order they lie on the disk, too: for the event log and for trimming.
CREATE INDEX subscription_history_by_seq ON subscription_history USING brin (seq, created_at);

-- What the event log is still to be told: numbers of rows of history, filled by a trigger that is made when an event log
-- is configured first. Whoever takes one has it until `taken_until`.
CREATE TABLE subscription_outbox (
	seq bigint PRIMARY KEY,
	history_id text NOT NULL,
	taken_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 60);

-- One row once there is an event log: history from `filled_from` on was put in the outbox; what was before `trimmed_to`,
-- all of it older than `trimmed_before`, is in the event log alone.
CREATE TABLE subscription_event_log (
	id integer PRIMARY KEY CHECK (id = 1),
	filled_from bigint NOT NULL,
	trimmed_to bigint NOT NULL DEFAULT 0,
	trimmed_before timestamptz NOT NULL DEFAULT '-infinity'
);
-- When the oldest trimmed row was written, of a user who has any from before he was here: brought from elsewhere.
ALTER TABLE users ADD COLUMN history_from timestamptz;

CREATE FUNCTION tools_dashboard_history_to_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO subscription_outbox (seq, history_id) SELECT seq, id FROM added;
	RETURN NULL;
END;
$$;
