#!/usr/bin/env python3
"""A Cassandra node for a test that is no Python: prints "ADDRESS PORT" when it answers, and is gone
when the standard input ends, however the test may end."""

import os
import sys

import cassandra_server


def main():
    cluster = cassandra_server.Cluster(1)
    try:
        cluster.start()
        print(cluster.nodes[0].address, cluster.port, flush=True)
        while os.read(sys.stdin.fileno(), 4096):
            pass
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
