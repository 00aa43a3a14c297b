"""What PyTorch computes for a small autoencoder: the numbers that the parity tests hold the engine to.

    python tests/torch/fixture.py        writes tests/data/torch_fixture.safetensors, all of it f32

The network is 20-12-7-3-7-12-20 on one batch of 16 rows, loss MSE (the mean over all 320 elements), and ten steps of
Adam (lr 1e-3, betas 0.9 and 0.999, eps 1e-8) on that same batch:

    init.P  (as P)    every parameter P as PyTorch initialises it, weights [out, in]
    batch   (16, 20)  input and target at once, in [0, 1]
    output  (16, 20)  the network's answer to the batch at init
    loss    (1,)      its loss at init
    grad.P  (as P)    the gradient of that loss
    losses  (10,)     losses[i] is the loss before update i, so losses[0] = loss
    after.P (as P)    the parameters after the ten updates
    grad64.P, losses64   grad and losses from the same start in f64, rounded to f32 once: the truth to measure errors from

P is encoder.0.weight, encoder.0.bias, encoder.2.*, encoder.4.*, decoder.0.*, decoder.2.*, decoder.4.*.

Hold gradients to grad64 relative to the norm of each tensor: single elements near 0 lose digits to cancellation. No ReLU
input comes within 1e-5 of 0 in any of the steps (checked below), so rounding turns no unit on or off.

The same machine writes the same bytes every time. PyTorch on another CPU may choose other kernels, and then everything
but `batch` can differ in its last bits, init too. Made with Python 3.11, torch 2.15.0, safetensors 0.8.0.
"""

import copy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

WIDTHS = [20, 12, 7, 3]
SEED, ROWS, STEPS = 1234, 16, 10
FILE = Path(__file__).resolve().parents[1] / "data" / "torch_fixture.safetensors"


def stack(widths):
    """Linear layers from width to width, a ReLU between any two of them and none at the end."""
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


class Autoencoder(nn.Module):
    """The article's network: down to a linear code and, mirrored, back up to a sigmoid."""

    def __init__(self, widths):
        super().__init__()
        self.encoder = nn.Sequential(*stack(widths))
        self.decoder = nn.Sequential(*stack(widths[::-1]), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


def named(prefix, model, value=lambda p: p):
    return {f"{prefix}.{name}": value(p).detach().clone() for name, p in model.named_parameters()}


def train(model, batch):
    """Trains in place, in the precision of model and batch; returns all that the fixture lists."""
    record = named("init", model) | {"batch": batch}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for step in range(STEPS):
        output = model(batch)
        loss = nn.functional.mse_loss(output, batch)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            record |= {"output": output.detach(), "loss": loss.detach().reshape(1)}
            record |= named("grad", model, lambda p: p.grad)
        optimizer.step()
        losses.append(loss.detach())
    return record | {"losses": torch.stack(losses)} | named("after", model)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    model = Autoencoder(WIDTHS)
    # Like the pixels of a digit, about a quarter are exactly 0 and a quarter exactly 1.
    batch = (2 * torch.rand(ROWS, WIDTHS[0]) - 0.5).clamp(0, 1)

    double = copy.deepcopy(model).double()
    margins = []
    for layer in double.modules():
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(lambda _, inputs, __: margins.append(inputs[0].abs().min()))
    truth = train(double, batch.double())
    fixture = train(model, batch)

    # What would make a comparison mean nothing: a tensor of zeros, or a unit that rounding turns on and off.
    zero = [name for name, t in fixture.items() if not t.any()]
    assert not zero, f"all zero: {zero}. Choose another seed."
    assert min(margins) > 1e-5, f"a ReLU input is {min(margins):.1e} from 0. Choose another seed."

    fixture |= {name.replace("grad.", "grad64."): t.float() for name, t in truth.items() if name.startswith("grad.")}
    fixture["losses64"] = truth["losses"].float()
    for name, t in fixture.items():
        error = f"|f32 - f64| / |f64| = {(t - truth[name]).norm() / truth[name].norm():.1e}" if name in truth else ""
        print(f"{name:24} {str(tuple(t.shape)):9} {error}".rstrip())
    print("losses", *(f"{loss:.9g}" for loss in fixture["losses"].tolist()))

    # One entry, because safetensors writes several in an order that changes from run to run.
    made_by = f"tests/torch/fixture.py, torch {torch.__version__}"
    FILE.parent.mkdir(parents=True, exist_ok=True)
    save_file(fixture, FILE, metadata={"made_by": made_by})


if __name__ == "__main__":
    main()
