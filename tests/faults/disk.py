"""What tests of faults share: the integration tests' harness, and the shim of shim_fsync.c."""

import fcntl
import importlib.util
import mmap
import os
import shutil
import sqlite3
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def _load_harness():
    """The integration tests' fixtures, under a name of their own."""
    path = os.path.join(ROOT, "tests", "integration", "conftest.py")
    spec = importlib.util.spec_from_file_location("harness", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["harness"] = module
    spec.loader.exec_module(module)
    return module


harness = _load_harness()


def find_shim(name):
    for variable in ("TOOLS_DASHBOARD", "TOOLS_DASHBOARD_RELEASE"):
        folder = os.path.dirname(os.environ.get(variable, os.path.join(ROOT, "build", "x")))
        path = os.path.join(folder, "tests", "faults", name + ".so")
        if os.path.exists(path):
            return path
    raise AssertionError(f"{name}.so is not built")


class Shim:
    """The shim around the database of one folder."""

    SYNCS, WRITES, DISK_FULL, EXIT_AT_WRITE, DELAY_MS, EXIT_AT_SYNC, FORGETFUL = range(7)

    def __init__(self, folder, shadow=False):
        self.folder = str(folder)
        self.database = os.path.join(self.folder, "tools-dashboard.db")
        self.shadow = os.path.join(self.folder, "shadow") if shadow else None
        control = os.path.join(self.folder, "shim-control")
        with open(control, "wb") as file:
            file.write(bytes(64))
        with open(control, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), 64)
        self.env = {"LD_PRELOAD": find_shim("shim_fsync"), "SHIM_PATH": self.database,
                    "SHIM_CONTROL": control}
        if shadow:
            os.mkdir(self.shadow)
            self.env["SHIM_SHADOW"] = self.shadow

    def __getitem__(self, number):
        return struct.unpack_from("=q", self.control, number * 8)[0]

    def __setitem__(self, number, value):
        struct.pack_into("=q", self.control, number * 8, value)

    def copy(self, target):
        """What a power cut at this moment would leave, as the database file in `target`."""
        os.makedirs(target)
        with open(os.path.join(self.shadow, "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for name in os.listdir(self.shadow):
                if name != "lock":
                    shutil.copyfile(os.path.join(self.shadow, name), os.path.join(target, name))
        return os.path.join(target, "tools-dashboard.db")


def users_of(database):
    """The ids of all users, read by another client; the file must be whole."""
    connection = sqlite3.connect(database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in connection.execute("SELECT id FROM users")}
    finally:
        connection.close()
