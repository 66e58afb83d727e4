#!/usr/bin/env python3
"""Reads every #include and some calls below src/ and says where an arrow points up.

usage: check_layers.py [SOURCE_ROOT]

Prints one line a violation and ends with 1 when there is one.
"""
import os
import re
import sys

# Folder: the folders whose headers it may use, beside its own. From the bottom up.
BELOW = {
    "base": [],
    "assets": ["base"],
    "work": ["base"],
    "settings": ["base", "connect"],
    "migrate": ["base", "assets"],
    "connect": ["base", "work"],
    "cql/protocol": ["base"],
    "cql/client": ["base", "work", "cql/protocol"],
    "cql": ["cql/protocol", "cql/client"],
    "cql/examples": ["base", "cql", "cql/protocol", "cql/client"],
    "store": ["base", "work"],
    "store/sqlite": ["base", "work", "assets", "migrate", "store"],
    "store/postgres": ["base", "work", "assets", "migrate", "connect", "store"],
    "store/cassandra": ["base", "work", "assets", "migrate", "connect", "cql", "cql/protocol", "cql/client", "store"],
    "catalogue": ["base", "assets", "work", "store"],
    "app": ["base", "store"],
    "http": ["base", "work"],
    "call": ["base", "work", "store", "app", "http"],
    "api": ["base", "work", "assets", "store", "catalogue", "app", "http", "call"],
    "page": ["base", "assets", "work", "store", "catalogue", "app", "http", "call"],
    "service": ["base", "assets", "work", "connect", "settings", "migrate", "store", "store/sqlite", "store/postgres",
                "store/cassandra", "catalogue", "app", "http", "call", "api", "page"],
    "doctor": ["base", "work", "connect", "settings", "migrate", "store", "store/sqlite", "store/postgres", "store/cassandra",
               "service"],
    "command": ["base", "assets", "work", "connect", "settings", "migrate", "store", "store/sqlite", "store/postgres", "store/cassandra",
                "catalogue", "app", "service", "doctor"],
    "": ["base", "command", "service"],  # main.c
}

# Header of the system, or folder of headers: the only folders or files that may include it.
ONLY = {
    "microhttpd.h": ["http"],
    "sqlite3.h": ["store/sqlite"],
    "libpq-fe.h": ["store/postgres"],
    "lz4.h": ["cql/protocol"],
    "openssl/": ["cql/client/openssl_library.h"],
    "pthread.h": ["work"],
    "threads.h": [],
    "semaphore.h": ["cql/examples"],
}

# Call: the only files that may make it, and what to use instead.
CALLS = [
    (r"(?:malloc|calloc|realloc|reallocarray|free|strdup|strndup|aligned_alloc|posix_memalign)",
     ["src/base/alloc.c"], "td_alloc and its family (base/alloc.h)"),
    # pthread_sigmask() is of <signal.h>, and what sigprocmask() is where there are threads.
    (r"pthread_(?!sigmask\b)\w+", ["src/work/"], "work/lock.h and work/thread.h"),
    (r"(?:asprintf|vasprintf|alloca)", [], "td_arena_printf or td_buf_printf"),
    (r"(?:sprintf|vsprintf|strcpy|strcat|gets)", [], "snprintf, td_buf"),
    (r"(?:strtok|gmtime|localtime|ctime|asctime|rand|srand|setenv|putenv|system)", [],
     "something that threads may share"),
    (r"(?:atoi|atol|atoll|atof)", [], "a parser that sees bad input"),
]

COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments_and_strings(text):
    def blank(match):
        return "".join("\n" if c == "\n" else " " for c in match.group(0))
    return COMMENT_OR_STRING.sub(blank, text)


def functions(text):
    """Number and text of the line with the name, first and last line of each function, in a text without
    comments; bodies begin and end at column 0."""
    head, begin = None, None
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[a-zA-Z_][^;=]*\(", line):
            head = (number, line)
        if line.startswith("{") and head is not None:
            begin = number
        if line.startswith("}") and begin is not None:
            yield head, begin, number
            head, begin = None, None


def layer_of(path):
    """The longest folder of the table that holds a path relative to src/."""
    folder = os.path.dirname(path)
    while folder not in BELOW and folder:
        folder = os.path.dirname(folder)
    return folder


def sources(root):
    for folder, dirs, names in os.walk(os.path.join(root, "src")):
        dirs.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), root)


def include_problems(path, text):
    inside = os.path.relpath(path, "src")
    mine = layer_of(inside)
    if mine == "" and os.path.dirname(inside):
        yield 1, f"the folder {os.path.dirname(inside)}/ is in no layer of tools/check_layers.py"
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if match is None:
            continue
        kind, header = match.groups()
        if kind == "<":
            allowed = ONLY.get(header, ONLY.get(header.partition("/")[0] + "/"))
            if allowed is not None and mine not in allowed and inside not in allowed:
                where = " or ".join(f if f.endswith((".c", ".h")) else f + "/" for f in allowed) or "no folder"
                yield number, f"<{header}> may be included by {where} only"
            continue
        theirs = layer_of(header)
        if "/" not in header or (theirs != mine and theirs not in BELOW[mine]):
            yield number, f'{mine or "main"} may not use "{header}"'


def call_problems(path, text):
    for number, line in enumerate(without_comments_and_strings(text).splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for pattern, allowed, instead in CALLS:
            match = re.search(r"(?<![\w>.])(" + pattern + r")\s*\(", line)
            if match and not path.startswith(tuple(allowed)):
                yield number, f"{match.group(1)}() is not used here: {instead}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else \
        os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    count = 0
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        for number, what in [*include_problems(path, text), *call_problems(path, text)]:
            print(f"{path}:{number}: {what}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
