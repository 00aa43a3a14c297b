#!/usr/bin/env python3
"""A made log of network connections, as large as you like: for the speed and the memory of streams.

    benches/intrusions.py FILE [--bytes 2e9] [--seed 0]

Columns as in the KDD Cup of 1999, without its rows: 3 of text and 38 of numbers, and `attack`, which is 1 for one row
of 200. Lines of 200,000 different rows are repeated until the file is that large. What it is for:

    benches/intrusions.py some.csv --bytes 3e7 && benches/intrusions.py log.csv
    narrows train --data some.csv --label attack --out model
    narrows eval --model model --anomaly attack
    time wc -l log.csv
    command time -v narrows score --model model --data log.csv --contamination 0.005 > scores.csv
    cat log.csv | command time -v narrows score --model model --data - --contamination 0.005 > scores.csv
"""

import argparse
import random

ROWS = 200_000
TEXTS = {
    "protocol": ["tcp", "udp", "icmp"],
    "service": ["http", "smtp", "domain", "ftp", "private", "echo", "finger", "telnet"],
    "flag": ["SF", "S0", "REJ", "RSTR"],
}
BYTES = ["duration", "src_bytes", "dst_bytes"]
COUNTS = ["fragments", "urgent", "hot", "failed", "root", "files", "shells", "outbound"]
FLAGS = ["land", "logged_in", "su", "guest", "host"]
RATES = [f"rate_{i}" for i in range(22)]


def row(rng):
    """A connection: its numbers hang together by what kind it is; an attack breaks that in some columns."""
    kind = rng.choices(range(8), [40, 15, 20, 5, 10, 4, 3, 3])[0]
    attack = rng.random() < 1 / 200
    texts = [TEXTS["protocol"][[0, 0, 1, 0, 2, 2, 0, 0][kind]], TEXTS["service"][kind], rng.choices(TEXTS["flag"], [90, 4, 4, 2])[0]]
    large = rng.lognormvariate(4 + 0.5 * kind, 0.4)
    sizes = [rng.expovariate(1) * kind, large, large * (3 + kind) * rng.lognormvariate(0, 0.2)]
    counts = [rng.choices([0, 1, 2], [95, 4, 1])[0] for _ in COUNTS]
    flags = [int(rng.random() < (0.9 if name == "logged_in" and kind in (0, 3) else 0.02)) for name in FLAGS]
    level = rng.random()
    rates = [min(1, max(0, (level if i % 2 else 1 - level) + rng.gauss(0, 0.05))) for i in range(len(RATES))]
    if attack:
        sizes = [sizes[0], sizes[2], sizes[1] / 10]
        for i in rng.sample(range(len(RATES)), 8):
            rates[i] = rng.random()
    numbers = [f"{x:.0f}" for x in sizes] + [str(x) for x in counts + flags] + [f"{x:.2f}" for x in rates]
    return ",".join(texts + numbers + [str(int(attack))]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--bytes", type=float, default=2e9)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    header = ",".join([*TEXTS, *BYTES, *COUNTS, *FLAGS, *RATES, "attack"]) + "\n"
    lines, size = [], 0
    while len(lines) < ROWS and size < args.bytes:
        lines.append(row(rng))
        size += len(lines[-1])
    block = "".join(lines).encode()
    with open(args.file, "wb") as out:
        out.write(header.encode())
        for _ in range(max(1, round(args.bytes / size))):
            out.write(block)


if __name__ == "__main__":
    main()
