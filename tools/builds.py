"""The kinds of builds that tests, checks and fuzzing use, and a line of output for each step."""
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count() or 2

GCC = {"CC": "gcc"}
CLANG = {"CC": "clang"}

# name: environment, meson options
BUILDS = {
    "asan": (GCC, ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Darena=malloc",
                   "-Dbench=false", "-Doptimization=1"]),
    "tsan": (GCC, ["-Db_sanitize=thread", "-Db_lundef=false", "-Dbench=false", "-Doptimization=1"]),
    "release": (GCC, ["-Dbuildtype=debugoptimized", "-Dwerror=true"]),
    "clang": (CLANG, ["-Dbuildtype=debugoptimized", "-Dwerror=true"]),
    "cov": (CLANG, ["-Doptimization=0", "-Dbench=false",
                    "-Dc_args=-fprofile-instr-generate -fcoverage-mapping",
                    "-Dc_link_args=-fprofile-instr-generate"]),
    "fuzz": (CLANG, ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Darena=malloc",
                     "-Dbench=false", "-Doptimization=2", "-Dfuzz=true"]),
}


def folder(kind):
    return os.path.join(ROOT, "build-" + kind)


def run_quiet(command, **kw):
    """Runs a command; its output is shown only when it fails. True when it worked."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **kw)
    if done.returncode != 0:
        noise = ("Compiler for C", "Dependency ", "Program ", "[")
        lines = [line for line in done.stdout.splitlines() if not line.startswith(noise)]
        print("\n".join(line[:400] for line in lines[:60]), flush=True)
        print("failed:", " ".join(command), flush=True)
    return done.returncode == 0


def configure(kind):
    env, options = BUILDS[kind]
    where = folder(kind)
    stamp = os.path.join(where, "options.txt")
    wanted = "\n".join(options)
    known = os.path.exists(stamp) and open(stamp).read() == wanted
    if known and os.path.exists(os.path.join(where, "build.ninja")):
        return True
    command = ["meson", "setup", where, *options]
    if os.path.exists(os.path.join(where, "meson-private")):
        command.insert(2, "--wipe")
    if not run_quiet(command, env={**os.environ, **env}):
        return False
    with open(stamp, "w") as out:
        out.write(wanted)
    return True


def build(kind, *targets):
    """Configures and builds; True when it worked."""
    begin = time.monotonic()
    good = configure(kind) and run_quiet(["ninja", "-k", "20", "-C", folder(kind), *targets])
    print(f"build-{kind}: {'built' if good else 'FAILED'} in {time.monotonic() - begin:.0f} s",
          flush=True)
    return good


def venv():
    """The Python of tests/requirements.txt, made when that file has changed; None: it failed."""
    where = os.path.join(ROOT, "build-dev", "venv")
    wanted = os.path.join(ROOT, "tests", "requirements.txt")
    stamp = os.path.join(where, "requirements.txt")
    python = os.path.join(where, "bin", "python")
    if os.path.exists(stamp) and open(stamp).read() == open(wanted).read():
        return python
    print("build-dev/venv: installing tests/requirements.txt", flush=True)
    made = run_quiet([sys.executable, "-m", "venv", "--clear", "--system-site-packages", where]) and \
        run_quiet([python, "-m", "pip", "install", "-q", "-r", wanted])
    if not made:
        return None
    with open(stamp, "w") as out:
        out.write(open(wanted).read())
    return python
