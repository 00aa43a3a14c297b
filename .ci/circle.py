#!/usr/bin/env python3
"""The files of src that import each other: the largest circle, by the paths in their code, tests left out.

    .ci/circle.py [MOST] [-v]        ends with 1 where the circle has more than MOST files; -v prints who imports whom
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"


def module(file):
    parts = file.relative_to(SRC).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


def paths(text):
    """All paths, as lists of words, with groups in braces written out."""
    for found in re.finditer(r"(?<!::)\b\w+(?:::\w+)*(::\{)?", text):
        path = found.group().removesuffix("::{").split("::")
        if not found.group(1):
            yield path
            continue
        end = depth = 1
        group = ""
        at = found.end()
        while depth:
            c = text[at]
            at += 1
            depth += {"{": 1, "}": -1}.get(c, 0)
            if depth == 0 or (c == "," and depth == 1):
                yield path + [word for word in re.findall(r"\w+", group.split("{")[0].split(" as ")[0]) if word != "self"]
                group = ""
            else:
                group += c


def code(file):
    """A file without comments, visibility and tests; what is in a module of its own is as if it stood outside."""
    text = re.sub(r"//.*", "", file.read_text())
    text = re.sub(r"\(in [^)]*\)", "", text)
    text = re.sub(r"#\[cfg\(test\)\]\s*mod \w+ \{.*?^\}", "", text, flags=re.M | re.S)
    text = re.sub(r"#\[cfg\(test\)\]\s*[^;{]*;", "", text)
    return re.sub(r"^mod \w+ \{.*?^\}", lambda m: m.group().replace("super::", "self::"), text, flags=re.M | re.S)


files = {module(f): f for f in SRC.rglob("*.rs") if f.stem != "main" and "tests" not in (f.stem, *f.parts)}
# What a folder hands on: `pub use level::Level` in backend/cpu/mod.rs.
names = {}
for me, file in files.items():
    for use in re.findall(r"^pub(?:\(\w+\))? use ([^;]+;)", code(file), re.M):
        names |= {me + (path[-1],): me + tuple(path[:-1]) for path in paths(use) if len(path) > 1 and path[0] not in ("crate", "super")}


def resolve(at, path):
    """The module that a path from the module `at` leads to."""
    for word in path:
        step = at + (word,)
        while step not in files and step in names:
            step = names[step] + ((word,) if names[step] + (word,) in names else ())
            at = step
        if step not in files:
            break
        at = step
    return at


uses = {}
for me, file in files.items():
    uses[file] = set()
    known = {m[-1]: m for m in files if m and m[:-1] == me}
    for path in paths(code(file)) if me else ():
        if len(path) > 1 and path[0] in ("crate", "super", "self"):
            at = () if path[0] == "crate" else me
            while path and path[0] == "super":
                at, path = at[:-1], path[1:]
            path = path[1:] if path and path[0] in ("crate", "self") else path
        elif len(path) > 1 and path[0] in known:
            at, path = known[path[0]], path[1:]
        else:
            continue
        at = resolve(at, path)
        if at and path and at[-1] == path[-1]:
            known.setdefault(at[-1], at)
        if at and files[at] != file:
            uses[file].add(files[at])


def circles(uses):
    """Tarjan's strongly connected components."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in uses[v]:
            if w not in index:
                visit(w)
            if w in stack:
                low[v] = min(low[v], low[w])
        if low[v] == index[v]:
            at = stack.index(v)
            found.append(stack[at:])
            del stack[at:]

    for v in uses:
        if v not in index:
            visit(v)
    return sorted(found, key=len)


largest = sorted(circles(uses)[-1])
print(f"{len(largest)} of {len(uses)} files import each other: " + " ".join(str(f.relative_to(SRC)) for f in largest))
if "-v" in sys.argv:
    for f in largest:
        print(f"    {f.relative_to(SRC)} -> " + " ".join(sorted(str(w.relative_to(SRC)) for w in uses[f] if w in largest)))
most = [int(a) for a in sys.argv[1:] if a.isdigit()]
sys.exit(bool(most) and len(largest) > most[0])
