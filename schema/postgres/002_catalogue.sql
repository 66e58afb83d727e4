-- Packages, and what is told about them. A change by anybody announces itself.
CREATE TABLE subscription_packages (
	id text PRIMARY KEY DEFAULT gen_random_uuid()::text CHECK (length(id) BETWEEN 1 AND 64),
	slug text NOT NULL UNIQUE CHECK (slug ~ '^[A-Za-z0-9._~-]{1,64}$' AND slug NOT IN ('.', '..')),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	description text NOT NULL DEFAULT '' CHECK (length(description) <= 4000),
	price_monthly numeric(12,2) NOT NULL CHECK (price_monthly >= 0),
	price_yearly numeric(12,2) NOT NULL CHECK (price_yearly >= 0),
	currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
	rate_limit_per_hour bigint NOT NULL DEFAULT 0 CHECK (rate_limit_per_hour >= 0),
	rate_limit_per_day bigint NOT NULL DEFAULT 0 CHECK (rate_limit_per_day >= 0),
	display_order bigint NOT NULL DEFAULT 0,
	is_active boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE subscription_package_metadata (
	package_slug text NOT NULL CHECK (length(package_slug) BETWEEN 1 AND 64),
	key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
	value text NOT NULL CHECK (length(value) <= 4000),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (package_slug, key)
);

CREATE TABLE subscription_features (
	package_slug text NOT NULL CHECK (length(package_slug) BETWEEN 1 AND 64),
	feature_id text NOT NULL CHECK (length(feature_id) BETWEEN 1 AND 64),
	name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	description text NOT NULL DEFAULT '' CHECK (length(description) <= 4000),
	included boolean NOT NULL DEFAULT true,
	icon text NOT NULL DEFAULT '' CHECK (length(icon) <= 64),
	category text NOT NULL DEFAULT '' CHECK (length(category) <= 64),
	display_order bigint NOT NULL DEFAULT 0,
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (package_slug, feature_id)
);

-- Where the content is kept elsewhere: the catalogue as it was last read whole, for when that is away. At most one row.
CREATE TABLE kept_catalogue (
	id integer PRIMARY KEY CHECK (id = 1),
	body text NOT NULL,
	kept_at timestamptz NOT NULL
);

-- NOTIFY makes commits wait for each other, so it stands on these three tables only.
CREATE FUNCTION tools_dashboard_catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('tools_dashboard_catalogue', '');
	RETURN NULL;
END;
$$;
CREATE TRIGGER catalogue_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON subscription_packages
	FOR EACH STATEMENT EXECUTE FUNCTION tools_dashboard_catalogue_changed();
CREATE TRIGGER catalogue_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON subscription_package_metadata
	FOR EACH STATEMENT EXECUTE FUNCTION tools_dashboard_catalogue_changed();
CREATE TRIGGER catalogue_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON subscription_features
	FOR EACH STATEMENT EXECUTE FUNCTION tools_dashboard_catalogue_changed();
