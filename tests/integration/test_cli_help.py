"""The command line explains itself: help everywhere, hints for what was mistyped, exit codes."""

import json
import os
import subprocess

import pytest

from conftest import clean_env, executable

COMMANDS = ["serve", "migrate", "migrate status", "populate", "catalogue export", "catalogue diff",
            "catalogue apply", "apikey create", "apikey list", "apikey revoke",
            "user reset-password", "config", "doctor",
            "healthcheck", "version", "help"]
GROUPS = ["catalogue", "apikey", "user"]


def run(*args, folder="/", **env):
    return subprocess.run([executable(), *args], cwd=folder, env=clean_env(**env),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                          check=False)


def test_overview_lists_every_command_and_exit_code():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    for code in "0123456":
        assert f"\n  {code} " in done.stdout
    assert "128+n" in done.stdout
    assert run("-h").stdout == done.stdout
    assert run("help").stdout == done.stdout


def test_without_a_command_the_overview_goes_to_stderr():
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: tools-dashboard COMMAND" in done.stderr


@pytest.mark.parametrize("command", COMMANDS + GROUPS)
def test_every_command_has_help_with_examples_and_exit_codes(command):
    done = run(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: tools-dashboard {command}" in done.stdout
    assert "\nExamples:\n" in done.stdout and "\nExit codes:\n" in done.stdout
    assert run(*command.split(), "-h").stdout == done.stdout
    assert run("help", *command.split()).stdout == done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 120
    assert not [line for line in done.stdout.splitlines() if line.endswith(" ")]


def test_help_wins_over_what_else_is_wrong():
    assert run("serve", "--nonsense", "--help").returncode == 0


@pytest.mark.parametrize("args, text", [
    (["sevre"], "there is no command 'sevre'; did you mean 'serve'?"),
    (["xyzzy"], "there is no command 'xyzzy'; see tools-dashboard --help"),
    (["serve", "--prot", "1"], "there is no flag --prot; did you mean --port?"),
    (["serve", "--xyzzy"], "there is no flag --xyzzy; see tools-dashboard serve --help"),
    (["serve", "-p"], "there is no flag -p"),
    (["serve", "--port"], "--port needs a value"),
    (["serve", "extra"], "'extra' is one argument too many"),
    (["version", "--json=1"], "--json takes no value"),
    (["apikey", "creat"], "did you mean 'apikey create'?"),
    (["apikey"], "'apikey' needs one of its commands"),
    (["apikey", "create"], "needs a name"),
    (["apikey", "create", "--name", ""], "--name: "),
    (["apikey", "create", "--name", "a\nb"], "--name: "),
    (["apikey", "revoke"], "'apikey revoke' needs ID"),
    (["apikey", "revoke", "x"], "'x' is not the id of a key"),
    (["user", "reset-password"], "'user reset-password' needs EMAIL"),
    (["catalogue", "diff"], "'catalogue diff' needs FILE"),
    (["--port", "1", "serve"], "a command stands before its flags"),
    (["serve", "--postgres-password", "hunter2"], "a secret has no flag"),
    (["serve", "--" + "x" * 5000], "there is no flag"),
    (["serve", "--\x1b[31m"], "\\u001b[31m"),
])
def test_wrong_usage_is_2_and_says_the_way_out(args, text):
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert text in done.stderr
    assert "hunter2" not in done.stderr and "\x1b" not in done.stderr


def test_version_as_text_and_json():
    text = run("version").stdout.strip()
    data = json.loads(run("version", "--json").stdout)
    assert text == f"tools-dashboard {data['version']}"
    assert run("--version").stdout.strip() == text


def test_a_result_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([executable(), "version"], env=clean_env(), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "could not be written" in done.stderr


def test_the_man_page_names_every_command():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, "docs/man/tools-dashboard.1"), encoding="utf-8") as page:
        text = page.read()
    for command in COMMANDS:
        assert f"\n.SS {command}" in text
