"""The command blocks of docs/OPERATIONS.md and what they should show.

A block is fenced as ```console. A line that begins with "$ " is a command; the lines below it are
what its output has, in this order, perhaps with others between. "…" stands for anything, and
several spaces count as one.
"""

import os
import re

from engine import ROOT

FILE = os.path.join(ROOT, "docs", "OPERATIONS.md")


class Step:
    """One command and the lines that it should show."""

    def __init__(self, section, command):
        self.section, self.command, self.expected = section, command, []

    def __str__(self):
        return re.sub(r"docker-compose -f \S+ ", "", self.command)

    def missing(self, output):
        """The first expected line that is not there; None: all are."""
        lines = iter(squeezed(line) for line in output.splitlines())
        for wanted in self.expected:
            pieces = re.split(r" ?… ?", squeezed(wanted))
            pattern = re.compile(".*".join(map(re.escape, pieces)))
            if not any(pattern.fullmatch(line) for line in lines):
                return wanted
        return None


def squeezed(line):
    return re.sub(r"\s+", " ", line).strip()


def steps(*sections):
    """Every command of these sections (## headings), in order."""
    found, section, fenced = [], None, False
    with open(FILE, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("## "):
                section = line[3:]
            if line.startswith("```"):
                fenced = line == "```console"
            elif fenced and section in sections and line.startswith("$ "):
                found.append(Step(section, line[2:]))
            elif fenced and section in sections and line.strip():
                found[-1].expected.append(line)
    return found
