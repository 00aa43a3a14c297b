"""What PyTorch computes with models from parts: two groups that are trained against each other, and the variants of a network.

    python tests/torch/parts.py          writes tests/data/torch_parts.safetensors, all of it f32

`seam`: a frozen encoder (6-3, tanh), a decoder (3-5-6, relu, sigmoid) and a critic (6-4-1, tanh). Ten steps over 80 rows, 8 a
step, in their order. What goes in has noise, which is data here; what is compared with has none. Each step takes

    reconstruction = mse(y, x),  adversarial = bce(critic(y), 1),  loss = reconstruction + 0.1 adversarial: Adam, lr 1e-2, on the decoder
    critic = bce(critic(x), 1) + bce(critic(y), 0), y without its history:                                  Adam, lr 1e-2, on the critic

with the critic of the step before in both.

    seam.rows, seam.noise (80, 6)
    seam.init.P, seam.after.P        parameters before and after, the latter from a run in f64, rounded once
    seam.losses (10, 4)              loss, reconstruction, adversarial, critic of each step, from f64
    seam.test (1,)                   the mean of the loss over the rows after the steps, without noise, from f64
    seam.error (1,)                  how far PyTorch's own f32 run is from that, relative to the largest element of a parameter

`variant`: a network 6-5-3-5-6 with the weights variant.P, on the first 8 rows, in f64, rounded once

    variant.A.y     with the activation A after each hidden layer: relu, leaky, tanh, sigmoid, silu
    variant.code-C.y   with C after the encoder: relu, sigmoid, tanh; relu after the hidden layers
    variant.tied.y     with the encoder's weights, transposed, in the decoder; relu
"""

import copy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import mse_loss

SEED, ROWS, BATCH = 7, 80, 8
FILE = Path(__file__).resolve().parents[1] / "data" / "torch_parts.safetensors"
ACTS = {"relu": nn.ReLU, "leaky": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "silu": nn.SiLU}


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 3), nn.Tanh())
        self.decoder = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 6), nn.Sigmoid())
        self.critic = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))

    def losses(self, x, noise):
        with torch.no_grad():
            code = self.encoder(x + noise)
        y = self.decoder(code)
        ones, zeros = torch.ones_like(x[:, :1]), torch.zeros_like(x[:, :1])
        reconstruction, adversarial = mse_loss(y, x), bce(self.critic(y), ones)
        critic = bce(self.critic(x), ones) + bce(self.critic(y.detach()), zeros)
        return [reconstruction + 0.1 * adversarial, reconstruction, adversarial, critic]


def named(prefix, model):
    return {f"{prefix}.{name}": p.detach().clone() for name, p in model.named_parameters()}


def train(model, rows, noise):
    adams = [torch.optim.Adam(part.parameters(), lr=1e-2) for part in (model.decoder, model.critic)]
    losses = []
    for at in range(0, ROWS, BATCH):
        all_of_them = model.losses(rows[at : at + BATCH], noise[at : at + BATCH])
        # Both gradients are taken before either step.
        ways = [(all_of_them[0], model.decoder), (all_of_them[3], model.critic)]
        for loss, part in ways:
            for p, g in zip(part.parameters(), torch.autograd.grad(loss, part.parameters(), retain_graph=True)):
                p.grad = g
        for adam in adams:
            adam.step()
        losses.append(torch.stack([loss.detach() for loss in all_of_them]))
    return torch.stack(losses)


def variants(rows):
    widths = [6, 5, 3, 5, 6]
    layers = [nn.Linear(i, o) for i, o in zip(widths, widths[1:])]
    names = ["encoder.0", "encoder.2", "decoder.0", "decoder.2"]
    out = {}
    for name, layer in zip(names, layers):
        layer.weight.data *= 2
        out |= {f"variant.{name}.weight": layer.weight.detach().clone(), f"variant.{name}.bias": layer.bias.detach().clone()}
    a, b, c, d = (layer.double() for layer in layers)
    x = rows[:8].double()
    with torch.no_grad():
        for name, act in ACTS.items():
            out[f"variant.{name}.y"] = torch.sigmoid(d(act()(c(b(act()(a(x)))))))
        for name in ("relu", "sigmoid", "tanh"):
            out[f"variant.code-{name}.y"] = torch.sigmoid(d(torch.relu(c(ACTS[name]()(b(torch.relu(a(x))))))))
        code = b(torch.relu(a(x)))
        out["variant.tied.y"] = torch.sigmoid(torch.relu(code @ b.weight + c.bias) @ a.weight + d.bias)
    return {name: t.float() for name, t in out.items()}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    model = Parts()
    rows, noise = torch.rand(ROWS, 6), 0.2 * torch.randn(ROWS, 6)
    fixture = {"seam.rows": rows, "seam.noise": noise} | named("seam.init", model)
    double = copy.deepcopy(model).double()
    losses = train(double, rows.double(), noise.double())
    train(model, rows, noise)
    after, single = named("seam.after", double), named("seam.after", model)
    error = max(((single[n] - after[n]).abs().max() / after[n].abs().max()).item() for n in after)
    with torch.no_grad():
        test = double.losses(rows.double(), 0 * rows.double())[0]
    fixture |= {name: t.float() for name, t in after.items()}
    fixture |= {"seam.losses": losses.float(), "seam.test": test.float().reshape(1), "seam.error": torch.tensor([error])}
    fixture |= variants(rows)
    zero = [name for name, t in fixture.items() if not t.any()]
    assert not zero, f"all zero: {zero}. Choose another seed."
    print(f"PyTorch's f32 is {error:.1e} from f64; losses of the last step {losses[-1].tolist()}, test {test.item()}")
    save_file({name: t.contiguous() for name, t in fixture.items()}, FILE, metadata={"made_by": f"tests/torch/parts.py, torch {torch.__version__}"})


if __name__ == "__main__":
    main()
