"""The executable says what it is."""

import subprocess

from conftest import clean_env, executable


def test_version_is_one_line_on_stdout():
    done = subprocess.run([executable(), "version"], env=clean_env(), capture_output=True,
                          text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tools-dashboard ")
    assert done.stdout.count("\n") == 1
