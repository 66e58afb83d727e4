"""PgBouncer in transaction mode before a PgServer."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from pg_server import _owned


class PgBouncer:
    def __init__(self, pg):
        self.folder = tempfile.mkdtemp(prefix="td-pgbouncer-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        with open(f"{self.folder}/users.txt", "w", encoding="ascii") as file:
            file.write('"user" "pass"\n')
        with open(f"{self.folder}/bouncer.ini", "w", encoding="ascii") as file:
            file.write(f"""[databases]
* = host=127.0.0.1 port={pg.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self.folder}/users.txt
pool_mode = transaction
default_pool_size = 8
ignore_startup_parameters = extra_float_digits
""")
        if os.getuid() == 0:
            for name in ("", "/users.txt", "/bouncer.ini"):
                shutil.chown(self.folder + name, "postgres")
        self.log = open(f"{self.folder}/log", "wb")
        self.process = subprocess.Popen(_owned("pgbouncer", f"{self.folder}/bouncer.ini"),
                                        stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < end, self.text()
            time.sleep(0.01)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def text(self):
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
