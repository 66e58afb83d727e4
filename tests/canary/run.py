#!/usr/bin/env python3
"""Plants faults and sees whether the tools that should find them do: each must come out red.

Ends with the line "N passed, N failed": passed is a fault that was found.
"""
import json
import os
import platform
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import analysis  # noqa: E402
import builds  # noqa: E402
import check  # noqa: E402
import hardening  # noqa: E402
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


FAULTY = """#include "base/alloc.h"
struct item {
	int value;
	struct item *next;
};
int last(const struct item *item)
{
	while (item != 0)
		item = item->next;
	return item->value;
}
int lost(int value)
{
	struct item *item = td_alloc(sizeof(*item));
	if (item == 0)
		return 0;
	item->value = value;
	return item->value;
}
"""


def found_by(tool):
    """The checks that say something of it, with the command that the tool has for a file of ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "faulty.c")
        include = "-I" + os.path.join(ROOT, "src")
        command = ["gcc", "-D_GNU_SOURCE", "-O2", include, "-c", path, "-o", "faulty.o"]
        with open(path, "w") as file:
            file.write(FAULTY)
        with open(os.path.join(folder, "compile_commands.json"), "w") as file:
            json.dump([{"directory": folder, "file": path, "command": " ".join(command)}], file)
        found = analysis.run_tool(tool, analysis.Unit(path, folder, command, []))
    return {finding.check for finding in found}


def a_null_pointer_and_a_leak_are_found_by_gcc():
    return found_by("gcc") >= {"analyzer-null-dereference", "analyzer-malloc-leak"}


def a_null_pointer_and_a_leak_are_found_by_clang_tidy():
    return found_by("clang-tidy") >= {"clang-analyzer-core.NullDereference", "clang-analyzer-unix.Malloc"}


def judged(*rows):
    """What is said of one finding, in a function of base/alloc.c, with these rows of explanations."""
    path = "src/base/alloc.c"
    line = 1 + check.read(path).split("\nvoid *td_alloc(")[0].count("\n") + 2
    found = analysis.Finding(path, line, 1, "null", "may be NULL")
    return analysis.judge({found}, analysis.explained("[tool 1]\n" + "\n".join(rows)).get("tool 1", []))


def a_finding_that_nobody_explains_is_told():
    row = "src/base/alloc.c td_alloc null"
    return any("may be NULL [null] in td_alloc" in line for line in judged()) \
        and judged(row, "    It never is.") == [] and judged(row) != [] \
        and judged(row + " times 2", "    It never is.") != []


def an_explanation_of_nothing_is_told():
    rows = ("src/base/alloc.c td_alloc null", "    It never is.", "src/base/arena.c td_arena_done null",
            "    It was.")
    return any("explained 1 times, found 0 times" in line for line in judged(*rows))


GUARDED = """#include <stdarg.h>
#include <stdio.h>
#include <string.h>
__attribute__((noipa)) static void say(const char *format, ...)
{
	char text[64];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "%s %d\\n", text, (int)sizeof(text));
}
int main(int argc, char **argv)
{
	char text[64];
	memcpy(text, argv[0], (size_t)argc);
	(void)snprintf(text + argc, sizeof(text) - (size_t)argc, "%d", argc);
	say("%s", text);
	return 0;
}
"""
HARDENED = ["-O2", "-g", "-fPIE", "-pie", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-Wl,-z,relro",
            "-Wl,-z,now", "-Wl,-z,noexecstack", *hardening.NOTED]
SOFTENED = {
    ("-no-pie", "-fno-pie"): "is no PIE",
    ("-Wl,-z,norelro",): "has no RELRO",
    ("-Wl,-z,lazy",): "has RELRO in part",
    ("-Wl,-z,execstack",): "has an executable stack",
    ("-Wl,-rpath,/nowhere",): "(RPATH)",
    ("-fno-stack-protector",): "has no stack protector",
    ("-U_FORTIFY_SOURCE",): "is not fortified",
    ("-fno-stack-clash-protection",): "compiled without -fstack-clash-protection",
}
if platform.machine() == "x86_64":
    HARDENED += hardening.NOTED_X86
    SOFTENED[("-fcf-protection=none",)] = "compiled without -fcf-protection=full"


def softened(folder, flags):
    """What is missing in a program that was built with these flags in the place of the right ones."""
    path = os.path.join(folder, "guarded.c")
    with open(path, "w") as file:
        file.write(GUARDED)
    program = os.path.join(folder, "guarded")
    right = [flag for flag in HARDENED if flag.split("=")[0] not in " ".join(flags)]
    subprocess.run(["gcc", *right, *flags, path, "-o", program], check=True, capture_output=True)
    return hardening.problems(program)


def an_executable_that_is_not_hardened_is_found():
    with tempfile.TemporaryDirectory() as folder:
        return softened(folder, ()) == [] and all(
            any(words in line for line in softened(folder, flags)) for flags, words in SOFTENED.items())


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
