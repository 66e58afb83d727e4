"""Interleaved pairs: we and a peer take turns, and only figures of the same turn are compared."""

import statistics
import sys
from dataclasses import dataclass

# Anything else that uses more of the machine than this makes a pair noisy: processor time for each
# answer stays within 15 % up to a third, answers a second bear much less.
NOISY_CPU = 0.30
NOISY_RATE = 0.10
REPEATS = 3


@dataclass
class Pair:
    ours: object
    peer: object
    noisy: bool

    @property
    def foreign(self):
        return max(self.ours.foreign, self.peer.foreign)


def take_pair(ours, peer, ours_first):
    if ours_first:
        a = ours.sample()
        return a, peer.sample()
    b = peer.sample()
    return ours.sample(), b


def run_pairs(ours, peer, count, noisy_above, repeats):
    """`count` pairs, after one of each side that does not count. A noisy pair is repeated, at most
    `repeats` times; the quietest attempt is kept, and marked if it is noisy all the same."""
    ours.sample()
    peer.sample()
    pairs = []
    for index in range(count):
        best = None
        for _ in range(1 + repeats):
            a, b = take_pair(ours, peer, ours_first=index % 2 == 0)
            foreign = max(a.foreign, b.foreign)
            pair = Pair(a, b, foreign > noisy_above)
            if best is None or foreign < best.foreign:
                best = pair
            if not best.noisy:
                break
        pairs.append(best)
        sys.stderr.write("!" if best.noisy else ".")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return pairs


def spread(values):
    values = sorted(values)
    return {"median": statistics.median(values), "min": values[0], "max": values[-1]}


def rounded(value, digits=4):
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def side_of(samples):
    side = {
        "cpu_us": spread([sample.cpu_us for sample in samples]),
        "per_second": spread([sample.rate for sample in samples]),
        "load_cpu_us": spread([sample.load_cpu * 1e6 / sample.done for sample in samples]),
    }
    for key in ("p50_us", "p99_us", "batch", "syncs"):
        if all(key in sample.extra for sample in samples):
            side[key] = spread([float(sample.extra[key]) for sample in samples])
    return rounded(side)


def summarise(pairs, by):
    """Both sides and the ratio of each pair; `by` is "cpu" (less is better) or "rate"."""
    if by == "cpu":
        ratios = [pair.ours.cpu_us / pair.peer.cpu_us for pair in pairs]
    else:
        ratios = [pair.ours.rate / pair.peer.rate for pair in pairs]
    return {
        "ratio_of": "CPU for each answer" if by == "cpu" else "answers a second",
        "ratio": rounded(spread(ratios)),
        "ours": side_of([pair.ours for pair in pairs]),
        "peer": side_of([pair.peer for pair in pairs]),
        "pairs": len(pairs),
        "noisy_pairs": sum(pair.noisy for pair in pairs),
        "foreign": rounded(spread([pair.foreign for pair in pairs]), 2),
        "samples": [
            {"ours": pair.ours.as_dict(), "peer": pair.peer.as_dict(), "noisy": pair.noisy}
            for pair in pairs
        ],
    }
