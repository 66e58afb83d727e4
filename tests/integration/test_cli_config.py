"""Settings: where they come from, what is said about wrong ones, that secrets stay secret."""

import json
import os
import pty
import subprocess

import pytest

from conftest import clean_env, executable
from test_cli_help import run


def config(folder="/", *args, **env):
    done = run("config", "--json", *args, folder=folder, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_defaults_of_the_contract():
    settings = config()["settings"]
    assert all(row["from"] == "default" for row in settings.values())
    expected = {
        "HOST": "127.0.0.1", "PORT": "8100", "STORE_TIMEOUT": "10", "CATALOGUE_REFRESH": "5",
        "HTTP_HEADER_TIMEOUT": "10", "HTTP_REQUEST_TIMEOUT": "30", "HTTP_SEND_TIMEOUT": "30",
        "HTTP_IDLE_TIMEOUT": "60", "HTTP_MAX_CONNECTIONS": "20000", "HTTP_MAX_PER_ADDRESS": "256",
        "HTTP_MAX_BODY": "64KiB", "SITE_NAME": "Tools Dashboard", "SHUTDOWN_TIMEOUT": "8",
        "LOG_FORMAT": "text", "LOG_LEVEL": "info", "PUBLIC_URL": None,
        "DATABASE_URL": "sqlite:///tools-dashboard.db",
    }
    assert {name: settings[name]["value"] for name in expected} == expected


def test_flags_win_over_environment_over_file_over_default(tmp_path):
    (tmp_path / "td.conf").write_text("# ours\nPORT = 1\nSITE_NAME='From a file'\nLOG_LEVEL=debug\n")
    settings = config(tmp_path, "--config", "td.conf", "--port=3", PORT=2, SITE_NAME="env")["settings"]
    assert (settings["PORT"]["value"], settings["PORT"]["from"]) == ("3", "flag")
    assert settings["PORT"]["source"] == "flag --port"
    assert (settings["SITE_NAME"]["value"], settings["SITE_NAME"]["from"]) == ("env", "environment")
    assert (settings["LOG_LEVEL"]["value"], settings["LOG_LEVEL"]["from"]) == ("debug", "file")
    assert settings["LOG_LEVEL"]["source"] == "td.conf line 4"


def test_the_text_form_shows_value_and_origin():
    lines = run("config", PORT=9).stdout.splitlines()
    assert [line.split() for line in lines if line.startswith("PORT")] == [["PORT", "9", "environment"]]


def test_all_wrong_settings_at_once(tmp_path):
    (tmp_path / "td.conf").write_text("PROT=1\nnonsense\nHTTP_MAX_BODY=64KB\n")
    for command in ("config", "serve", "migrate", "populate"):
        done = run(command, "--config", "td.conf", "--host", "a b", folder=tmp_path,
                   PORT=70000, LOG_LEVEL="loud", STORE_TIMEOUT="5x", POSTGRES_PORT="x",
                   CASSANDRA_CONTACT_POINTS="a:x", TEST_CLOCK="2026-13-01T00:00:00Z",
                   DATABASE_URL="postgresql://user:hunter2@db:0/main_db", PUBLIC_URL="example.com",
                   TRUSTED_PROXIES="10.0.0.0/40", TEMPLATES_DIR="/no/such/folder")
        assert (done.returncode, done.stdout) == (3, "")
        lines = done.stderr.splitlines()
        assert all("error: " in line for line in lines)
        for text in ("td.conf, line 1: there is no setting PROT; did you mean PORT?",
                     "td.conf, line 2: there is no '='",
                     "HTTP_MAX_BODY (td.conf, line 3): '64KB' has the unit 'KB': use KiB or MiB",
                     "HOST (--host): 'a b' is neither an address nor a host name",
                     "PORT: '70000' is not within 0 to 65535",
                     "LOG_LEVEL: 'loud' is not one of its words: use debug, info, warning or error",
                     "STORE_TIMEOUT: '5x' has the unit 'x'",
                     "POSTGRES_PORT: 'x' is not a whole number",
                     "CASSANDRA_CONTACT_POINTS: the port 'x' is not within 1 to 65535",
                     "TEST_CLOCK: '2026-13-01T00:00:00Z' is not a time: write it as",
                     "DATABASE_URL: the port is 0",
                     "PUBLIC_URL: it must begin with http:// or https://",
                     "TRUSTED_PROXIES: '10.0.0.0/40'",
                     "TEMPLATES_DIR: /no/such/folder: No such file or directory"):
            assert [line for line in lines if text in line], text
        assert len(lines) == 14
        assert "hunter2" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["td.conf"]


@pytest.mark.parametrize("command", ["serve", "back-api", "migrate", "populate", "catalogue export"])
@pytest.mark.parametrize("name", ["CASSANDRA_CONTACT_POINTS", "CASSANDRA_HOSTS"])
def test_content_in_cassandra_beside_sqlite_is_refused(tmp_path, command, name):
    done = run(*command.split(), folder=tmp_path, **{name: "cassandra"})
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{name}: content in Cassandra needs PostgreSQL for all else, not SQLite" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, value, text", [
    ("PORT", "eighty", "PORT: 'eighty' is not a whole number"),
    ("HTTP_IDLE_TIMEOUT", "-1", "HTTP_IDLE_TIMEOUT: '-1' is negative"),
    ("HTTP_IDLE_TIMEOUT", "2h", "HTTP_IDLE_TIMEOUT: '2h' is not within 100ms to 1h"),
    ("HTTP_MAX_BODY", "1GiB", "HTTP_MAX_BODY: '1GiB' has the unit 'GiB': use KiB or MiB"),
    ("LOG_FORMAT", "xml", "LOG_FORMAT: 'xml' is not one of its words: use text or json"),
    ("PUBLIC_URL", "https://x/shop", "PUBLIC_URL: '/shop' behind the host"),
    ("DATABASE_URL", "tools.db", "DATABASE_URL: its scheme is missing"),
    ("DATABASE_URL", "mysql://u:hunter2@h/d", "DATABASE_URL: its scheme 'mysql' is not known"),
    ("DATABASE_URL", "sqlite://x.db", "DATABASE_URL: its host: SQLite has none"),
    ("DATABASE_URL", "sqlite:///:memory:", "DATABASE_URL: its path"),
    ("DATABASE_URL_FILE", "/no/such/file", "DATABASE_URL_FILE: /no/such/file: No such file"),
    ("CATALOGUE_FILE", "/no/such/file", "CATALOGUE_FILE: /no/such/file: No such file"),
    ("DATABASE_URL", "postgresql://u:hunter2@h:1x/d", "DATABASE_URL: the port is not a number"),
    ("DATABASE_URL", "postgresql://u:hunter2%@h/d", "DATABASE_URL: the password has a %"),
    ("DATABASE_URL", "postgresql://u:hunter2@h/d?sslmod=require",
     "DATABASE_URL: its parameter sslmod is not known; did you mean sslmode?"),
    ("DATABASE_URL", "postgresql://u@h/d?sslmode=hunter2",
     "DATABASE_URL: its parameter sslmode must be one of: disable allow prefer"),
    ("DATABASE_URL", "postgresql://u@h/d?password=a&hunter2=b",
     "DATABASE_URL: parameter 2 behind its ? is not one of libpq's"),
    ("POSTGRES_HOST", "a b", "POSTGRES_HOST: the host has a character"),
    ("POSTGRES_PASSWORD_FILE", "/hunter", "POSTGRES_PASSWORD_FILE: /hunter: No such file"),
    ("EVENTS_TTL", "21y", "EVENTS_TTL: '21y' has the unit 'y'"),
    ("EVENTS_RATE", "0", "EVENTS_RATE: '0' is not within 1 to 1000000"),
    ("CONNECT_MAX_RETRIES", "-2", "CONNECT_MAX_RETRIES: "),
])
def test_a_wrong_value_names_variable_and_part(name, value, text):
    done = run("config", **{name: value})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: " + text)
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_an_empty_value_is_unset():
    settings = config(PORT="", POSTGRES_HOST="", TEST_CLOCK="", DATABASE_URL="")["settings"]
    assert settings["PORT"]["value"] == "8100"


def test_a_database_url_through_a_file(tmp_path):
    secret = tmp_path / "url"
    secret.write_text("sqlite:///from-a-file.db\n")
    row = config(tmp_path, DATABASE_URL_FILE=secret)["settings"]["DATABASE_URL"]
    assert row["value"] == "sqlite:///from-a-file.db"
    assert row["source"] == f"environment, DATABASE_URL_FILE {secret}"
    both = run("config", DATABASE_URL_FILE=secret, DATABASE_URL="sqlite:///x.db")
    assert both.returncode == 3
    assert "DATABASE_URL and DATABASE_URL_FILE are both set" in both.stderr


def test_a_password_in_a_flag_is_refused():
    done = run("config", "--database-url", "sqlite://user:hunter2@host/x.db")
    assert done.returncode == 3
    assert "a password has no place in a flag" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_config_file_that_is_not_there():
    done = run("config", "--config", "/no/such/file")
    assert (done.returncode, done.stdout) == (3, "")
    assert "--config: /no/such/file: No such file or directory" in done.stderr


def test_json_logs_tell_what_is_wrong_too():
    done = run("serve", LOG_FORMAT="json", PORT="x", HOST="a b")
    assert done.returncode == 3
    rows = [json.loads(line) for line in done.stderr.splitlines()]
    assert [row["level"] for row in rows] == ["error", "error"]
    assert {row["event"] for row in rows} == {"setting.wrong"}


def in_terminal(**env):
    """What `config` with a wrong setting writes to a terminal."""
    main, other = pty.openpty()
    done = subprocess.run([executable(), "config"], env=clean_env(PORT="x", TERM="xterm", **env),
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=other,
                          timeout=30, check=False)
    os.close(other)
    text = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 3
    return text


def test_colours_only_in_a_terminal_that_wants_them():
    assert in_terminal().startswith("\x1b[31merror:\x1b[0m PORT: ")
    assert in_terminal(NO_COLOR="1").startswith("error: PORT: ")
    assert run("config", PORT="x", TERM="xterm").stderr.startswith("error: PORT: ")
