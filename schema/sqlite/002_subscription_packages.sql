-- Packages, and what is told about them. Prices are integer cents: 2999 is 29.99. A time in these
-- three tables may also be written as text ('2026-01-31 08:00:00', RFC 3339).

-- Grows with every change of the three tables, by whatever client: so that a change is noticed, and
-- other writes do not look like one.
CREATE TABLE catalogue_version (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	version INTEGER NOT NULL
) STRICT;
INSERT INTO catalogue_version (id, version) VALUES (1, 1);

CREATE TABLE subscription_packages (
	id TEXT PRIMARY KEY NOT NULL
		DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
			|| substr(hex(randomblob(2)), 2) || '-'
			|| substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)
			|| '-' || hex(randomblob(6))))
		CHECK (length(id) BETWEEN 1 AND 64),
	slug TEXT NOT NULL UNIQUE
		CHECK (length(slug) BETWEEN 1 AND 64 AND slug NOT GLOB '*[^A-Za-z0-9._~-]*'
			AND slug NOT IN ('.', '..')),
	name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 4000),
	price_monthly INTEGER NOT NULL CHECK (price_monthly BETWEEN 0 AND 999999999999),
	price_yearly INTEGER NOT NULL CHECK (price_yearly BETWEEN 0 AND 999999999999),
	currency TEXT NOT NULL DEFAULT 'USD'
		CHECK (length(currency) = 3 AND currency NOT GLOB '*[^A-Z]*'),
	rate_limit_per_hour INTEGER NOT NULL DEFAULT 0 CHECK (rate_limit_per_hour >= 0),
	rate_limit_per_day INTEGER NOT NULL DEFAULT 0 CHECK (rate_limit_per_day >= 0),
	display_order INTEGER NOT NULL DEFAULT 0,
	is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
	created_at ANY NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
	updated_at ANY NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
) STRICT;

CREATE TABLE subscription_package_metadata (
	package_slug TEXT NOT NULL CHECK (length(package_slug) BETWEEN 1 AND 64),
	key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
	value TEXT NOT NULL CHECK (length(value) <= 4000),
	updated_at ANY NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
	PRIMARY KEY (package_slug, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription_features (
	package_slug TEXT NOT NULL CHECK (length(package_slug) BETWEEN 1 AND 64),
	feature_id TEXT NOT NULL CHECK (length(feature_id) BETWEEN 1 AND 64),
	name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 4000),
	included INTEGER NOT NULL DEFAULT 1 CHECK (included IN (0, 1)),
	icon TEXT NOT NULL DEFAULT '' CHECK (length(icon) <= 64),
	category TEXT NOT NULL DEFAULT '' CHECK (length(category) <= 64),
	display_order INTEGER NOT NULL DEFAULT 0,
	updated_at ANY NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
	PRIMARY KEY (package_slug, feature_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER subscription_packages_inserted AFTER INSERT ON subscription_packages BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_packages_updated AFTER UPDATE ON subscription_packages BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_packages_deleted AFTER DELETE ON subscription_packages BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_package_metadata_inserted
AFTER INSERT ON subscription_package_metadata BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_package_metadata_updated
AFTER UPDATE ON subscription_package_metadata BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_package_metadata_deleted
AFTER DELETE ON subscription_package_metadata BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_features_inserted AFTER INSERT ON subscription_features BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_features_updated AFTER UPDATE ON subscription_features BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;
CREATE TRIGGER subscription_features_deleted AFTER DELETE ON subscription_features BEGIN
	UPDATE catalogue_version SET version = version + 1;
END;

-- For people: SELECT * FROM subscription_packages_readable;
CREATE VIEW subscription_packages_readable AS
SELECT display_order, slug, name,
	printf('%d.%02d', price_monthly / 100, price_monthly % 100) AS price_monthly,
	printf('%d.%02d', price_yearly / 100, price_yearly % 100) AS price_yearly,
	currency, rate_limit_per_hour, rate_limit_per_day,
	CASE is_active WHEN 1 THEN 'yes' ELSE 'no' END AS active,
	CASE typeof(updated_at) WHEN 'integer'
		THEN strftime('%Y-%m-%d %H:%M:%S', updated_at / 1000, 'unixepoch')
		ELSE updated_at END AS updated_at
FROM subscription_packages
ORDER BY display_order, slug;
