"""What src/cql/README.md shows, on a real server; and the client as a library that others link."""

import os
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env, executable

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from fake_cassandra import FakeCassandra  # noqa: E402

BUILD = os.path.dirname(executable())
EXAMPLES = os.path.join(ROOT, "src", "cql", "examples")


def run(path, *words, code=0):
    done = subprocess.run([path, *map(str, words)], env=clean_env(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def example(name, *words, **more):
    return run(os.path.join(BUILD, "src", "cql", "examples", "cql_example_" + name), *words, **more)


@pytest.fixture(scope="module")
def server():
    cluster = cassandra_server.Cluster()
    try:
        cluster.start()
        yield cluster.nodes[0].address, cluster.port
    finally:
        cluster.remove()


def test_first(server):
    for _ in range(2):
        assert sorted(example("first", *server).splitlines()) == \
            ["Lisboa: 12 users", "Napoli: 7 users"]


def test_many_rows_are_written_and_read_page_by_page(server):
    assert example("many", *server, 5000).startswith("5000 rows, ")
    total = sum(n * n for n in range(5000))
    assert example("pages", *server, 300) == f"5000 rows in 17 pages, sum {total}\n"
    assert f"5000 rows in 1 pages, sum {total}\n" == example("pages", *server, 6000)


def test_they_tell_what_is_wrong():
    with FakeCassandra() as gone:
        place = gone.address, gone.port
    for name in ("first", "many", "pages"):
        assert "refused" in example(name, *place, code=1)
        assert "usage" in example(name, code=1)


# ---- the library

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A build of its own, without sanitizers, that is installed as a distribution would."""
    work = tmp_path_factory.mktemp("tdcql")
    build, stage = str(work / "build"), str(work / "stage")
    env = {**os.environ, "CC": "gcc", "DESTDIR": stage}
    for command in (
            ["meson", "setup", build, "-Dtests=false", "-Dbench=false", "--prefix=/opt/td",
             "--libdir=lib"],
            ["ninja", "-C", build, "src/cql/libtdcql.a"],
            ["meson", "install", "-C", build, "--no-rebuild", "--tags", "devel"]):
        done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return work, stage


def _files(top):
    return {os.path.relpath(os.path.join(folder, name), top)
            for folder, _, names in os.walk(top) for name in names}


def test_an_installed_library_needs_nothing_but_pkg_config(installed):
    work, stage = installed
    files = _files(os.path.join(stage, "opt", "td"))
    assert {"lib/libtdcql.a", "lib/pkgconfig/tdcql.pc", "include/tdcql/cql/cql.h"} <= files
    assert not any(f.startswith("bin/") or f.startswith("share/") for f in files)
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": stage,
           "PKG_CONFIG_PATH": os.path.join(stage, "opt", "td", "lib", "pkgconfig")}
    with FakeCassandra() as fake:
        for name in ("first", "many", "pages"):
            source, program = str(work / f"{name}.c"), str(work / name)
            shutil.copy(os.path.join(EXAMPLES, name + ".c"), source)  # away from our headers
            done = subprocess.run(
                ["sh", "-c", 'cc -Wall -Wextra -Werror -o "$2" "$1" '
                 '$(pkg-config --cflags --libs --static tdcql)', "sh", source, program],
                env=env, cwd=work, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr
            run(program, fake.address, fake.port, *([10] if name == "many" else []))
    needs = subprocess.run(["ldd", str(work / "first")], capture_output=True, text=True,
                           check=True).stdout
    assert "liblz4" in needs
    assert not any(word in needs for word in ("jansson", "sodium", "brotli", "libpq", "sqlite"))
