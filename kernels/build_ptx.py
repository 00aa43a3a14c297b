#!/usr/bin/env python3
"""Compiles kernels/*.cu, all in one module, to kernels/ptx/narrows.ptx with NVRTC and writes kernels/ptx/manifest.txt. It installs nothing:

    python3 -m venv .ptx && .ptx/bin/pip install --no-deps nvidia-cuda-nvrtc-cu12==12.0.140
    .ptx/bin/python kernels/build_ptx.py

No GPU and no CUDA toolkit are needed. The version is pinned to the oldest compiler of CUDA 12 on purpose: a driver refuses PTX that is
newer than itself, and that of 12.0 (PTX 8.0) runs on driver 525 and every later one.
"""

import ctypes
import hashlib
import pathlib
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


def sources():
    """The kernels and what they include, in the order of their names."""
    return sorted(path for path in KERNELS.iterdir() if path.suffix in (".cu", ".cuh"))


def compile_ptx(nvrtc):
    def check(code, what):
        if code != 0:
            size = ctypes.c_size_t()
            nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            nvrtc.nvrtcGetProgramLog(program, log)
            sys.exit(f"build_ptx: {what} failed ({code}):\n{log.value.decode()}")

    program = ctypes.c_void_p()
    used = sources()
    texts = (ctypes.c_char_p * len(used))(*[f.read_bytes() for f in used])
    names = (ctypes.c_char_p * len(used))(*[f.name.encode() for f in used])
    whole = "".join(f'#include "{f.name}"\n' for f in used if f.suffix == ".cu").encode()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), whole, b"narrows.cu", len(used), texts, names), "create")
    options = (ctypes.c_char_p * len(OPTIONS))(*[o.encode() for o in OPTIONS])
    check(nvrtc.nvrtcCompileProgram(program, len(OPTIONS), options), "compile")
    size = ctypes.c_size_t()
    check(nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size)), "size")
    ptx = ctypes.create_string_buffer(size.value)
    check(nvrtc.nvrtcGetPTX(program, ptx), "ptx")
    return ptx.value.decode()


def main():
    ptx = compile_ptx(load_nvrtc())
    (KERNELS / "ptx" / "narrows.ptx").write_text(ptx)
    lines = ["# The sha256 of each source, then of the PTX. Written by kernels/build_ptx.py; tests/gpu/ptx.rs compares.",
             f"# NVRTC {VERSION[0]}.{VERSION[1]} {' '.join(OPTIONS)}"]
    lines += [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sources()]
    lines.append(f"narrows.ptx {hashlib.sha256(ptx.encode()).hexdigest()}")
    (KERNELS / "ptx" / "manifest.txt").write_text("\n".join(lines) + "\n")
    print(f"{ptx.count('.visible .entry')} kernels, {len(ptx)} bytes of PTX")


if __name__ == "__main__":
    main()
