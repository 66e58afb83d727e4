"""docs/API.md: every command in it runs, in its order, and answers as it says."""

import json
import os
import re
import subprocess

from conftest import ROOT, clean_env, executable

BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.M | re.S)
# Made by the service: only their form can be compared.
ID = re.compile(r"customer-\d+|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MADE = {"id": ID, "package_id": ID, "subscription_id": ID, "next_cursor": re.compile(r"p\d+"),
        **{name: TIME for name in ("created_at", "updated_at", "started_at", "canceled_at", "at",
                                   "current_period_start", "current_period_end")}}


def blocks():
    with open(os.path.join(ROOT, "docs", "API.md"), encoding="utf-8") as file:
        found = BLOCK.findall(file.read())
    assert sum(kind == "sh" for kind, _ in found) >= 5
    return found


def compare(shown, real, name=""):
    if name in MADE and shown is not None:
        assert MADE[name].fullmatch(real), (name, real)
        assert MADE[name].fullmatch(shown), (name, shown)
    elif isinstance(shown, dict):
        assert isinstance(real, dict) and list(real) == list(shown), real
        for key, value in shown.items():
            compare(value, real[key], key)
    elif isinstance(shown, list):
        assert isinstance(real, list) and len(real) == len(shown), real
        for one, other in zip(shown, real):
            compare(one, other, name)
    else:
        assert real == shown, name


def script(found, port):
    """One shell for all commands, a mark after each."""
    lines = ["set -e"]
    for kind, text in found:
        if kind == "sh":
            lines += [text.replace("127.0.0.1:8100", f"127.0.0.1:{port}"), "printf '\\n@@@\\n'"]
    return "\n".join(lines)


def test_every_example_answers_as_the_page_says(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    os.symlink(os.path.abspath(executable()), programs / "tools-dashboard")
    env = clean_env()
    env["PATH"] = f"{programs}:{env['PATH']}"
    found = blocks()
    done = subprocess.run(["bash", "-c", script(found, server.port)], cwd=tmp_path, env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr + server.log
    outputs = done.stdout.split("\n@@@\n")
    index = -1
    for kind, text in found:
        if kind == "sh":
            index += 1
        elif kind == "json":
            compare(json.loads(text), json.loads(outputs[index]))
        else:
            assert outputs[index].replace("\r", "").strip() == text.strip()
