"""The container engine that the tests of the stack use: one that runs, else one of their own, which
is started from Debian's packages and ended by its process id. Images that no registry gives are
built: `standins` says from what."""

import fcntl
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import cassandra_server  # noqa: E402  (needs the path above)

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(ROOT, "build-dev", "engine")  # images and layers, for the next time
PROJECT = "tools-dashboard"
BASE = "debian:12-slim"
CQLSH = "cqlsh==6.1.2"  # the one that comes with Cassandra 4.1
STAND_IN = "tools-dashboard.stand-in"  # the label of images that are none of the official ones


def environment(**more):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return {**os.environ, "PATH": path, "DOCKER_BUILDKIT": "0", **more}


def run(*command, limit=600, env=None, **more):
    return subprocess.run(command, stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True,
                          text=True, errors="replace", timeout=limit, check=False, cwd=ROOT,
                          env=environment(**(env or {})), **more)


def as_root(*command):
    return list(command) if os.getuid() == 0 else ["sudo", "-n", *command]


class Unavailable(Exception):
    """No engine runs, and none can be started; the text says why."""


class Engine:
    """`host` is what DOCKER_HOST has to be; None: as the client finds it."""

    def __init__(self):
        self.host = os.environ.get("DOCKER_HOST")
        self.folder = self.daemon = None
        self.lock = open(os.path.join(tempfile.gettempdir(), f"{PROJECT}-engine-{os.getuid()}"), "w",
                         encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)  # ports and names of the stack are there once
        if not self.answers():
            self._start()

    def env(self):
        return {"DOCKER_HOST": self.host} if self.host else {}

    def docker(self, *words, **more):
        return run("docker", *words, env=self.env(), **more)

    def answers(self):
        return shutil.which("docker") is not None and \
            self.docker("version", "--format", "{{.Server.Version}}", limit=30).returncode == 0

    def _start(self):
        if shutil.which("dockerd", path=environment()["PATH"]) is None:
            raise Unavailable("no container engine runs and Debian's docker.io is not installed: "
                              "./dev compose-test installs and starts one")
        # The path of a socket is short: not below this folder.
        self.folder = tempfile.mkdtemp(prefix="td-engine-", dir="/tmp")
        self.host = f"unix://{self.folder}/docker.sock"
        os.makedirs(KEPT, exist_ok=True)
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.daemon = subprocess.Popen(
                as_root("dockerd", "--data-root", KEPT, "--exec-root", f"{self.folder}/exec", "-p",
                        f"{self.folder}/pid", "-H", self.host, "-G", str(os.getgid())),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
                start_new_session=True)
        try:
            cassandra_server.wait_until(lambda: self.daemon.poll() is not None or self.answers(), 60,
                                        "the engine's answer")
        except AssertionError as error:
            self.stop()
            raise Unavailable(str(error)) from error
        if self.daemon.poll() is not None:
            with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
                raise Unavailable("dockerd cannot be started here (it needs root and a kernel that "
                                  "lets it make networks):\n" + log.read()[-1500:])

    def stop(self):
        if self.daemon is not None and self.daemon.poll() is None:
            with open(f"{self.folder}/pid", encoding="ascii") as file:
                run(*as_root("kill", f"-{signal.SIGTERM.value}", file.read().strip()))
            self.daemon.wait(60)
        if self.folder is not None:
            run(*as_root("rm", "-rf", self.folder))
        self.lock.close()

    def is_ours(self):
        return self.daemon is not None

    def strangers(self):
        """Containers and volumes of somebody's own stack, which these tests would take down."""
        label = f"label=com.docker.compose.project={PROJECT}"
        return (self.docker("ps", "-aq", "--filter", label).stdout +
                self.docker("volume", "ls", "-q", "--filter", label).stdout).split()

    # ---- images ----

    def _is_official(self, image):
        """Whether the image is there, or can be had, from a registry."""
        there = self.docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)
        if there.returncode == 0:
            return STAND_IN not in there.stdout
        try:
            return self.docker("pull", "-q", image, limit=300).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _build(self, image, folder):
        done = self.docker("build", "-q", "--label", f"{STAND_IN}=true", "-t", image, folder)
        assert done.returncode == 0, f"{image} could not be built:\n{done.stdout}{done.stderr}"

    def _make_base(self):
        """Debian as a file system, from its packages."""
        with tempfile.TemporaryDirectory(prefix="td-base-") as folder:
            tar = os.path.join(folder, "base.tar")
            done = run(*as_root("mmdebstrap", "--variant=minbase", "bookworm", tar))
            assert done.returncode == 0, done.stderr[-3000:]
            with open(tar, "rb") as file:
                done = self.docker("import", "-c", f"LABEL {STAND_IN}=true", "-", BASE, stdin=file)
            assert done.returncode == 0, done.stderr

    def _make_cassandra(self):
        wheels = os.path.join(ROOT, "build-dev", "cqlsh")
        if not glob.glob(os.path.join(wheels, "*.whl")):
            done = run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheels, CQLSH)
            assert done.returncode == 0, done.stderr
        with tempfile.TemporaryDirectory(prefix="td-cassandra-image-") as folder:
            shutil.copytree(os.path.join(HERE, "cassandra"), folder, dirs_exist_ok=True)
            shutil.copytree(wheels, os.path.join(folder, "wheels"))
            for name in ("java17.options", "logback.xml"):
                shutil.copy(os.path.join(cassandra_server.FILES, name), folder)
            os.mkdir(os.path.join(folder, "lib"))
            for jar in glob.glob(os.path.join(cassandra_server.jars("4.1"), "*.jar")):
                shutil.copy2(jar, os.path.join(folder, "lib"))
            self._build("cassandra:4", folder)

    def make_images(self):
        """What the stack is made from is there afterwards; which of them are stand-ins."""
        made = [image for image in (BASE, "postgres:15", "cassandra:4")
                if not self._is_official(image)]
        if BASE in made and self.docker("image", "inspect", BASE).returncode != 0:
            self._make_base()
        if "postgres:15" in made:
            self._build("postgres:15", os.path.join(HERE, "postgres"))
        if "cassandra:4" in made:
            self._make_cassandra()
        return made
