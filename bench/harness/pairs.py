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


def take_round(sides, first):
    """A sample of each side, in the order of `sides`; `first` begins."""
    samples = [None] * len(sides)
    for step in range(len(sides)):
        at = (first + step) % len(sides)
        samples[at] = sides[at].sample()
    return samples


def run_rounds(sides, count, noisy_above, repeats):
    """`count` rounds in which each side has its turn, as lists of samples and whether the round is
    noisy. Who begins changes. A noisy round is repeated, at most `repeats` times; the quietest
    attempt is kept, and marked if it is noisy all the same."""
    rounds = []
    for index in range(count):
        best, least = None, None
        for _ in range(1 + repeats):
            samples = take_round(sides, index % len(sides))
            foreign = max(sample.foreign for sample in samples)
            if best is None or foreign < least:
                best, least = samples, foreign
            if least <= noisy_above:
                break
        rounds.append((best, least > noisy_above))
        sys.stderr.write("!" if least > noisy_above else ".")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return rounds


def run_pairs(ours, peer, count, noisy_above, repeats):
    """`count` rounds of the two, after one of each side that does not count."""
    ours.sample()
    peer.sample()
    rounds = run_rounds([ours, peer], count, noisy_above, repeats)
    return [Pair(*samples, noisy) for samples, noisy in rounds]


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
