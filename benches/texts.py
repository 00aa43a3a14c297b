#!/usr/bin/env python3
"""Retrieval of texts: descriptions of Debian's packages, their sections as labels.

    benches/texts.py csv FOLDER [--lists LISTS]     writes FOLDER/train.csv and FOLDER/test.csv: name, section, text
    benches/texts.py lsa FOLDER                     precision of LSA at each cut-off
    benches/texts.py codes FOLDER TRAIN.npy TEST.npy    the same for codes that `narrows encode` wrote

The texts are those of `apt-cache dumpavail`, one for each package. Where apt has its translations too, the long
descriptions follow the short ones; LISTS is a folder of lists that another apt update filled:

    mkdir -p LISTS/partial; apt-get -o Acquire::Languages=en -o Dir::State::lists=LISTS update

Python with numpy and scipy. A query is a test text, the gallery all training texts, and the distance a cosine. LSA is a
truncated singular value decomposition of tf-idf rows of unit length over the same number of words (Deerwester et al.
1990), precision the mean over the queries of the share of the nearest N texts that have the section of the query, as in
Hinton and Salakhutdinov 2006.
"""

import argparse
import csv
import glob
import pathlib
import random
import re
import subprocess
import sys

CUTS = [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023]


def records(lines):
    """The fields of each paragraph, with lines that go on."""
    record, name = {}, None
    for line in lines:
        if not line.strip():
            if record:
                yield record
            record, name = {}, None
        elif line[0] in " \t":
            record[name] += "\n" + line.strip()
        else:
            name, _, text = line.partition(":")
            record[name] = text.strip()
    if record:
        yield record


def read(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def write(folder, lists):
    options = ["-o", f"Dir::State::lists={lists}"] if lists else []
    long = {}
    for path in glob.glob(f"{lists or '/var/lib/apt/lists'}/*Translation-en*"):
        for record in records(read(["/usr/lib/apt/apt-helper", "cat-file", path])):
            long[record["Description-md5"]] = record["Description-en"].replace("\n.\n", "\n")
    texts = {}
    for record in records(read(["apt-cache", *options, "dumpavail"])):
        if "Section" in record and "Description" in record:
            text = long.get(record.get("Description-md5"), record["Description"])
            texts[record["Package"]] = (record["Section"].split("/")[-1], " ".join(text.split()))
    # One of each text: a library and its other builds would find each other.
    seen, rows = set(), []
    for name, (section, text) in sorted(texts.items()):
        if text not in seen:
            seen.add(text)
            rows.append((name, section, text))
    random.Random(0).shuffle(rows)
    at = len(rows) * 5 // 6
    for part, rows in [("train", rows[:at]), ("test", rows[at:])]:
        with open(folder / f"{part}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("name", "section", "text"), *rows])
        print(f"{part}: {len(rows)} texts, {sum(len(row[2].split()) for row in rows) / len(rows):.1f} words each")


def table(folder, part):
    with open(folder / f"{part}.csv", newline="") as file:
        return list(csv.DictReader(file))


def bags(folder, words):
    """tf-idf rows of unit length over the most frequent words of the training texts, as scipy's matrices."""
    import collections
    import numpy as np
    import scipy.sparse as sparse

    split = lambda row: collections.Counter(re.findall(r"\w+", row["text"].lower()))
    counts = {part: [split(row) for row in table(folder, part)] for part in ["train", "test"]}
    total, documents = collections.Counter(), collections.Counter()
    for count in counts["train"]:
        total.update(count)
        documents.update(count.keys())
    known = {word: at for at, (word, _) in enumerate(sorted(total.items(), key=lambda item: (-item[1], item[0]))[:words])}
    idf = np.log((1 + len(counts["train"])) / (1 + np.array([documents[word] for word in known]))) + 1

    def rows(part):
        places = [(row, known[word], n) for row, count in enumerate(counts[part]) for word, n in count.items() if word in known]
        row, column, n = map(np.array, zip(*places))
        return sparse.csr_matrix((n.astype(float), (row, column)), (len(counts[part]), words))

    def weighted(tf):
        x = tf.multiply(idf).tocsr()
        norms = np.sqrt(np.asarray(x.multiply(x).sum(1)).ravel())
        return sparse.diags(1 / np.maximum(norms, 1e-12)) @ x

    return {part: weighted(rows(part)) for part in counts}


def precision(folder, gallery, queries):
    """The mean precision at each cut-off, by cosine."""
    import numpy as np

    labels = [np.array([row["section"] for row in table(folder, part)]) for part in ["train", "test"]]
    unit = lambda x: np.float32(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))
    gallery, queries = unit(gallery), unit(queries)
    sums, all = np.zeros(CUTS[-1]), len(queries)
    for at in range(0, all, 500):
        scores = queries[at : at + 500] @ gallery.T
        near = np.argpartition(-scores, CUTS[-1], axis=1)[:, : CUTS[-1]]
        near = np.take_along_axis(near, np.argsort(-np.take_along_axis(scores, near, 1), axis=1, kind="stable"), 1)
        sums += np.cumsum(labels[0][near] == labels[1][at : at + 500, None], axis=1).sum(0)
    return [sums[cut - 1] / cut / all for cut in CUTS]


def show(name, numbers):
    print(f"{name:12}", " ".join(f"{number:.3f}" for number in numbers), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["csv", "lsa", "codes"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--lists")
    parser.add_argument("--words", type=int, default=2000)
    asked = parser.parse_args()
    if asked.what == "csv":
        return write(asked.folder, asked.lists)
    print("cut-off     ", " ".join(f"{cut:5}" for cut in CUTS))
    import numpy as np

    if asked.what == "codes":
        return show("codes", precision(asked.folder, *map(np.load, asked.files)))
    from scipy.sparse.linalg import svds

    x = bags(asked.folder, asked.words)
    for rank in [10, 50]:
        _, _, v = svds(x["train"], k=rank, random_state=0)
        show(f"LSA-{rank}", precision(asked.folder, x["train"] @ v.T, x["test"] @ v.T))


if __name__ == "__main__":
    sys.exit(main())
