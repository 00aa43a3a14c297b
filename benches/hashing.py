#!/usr/bin/env python3
"""Retrieval by bits on MNIST: PCA hashing and iterative quantisation, on pixels and on codes.

    benches/hashing.py MNIST [TRAIN.npy TEST.npy] [--bits 16,32] [--seeds 3]

MNIST is the folder of the four IDX files; TRAIN.npy and TEST.npy are what `narrows encode` wrote of its two parts. The
gallery are the 60,000 training rows, the queries the first 100 test rows of each class, the distance is Hamming's, and
of equally near rows the first count, as in `narrows search --bits`. Python with numpy.

PCA hashing takes the signs of the first components (Wang et al. 2010). Iterative quantisation turns these components
so that they are nearest to their signs: 50 rounds of signs and an orthogonal Procrustes problem (Gong and Lazebnik
2011).
"""

import argparse
import gzip
import pathlib

import numpy as np

ROUNDS = 50
NEAR = 10


def idx(folder, name, offset):
    return np.frombuffer(gzip.open(pathlib.Path(folder) / f"{name}-ubyte.gz").read(), np.uint8, offset=offset)


def components(gallery, queries, bits):
    """Both, less the gallery's mean, along its first components."""
    mean = gallery.mean(0)
    _, vectors = np.linalg.eigh(np.cov(gallery, rowvar=False))
    first = vectors[:, ::-1][:, :bits]
    return (gallery - mean) @ first, (queries - mean) @ first


def rotation(parts, seed):
    """The rotation after which the parts are nearest to their signs."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal([parts.shape[1]] * 2))
    for _ in range(ROUNDS):
        left, _, right = np.linalg.svd(np.where(parts @ turn > 0, 1.0, -1.0).T @ parts)
        turn = (left @ right).T
    return turn


def precision(gallery, queries, labels, asked):
    """The share of the nearest rows by Hamming's distance that have the label of their query."""
    signs = [np.where(rows > 0, 1, -1).astype(np.float32) for rows in (gallery, queries)]
    # Rows of bits differ in (bits - product) / 2 places; a sort that is stable keeps the first of equals.
    near = np.argsort(-(signs[1] @ signs[0].T), axis=1, kind="stable")[:, :NEAR]
    return (labels[near] == asked[:, None]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist")
    parser.add_argument("codes", nargs="*", metavar="CODES.npy")
    parser.add_argument("--bits", default="16,32")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    if len(args.codes) not in (0, 2):
        parser.error("codes come in two files, of the training and of the test rows")

    pixels = [idx(args.mnist, f"{part}-images-idx3", 16).reshape(-1, 784) / 255.0 for part in ("train", "t10k")]
    labels, tested = (idx(args.mnist, f"{part}-labels-idx1", 8) for part in ("train", "t10k"))
    asked = np.concatenate([np.flatnonzero(tested == digit)[:100] for digit in range(10)])
    sources = {"pixels": pixels}
    if args.codes:
        sources["codes"] = [np.load(path).astype(np.float64) for path in args.codes]
    for bits in map(int, args.bits.split(",")):
        for name, (gallery, test) in sources.items():
            if bits > gallery.shape[1]:
                continue
            parts = components(gallery, test[asked], bits)
            print(f"{bits} bits of {name}: PCA hashing {precision(*parts, labels, tested[asked]):.4f}", flush=True)
            turns = [rotation(parts[0], seed) for seed in range(args.seeds)]
            found = [precision(*(part @ turn for part in parts), labels, tested[asked]) for turn in turns]
            print(f"{bits} bits of {name}: ITQ {', '.join(f'{each:.4f}' for each in found)} ({args.seeds} seeds)", flush=True)


if __name__ == "__main__":
    main()
