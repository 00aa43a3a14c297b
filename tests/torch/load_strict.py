"""Whether PyTorch reads a model file of ours, and computes with it what we do.

    python tests/torch/load_strict.py MODEL.safetensors RECON.safetensors

Loads MODEL into the article's network with strict names, runs the rows `x` (N, 784) of RECON through it and compares
with the reconstructions `y` (N, 784) that narrows wrote there. The widths are read from the shapes of MODEL's weights.
Prints the largest difference; exits with 1 when it is above 1e-6, or when a file is not what it should be.

Two correct f32 engines can differ by more than that on trained weights, so the distance of each from the same network in
f64 is printed too. PyTorch's own, over the 10,000 MNIST test images: 6e-8 at init, 1.5e-6 after one epoch (torch 2.15.0, x86-64).

The metadata that narrows keeps in the header of MODEL does not reach PyTorch: load_file returns the tensors only.
"""

import argparse
import re
import sys

import torch
from safetensors.torch import load_file

sys.dont_write_bytecode = True
from fixture import Autoencoder  # noqa: E402

BOUND = 1e-6


def widths(tensors):
    """784, 128, 64, 32: the columns of the encoder's first weight, then the rows of each, in the order of the layers."""
    layers = sorted(int(n) for name in tensors for n in re.findall(r"^encoder\.(\d+)\.weight$", name))
    weights = [tensors[f"encoder.{n}.weight"] for n in layers]
    if not weights:
        sys.exit("model: there is no encoder.0.weight, so no widths to build from. Save it with narrows, f32.")
    return [weights[0].shape[1], *(w.shape[0] for w in weights)]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", metavar="MODEL")
    arguments.add_argument("recon", metavar="RECON")
    paths = arguments.parse_args()

    tensors, recon = load_file(paths.model), load_file(paths.recon)
    x, y = recon["x"], recon["y"]
    # load_state_dict converts other types without a word.
    others = [name for name, t in (tensors | recon).items() if t.dtype != torch.float32]
    if others:
        sys.exit(f"not f32: {', '.join(others)}. narrows stores all its tensors in f32.")

    model = Autoencoder(widths(tensors))
    model.load_state_dict(tensors, strict=True)
    with torch.no_grad():
        theirs = model(x)
        truth = model.double()(x.double())
    if theirs.shape != y.shape or y.numel() == 0:
        sys.exit(f"recon: y is {tuple(y.shape)} but the model gives {tuple(theirs.shape)}. Write x and y with the same rows, at least one.")

    difference = (theirs - y).abs().max().item()
    print(f"{len(x)} rows of {x.shape[1]}: max |torch - narrows| = {difference:.2e}, allowed {BOUND:.0e}")
    print(f"from f64: torch {(theirs - truth).abs().max():.2e}, narrows {(y - truth).abs().max():.2e}")
    # Not `> BOUND`, which a NaN would pass.
    sys.exit(0 if difference <= BOUND else 1)


if __name__ == "__main__":
    main()
