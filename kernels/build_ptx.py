#!/usr/bin/env python3
"""Compiles kernels/*.cu to kernels/ptx/*.ptx with NVRTC and writes kernels/ptx/manifest.txt. It installs nothing:

    python3 -m venv .ptx && .ptx/bin/pip install --no-deps nvidia-cuda-nvrtc-cu12==12.0.140
    .ptx/bin/python kernels/build_ptx.py

No GPU and no CUDA toolkit are needed. The version is pinned to the oldest compiler of CUDA 12 on purpose: a driver refuses PTX that is
newer than itself, and that of 12.0 (PTX 8.0) runs on driver 525 and every later one.
"""

import ctypes
import hashlib
import pathlib
import re
import site
import sys

KERNELS = pathlib.Path(__file__).resolve().parent
OPTIONS = ["--gpu-architecture=compute_75", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=true", "--std=c++17"]
VERSION = (12, 0)


def load_nvrtc():
    places = [pathlib.Path(p) / "nvidia/cuda_nvrtc/lib" for p in site.getsitepackages() + sys.path]
    found = [f for place in places for f in sorted(place.glob("libnvrtc.so.12*"))]
    if not found:
        sys.exit("build_ptx: libnvrtc was not found. Install it: pip install --no-deps nvidia-cuda-nvrtc-cu12==12.0.140")
    for builtins in found[0].parent.glob("libnvrtc-builtins.so*"):
        ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
    nvrtc = ctypes.CDLL(str(found[0]))
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    if (major.value, minor.value) != VERSION:
        sys.exit(f"build_ptx: this is NVRTC {major.value}.{minor.value}, but the PTX ships from {VERSION[0]}.{VERSION[1]}. "
                 "Install it: pip install --no-deps nvidia-cuda-nvrtc-cu12==12.0.140")
    return nvrtc


def headers(path):
    """The headers that a file includes, directly or not."""
    seen = []
    for name in re.findall(r'^#include "(.*)"', path.read_text(), re.M):
        for header in [path.parent / name] + headers(path.parent / name):
            if header not in seen:
                seen.append(header)
    return seen


def compile_ptx(nvrtc, path):
    def check(code, what):
        if code != 0:
            size = ctypes.c_size_t()
            nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            nvrtc.nvrtcGetProgramLog(program, log)
            sys.exit(f"build_ptx: {path.name}: {what} failed ({code}):\n{log.value.decode()}")

    program = ctypes.c_void_p()
    used = headers(path)
    texts = (ctypes.c_char_p * len(used))(*[h.read_bytes() for h in used])
    names = (ctypes.c_char_p * len(used))(*[h.name.encode() for h in used])
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), path.read_bytes(), path.name.encode(), len(used), texts, names), "create")
    options = (ctypes.c_char_p * len(OPTIONS))(*[o.encode() for o in OPTIONS])
    check(nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options), "compile")
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)), "size")
    ptx = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, ptx), "ptx")
    return ptx.value.decode()


def source_hash(path):
    """sha256 of the source and then of each header that it includes, in order of their names."""
    digest = hashlib.sha256(path.read_bytes())
    for header in sorted(headers(path)):
        digest.update(header.read_bytes())
    return digest.hexdigest()


def main():
    nvrtc = load_nvrtc()
    lines = ["# stem, sha256 of its source and headers, sha256 of its PTX. Written by kernels/build_ptx.py; tests/ptx.rs compares.",
             f"# NVRTC {VERSION[0]}.{VERSION[1]} {' '.join(OPTIONS)}"]
    stems = set()
    for path in sorted(KERNELS.glob("*.cu")):
        ptx = compile_ptx(nvrtc, path)
        (KERNELS / "ptx" / f"{path.stem}.ptx").write_text(ptx)
        lines.append(f"{path.stem} {source_hash(path)} {hashlib.sha256(ptx.encode()).hexdigest()}")
        stems.add(path.stem)
        print(f"{path.name}: {len(ptx)} bytes of PTX")
    for old in (KERNELS / "ptx").glob("*.ptx"):
        if old.stem not in stems:
            old.unlink()
            print(f"{old.name}: removed, it has no source")
    (KERNELS / "ptx" / "manifest.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
