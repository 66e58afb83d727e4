"""./dev install and ./dev uninstall, into a folder; and the systemd unit, as far as it can be judged
where systemd does not run."""

import os
import re
import subprocess

import pytest

from conftest import ROOT, clean_env

EXPOSURE_MOST = 20  # systemd's tenths: 2.0 of 10
PLACES = {"/opt/td/bin/tools-dashboard": 0o755, "/opt/td/share/man/man1/tools-dashboard.1": 0o644,
          "/opt/td/lib/systemd/system/tools-dashboard.service": 0o644,
          "/etc/tools-dashboard/tools-dashboard.conf": 0o600}
CONF = "/etc/tools-dashboard/tools-dashboard.conf"


def dev(verb, destdir):
    done = subprocess.run(["./dev", verb], cwd=ROOT, capture_output=True, text=True, timeout=900,
                          check=False, env=clean_env(DESTDIR=destdir, PREFIX="/opt/td"))
    assert done.returncode == 0, done.stderr
    return done.stderr


def files(folder):
    return {os.path.join(at, name)[len(folder):] for at, _, names in os.walk(folder) for name in names}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("install"))
    dev("install", folder)
    return folder


def test_install_puts_four_files_below_destdir(installed):
    assert files(installed) == set(PLACES)
    for place, mode in PLACES.items():
        assert os.stat(installed + place).st_mode & 0o777 == mode, place


def test_what_is_installed_runs_with_the_settings_beside_it(installed):
    done = subprocess.run([installed + "/opt/td/bin/tools-dashboard", "config", "--config",
                           installed + CONF], capture_output=True, text=True, timeout=60,
                          check=False, env=clean_env())
    assert done.returncode == 0 and "sqlite" in done.stdout, done.stderr


def test_the_unit_waits_for_readiness_and_has_systemd_read_the_settings(installed):
    with open(installed + "/opt/td/lib/systemd/system/tools-dashboard.service", encoding="utf-8") as file:
        unit = file.read()
    assert "\nType=notify\n" in unit and "@PREFIX@" not in unit
    assert "\nExecStart=/opt/td/bin/tools-dashboard serve\n" in unit
    assert f"\nEnvironmentFile=-{CONF}\n" in unit


def test_systemd_understands_the_unit_and_finds_it_little_exposed(installed):
    unit = installed + "/opt/td/lib/systemd/system/tools-dashboard.service"
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True,
                          timeout=60, check=False)
    # Of the installed paths nothing is there: DESTDIR is before them.
    wrong = [line for line in done.stderr.splitlines()
             if "tools-dashboard.service" in line and not re.search(r"is not executable|'man ", line)]
    assert wrong == []
    done = subprocess.run(["systemd-analyze", "security", "--offline=true",
                           f"--threshold={EXPOSURE_MOST}", unit], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0 and "Overall exposure level" in done.stdout, done.stdout[-500:]


def test_installing_again_and_uninstalling_keep_what_somebody_has_set(tmp_path):
    folder = str(tmp_path)
    dev("install", folder)
    with open(folder + CONF, "a", encoding="utf-8") as file:
        file.write("PORT=8200\n")
    dev("install", folder)
    assert "kept" in dev("uninstall", folder)
    assert files(folder) == {CONF}
    with open(folder + CONF, encoding="utf-8") as file:
        assert file.read().endswith("PORT=8200\n")


def test_uninstalling_leaves_nothing_else(tmp_path):
    dev("install", str(tmp_path))
    dev("uninstall", str(tmp_path))
    assert files(str(tmp_path)) == set()
    dev("uninstall", str(tmp_path))  # nothing there is no failure
