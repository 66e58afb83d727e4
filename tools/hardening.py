#!/usr/bin/env python3
"""Whether a built executable is hardened, as readelf and objdump see it: what was linked, whatever
the flags were.

usage: hardening.py EXECUTABLE…

Prints a line for each thing that is missing and ends with 1 when there is one.
"""
import re
import subprocess
import sys

# Flags that gcc notes in each unit's debugging information (clang notes none).
NOTED = ["-fstack-protector-strong", "-fstack-clash-protection", "-ftrivial-auto-var-init=zero"]
NOTED_X86 = ["-fcf-protection=full"]
# What <stdio.h> and <string.h> become with FORTIFY, and what then nobody calls any more.
FORTIFIED = ["__snprintf_chk", "__vsnprintf_chk", "__fprintf_chk", "__memcpy_chk"]
UNFORTIFIED = {"vsnprintf", "fprintf", "vfprintf", "printf", "vprintf", "dprintf", "gets", "strcpy",
               "strcat", "sprintf", "vsprintf"}
# Of all functions: those with an array on the stack are two in five.
GUARDED_LEAST = 0.2
# Where an indirect jump may land: all functions but those that are only called by name.
LANDING_LEAST = 0.2


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, errors="replace").stdout


def segments(headers):
    """(type, flags) of each program header."""
    rows = re.findall(r"^  ([A-Z_]+) +(?:0x[0-9a-f]+ +){5}([RWE ]{3}) +0x", headers, re.M)
    return [(kind, flags.replace(" ", "")) for kind, flags in rows]


def layout_problems(path):
    """Where it is loaded, and what of it may be written or executed then."""
    headers = output("readelf", "--file-header", "--program-headers", "--wide", path)
    dynamic = output("readelf", "--dynamic", "--wide", path)
    parts = segments(headers)
    kinds = [kind for kind, _ in parts]
    stacks = [flags for kind, flags in parts if kind == "GNU_STACK"]
    if not re.search(r"^  Type: +DYN\b", headers, re.M) or not re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic):
        yield "is no PIE: it is loaded at an address that everybody knows"
    if "GNU_RELRO" not in kinds:
        yield "has no RELRO: its tables of addresses stay writable"
    elif not re.search(r"\((?:FLAGS|FLAGS_1)\).*\b(?:BIND_NOW|NOW)\b", dynamic):
        yield "has RELRO in part: its functions are looked up late (-z now)"
    if not stacks or "E" in stacks[0]:
        yield "has an executable stack"
    if any("W" in flags and "E" in flags for _, flags in parts):
        yield "has memory that can be written and executed"
    if re.search(r"\(TEXTREL\)|\bTEXTREL\b", dynamic):
        yield "writes to its own code when it is loaded (TEXTREL)"
    if re.search(r"\((?:RPATH|RUNPATH)\)", dynamic):
        yield "looks for libraries where its builder had them (RPATH)"


def imports(path):
    text = output("readelf", "--dyn-syms", "--wide", path)
    return {name.split("@")[0] for name in re.findall(r" UND (\S+)", text)}


def fortify_problems(path):
    names = imports(path)
    if "__stack_chk_fail" not in names:
        yield "has no stack protector"
    missing = [name for name in FORTIFIED if name not in names]
    if missing:
        yield f"is not fortified: {' '.join(missing)} not called"
    left = sorted(names & UNFORTIFIED)
    if left:
        yield f"is fortified in part: {' '.join(left)} called"


def code_problems(path, is_x86):
    """Functions by what is in them."""
    code = output("objdump", "--disassemble", "--no-show-raw-insn", "--section=.text", path)
    bodies = re.split(r"^[0-9a-f]+ <[^>]+>:$", code, flags=re.M)[1:]
    guarded = sum("<__stack_chk_fail" in body for body in bodies)
    landing = sum("endbr64" in body for body in bodies)
    if guarded < len(bodies) * GUARDED_LEAST:
        yield f"has {guarded} functions of {len(bodies)} with a stack protector"
    if is_x86 and landing < len(bodies) * LANDING_LEAST:
        yield f"has {landing} functions of {len(bodies)} for indirect jumps to land on (-fcf-protection)"


def unit_problems(path, is_x86):
    """Each of gcc's units, by the flags that it was compiled with."""
    text = output("readelf", "--debug-dump=info", path)
    units = re.findall(r"DW_AT_producer +: (?:\([^)]*\): )?(GNU C\d* .*)", text)
    for flag in NOTED + (NOTED_X86 if is_x86 else []):
        without = sum(flag not in unit.split() for unit in units)
        if without:
            yield f"has {without} units of {len(units)} that were compiled without {flag}"


def problems(path):
    is_x86 = "X86-64" in output("readelf", "--file-header", path)
    found = [*layout_problems(path), *fortify_problems(path), *code_problems(path, is_x86),
             *unit_problems(path, is_x86)]
    return [f"{path} {words}" for words in found]


def main():
    found = [line for path in sys.argv[1:] for line in problems(path)]
    for line in found:
        print(line)
    return 1 if found or not sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
