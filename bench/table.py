#!/usr/bin/env python3
"""Writes the figures of bench/results.json as a table between the markers of a Markdown file.

Usage: bench/table.py [--check] FILE...

The markers are <!-- bench:begin --> and <!-- bench:end -->. With --check nothing is written, and the
exit code is 1 when a table is not that of bench/results.json.
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def number(value):
    """Three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def spread(figure, digits=number):
    if figure["min"] == figure["max"]:
        return digits(figure["median"])
    return f"{digits(figure['median'])} ({digits(figure['min'])} to {digits(figure['max'])})"


WORDS = {"at_most": "≤ {}", "at_least": "≥ {}", "goal_at_most": "goal ≤ {}", "goal_at_least": "goal ≥ {}"}


def target(figure):
    return ", ".join(WORDS[kind].format(value) for kind, value in figure["target"].items())


def compared_row(figure):
    ours, peer = figure["ours"], figure["peer"]
    noisy = f" ({figure['noisy_pairs']} of {figure['pairs']} pairs noisy)" if figure["noisy_pairs"] else ""
    if figure["ratio_of"].startswith("CPU"):
        sides = [f"{number(side['cpu_us']['median'])} µs" for side in (ours, peer)]
    else:
        sides = [
            f"{number(side['per_second']['median'])}/s, {number(side['cpu_us']['median'])} µs"
            for side in (ours, peer)
        ]
    return [
        f"{figure['name']}: {figure['ratio_of']}, beside {figure['peer_name']}",
        *sides,
        f"**{spread(figure['ratio'])}**{noisy}",
        target(figure),
        figure["judged"],
    ]


def plain_row(figure):
    noisy = f" ({figure['noisy']} of {figure['measured']} noisy)" if figure.get("noisy") else ""
    value = f"**{spread(figure['ours'])} {figure['unit']}**{noisy}"
    wanted = f"{target(figure)} {figure['unit']}" if figure["target"] else ""
    return [figure["name"], value, "", "", wanted, figure["judged"]]


def versions_of(parts):
    found = {}
    for part in parts.values():
        for figure in part["figures"]:
            found |= figure.get("peer_versions", {})
    return ", ".join(f"{name} {version}" for name, version in found.items())


def make_table(results):
    machine = results["machine"]
    lines = [
        "| what | ours | peer | ratio: median (spread) | wanted | |",
        "|---|---|---|---|---|---|",
    ]
    for part in results["parts"].values():
        for figure in part["figures"]:
            row = compared_row(figure) if "ratio" in figure else plain_row(figure)
            lines.append("| " + " | ".join(row) + " |")
    builds = sorted({part["build"]["commit"] for part in results["parts"].values()})
    lines += [
        "",
        f"Measured on {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']:.0f} GiB, "
        f"{machine['system']}, kernel {machine['kernel']}, an fdatasync of {machine['fdatasync_us']} µs; "
        f"commit {', '.join(builds)}; {versions_of(results['parts'])}. µs: processor time for each "
        "answer, of all processes of a side.",
    ]
    return "\n".join(lines)


def main(arguments):
    check = "--check" in arguments
    files = [name for name in arguments if name != "--check"]
    with open(os.path.join(HERE, "results.json"), encoding="utf-8") as file:
        table = make_table(json.load(file))
    stale = 0
    for name in files:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
        if not pattern.search(text):
            sys.stderr.write(f"error: {name} has no {BEGIN} and {END}\n")
            return 1
        changed = pattern.sub(lambda _: f"{BEGIN}\n{table}\n{END}", text)
        if changed == text:
            continue
        if check:
            sys.stderr.write(f"{name}: its table is not that of bench/results.json; run bench/table.py\n")
            stale = 1
            continue
        with open(name, "w", encoding="utf-8") as file:
            file.write(changed)
    return stale


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
