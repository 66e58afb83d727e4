#!/usr/bin/env python3
"""Plants faults and sees whether the tools that should find them do: each must come out red.

Ends with the line "N passed, N failed": passed is a fault that was found.
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import builds  # noqa: E402
import check  # noqa: E402
import run_tests as runner  # noqa: E402


def run_canary(kind, name):
    command = [os.path.join(builds.folder(kind), "tests", "canary", "canary_" + name)]
    if kind == "tsan":
        command = runner.SETARCH + command
    return runner.run_limited(command, 120, {**os.environ, **runner.sanitizer_env()})


def finds(kind, name, words):
    text, code = run_canary(kind, name)
    return code != 0 and words in text


def a_failing_test_is_counted():
    counts = runner.count_tap(*run_canary("asan", "fail_always"))
    return (counts.passed, counts.failed) == (1, 1)


def a_runner_that_breaks_off_is_a_failure():
    counts = runner.count_tap(*run_canary("asan", "crash"))
    return (counts.passed, counts.failed) == (1, 1)


def a_run_without_tests_is_a_failure():
    return runner.count_tap("1..0\n", 0).failed == 1


def a_missing_report_is_a_failure():
    return runner.count_junit("/nonexistent.xml", 0).failed == 1


def a_leak_is_found():
    return finds("asan", "leak", "LeakSanitizer")


def an_overflow_is_found():
    return finds("asan", "overflow", "heap-buffer-overflow")


def undefined_behaviour_is_found():
    return finds("asan", "undefined", "signed integer overflow")


def a_race_is_found():
    return finds("tsan", "race", "data race")


def script_finds(script, files, words):
    """A small source tree with the given files: the script must end with an error that says so."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            where = os.path.join(root, path)
            os.makedirs(os.path.dirname(where), exist_ok=True)
            with open(where, "w") as file:
                file.write(text)
        command = [os.path.join(ROOT, "tools", script), root]
        if script.endswith(".py"):
            command.insert(0, sys.executable)
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode != 0 and words in done.stdout + done.stderr


def layers_find(path, text, words):
    good = {"src/base/x.h": "", "src/http/y.h": '#include "base/x.h"\n#include <microhttpd.h>\n',
            "src/base/alloc.c": "void *f(void) { return malloc(1); } /* pthread_create() */\n"}
    clean = not script_finds("check_layers.py", good, "")
    return clean and script_finds("check_layers.py", {**good, path: text}, words)


def an_arrow_that_points_up_is_found():
    return layers_find("src/base/z.c", '#include "http/y.h"\n', "base may not use")


def a_library_in_the_wrong_folder_is_found():
    return layers_find("src/api/z.c", "#include <sqlite3.h>\n", "store/sqlite/ only")


def a_library_in_the_wrong_file_is_found():
    return layers_find("src/cql/client/z.c", "#include <openssl/ssl.h>\n", "cql/client/openssl_library.h only")


def another_heap_is_found():
    return layers_find("src/app/z.c", "int f(void *p) { free(p); return 0; }\n", "free() is not used")


def threads_outside_work_are_found():
    return layers_find("src/app/z.c", "int f(void) { return pthread_create(0); }\n", "pthread_create")


def a_folder_that_no_layer_knows_is_found():
    return layers_find("src/other/z.c", "", "is in no layer")


def a_header_that_does_not_stand_alone_is_found():
    return script_finds("check_headers.sh", {"src/base/x.h": "size_t f(void);\n"},
                        "src/base/x.h does not compile alone")


def a_header_without_a_guard_is_found():
    return script_finds("check_headers.sh", {"src/base/x.h": "struct x {\n\tint y;\n};\n"},
                        "src/base/x.h does not compile alone")


def a_long_function_is_found():
    text = "int f(void)\n{\n" + "\t;\n" * (check.FUNCTION_MOST + 1) + "}\n"
    found = [end - begin - 1 for _, begin, end in check.functions(text)]
    return found == [check.FUNCTION_MOST + 1]


def an_unfinished_place_is_found():
    return all(check.UNFINISHED.search(w) for w in ("/* TO" "DO: x */", "a st" "ub", "X" "XX")) \
        and not check.UNFINISHED.search('mkdtemp("a-XXXXXX"), "stubborn", "Todos"')


CANARIES = [f for name, f in list(globals().items())
            if name.startswith(("a_", "an_", "another_", "threads_", "undefined_"))]


def main():
    if not builds.build("asan") or not builds.build("tsan"):
        print("0 passed, 1 failed")
        return 1
    passed = failed = 0
    for canary in CANARIES:
        good = canary()
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok' if good else 'FAILED':6} {canary.__name__.replace('_', ' ')}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
