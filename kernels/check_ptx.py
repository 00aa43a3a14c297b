#!/usr/bin/env python3
"""Assembles kernels/ptx/*.ptx for every architecture that we name, and fails on a spill. Writes registers and shared memory to kernels/ptx/registers.md.

    .ptx/bin/pip install --no-deps nvidia-cuda-nvcc-cu12==12.9.86
    .ptx/bin/python kernels/check_ptx.py

No GPU is needed. PTXAS names another ptxas; without it, the script takes the wheel's, then the one on the PATH.
"""

import os
import pathlib
import re
import shutil
import site
import subprocess
import sys

PTX = pathlib.Path(__file__).resolve().parent / "ptx"
ARCHITECTURES = [75, 80, 86, 89, 90, 100, 120]


def find_ptxas():
    wheel = [pathlib.Path(p) / "nvidia" / part for p in site.getsitepackages() + sys.path for part in ("cuda_nvcc/bin/ptxas", "cu13/bin/ptxas")]
    places = [os.environ.get("PTXAS")] + [str(p) for p in wheel if p.is_file()] + [shutil.which("ptxas")]
    found = [p for p in places if p]
    if not found:
        sys.exit("check_ptx: ptxas was not found. Install it: pip install --no-deps nvidia-cuda-nvcc-cu12==12.9.86")
    if not os.access(found[0], os.X_OK):
        os.chmod(found[0], 0o755)
    return found[0]


def version(ptxas):
    """Such as 12.9.86."""
    text = subprocess.run([ptxas, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\bV(\d[\d.]*)", text)
    if not found:
        sys.exit(f"check_ptx: {ptxas} does not say which version it is:\n{text}")
    return found[1]


def page(ptxas_version, rows):
    """The text of kernels/ptx/registers.md."""
    text = [
        "# Registers per kernel",
        "",
        f"Written by `kernels/check_ptx.py` with ptxas {ptxas_version}: every kernel of this folder, assembled for each architecture; no GPU takes part.",
        "",
        "| kernel | registers on " + ", ".join(f"sm_{a}" for a in ARCHITECTURES) + " | shared memory, bytes | stack and spills, bytes |",
        "|---|---|---|---|",
    ]
    text += [f"| {kernel} | {', '.join(map(str, row['registers']))} | {row['shared']} | {row['spills']} |" for kernel, row in rows.items()]
    return "\n".join(text) + "\n"


def assemble(ptxas, path, architecture):
    """Yields (kernel, registers, bytes of shared memory, bytes of stack and spills)."""
    done = subprocess.run([ptxas, "-v", f"--gpu-name=sm_{architecture}", str(path), "-o", os.devnull], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"check_ptx: {path.name} does not assemble for sm_{architecture}:\n{done.stderr}")
    kernel, spills = None, 0
    for line in done.stderr.splitlines():
        if entry := re.search(r"Compiling entry function '(\w+)'", line):
            kernel = entry[1]
        if stack := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            spills = sum(map(int, stack.groups()))
        if used := re.search(r"Used (\d+) registers", line):
            shared = re.search(r"(\d+) bytes smem", line)
            yield kernel, int(used[1]), int(shared[1]) if shared else 0, spills


def main():
    ptxas = find_ptxas()
    rows, spilled = {}, []
    for path in sorted(PTX.glob("*.ptx")):
        for architecture in ARCHITECTURES:
            for kernel, registers, shared, spills in assemble(ptxas, path, architecture):
                row = rows.setdefault(kernel, {"registers": [], "shared": 0, "spills": 0})
                row["registers"].append(registers)
                row["shared"] = max(row["shared"], shared)
                row["spills"] = max(row["spills"], spills)
                if spills:
                    spilled.append(f"{kernel} on sm_{architecture}: {spills} bytes")
    if not rows:
        sys.exit("check_ptx: there is no PTX. Run kernels/build_ptx.py first.")
    (PTX / "registers.md").write_text(page(version(ptxas), rows))
    if spilled:
        sys.exit("check_ptx: kernels spill: " + "; ".join(spilled))


if __name__ == "__main__":
    main()
