"""What PyTorch computes for the variants of the autoencoder, with the random numbers of docs/numerics.md.

    python tests/torch/family.py         writes tests/data/torch_family.safetensors, all of it f32

Ten steps of Adam (lr 1e-2) each, always on the batch of tests/data/torch_fixture.safetensors (see fixture.py). The noise is
drawn here as narrows draws it: Philox4x32-10 of (seed 5, purpose 2^24 + the number of the stream, the step, the element).

    gaussian, mask, salt    the network of the fixture, its rows corrupted, MSE
    vae                     20-12-(3, 3)-12-20, cross-entropy per row + KL
    beta                    the same, squared error per row, linear output, beta 2 in a warm-up of ten steps, 0.2 nats free
    l1, kl                  the network of the fixture with a penalty; for kl its code is a sigmoid
    one, deep               a penalty on the Jacobian: exact for 20-7-20 with a sigmoid code, by one direction a row for the network
                            of the fixture
    topk, batchtopk         the network of the fixture, of whose code two units of each row stay, or 32 of the batch
    revived                 20-7-20 of whose code two units stay; every other unit has been off for 20,000 rows, and those that have
                            been for 10,000 learn from the residual with weight 0.5, which the loss does not include

    vae.init.P, one.init.P  the initial parameters of `vae` and `beta`, and of `one` and `revived`
    NAME.losses (10,)       the whole loss before each update, from a run in f64
    NAME.after.P            the parameters after the ten updates, from a run in f64, rounded to f32 once
    NAME.error  (1,)        how far PyTorch's own f32 run is from that, relative to the largest element of a parameter
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fixture import STEPS, WIDTHS, Autoencoder

DATA = Path(__file__).resolve().parents[1] / "data"
SEED, NOISE = 5, 1 << 24


def words(elements, step, stream):
    """The random words of a stream at one step, one for each element."""
    blocks = -(-elements // 4)
    mask = np.uint64(0xFFFFFFFF)
    c = [np.arange(blocks, dtype=np.uint64), np.full(blocks, step, np.uint64), np.full(blocks, NOISE + stream, np.uint64), np.zeros(blocks, np.uint64)]
    k = [np.uint64(SEED), np.uint64(0)]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k[0], p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ k[1], p0 & mask]
        k = [(k[0] + np.uint64(0x9E3779B9)) & mask, (k[1] + np.uint64(0xBB67AE85)) & mask]
    return np.stack(c, 1).reshape(-1)


def normal(shape, step, stream):
    """Box-Muller, two numbers of each pair of words."""
    n = int(np.prod(shape))
    pairs = words(-(-n // 4) * 4, step, stream).reshape(-1, 2)
    u = ((pairs[:, 0] >> np.uint64(8)) + np.uint64(1)).astype(np.float64) * 2.0**-24
    angle = 2 * np.pi * (pairs[:, 1] >> np.uint64(8)).astype(np.float64) * 2.0**-24
    r = np.sqrt(-2 * np.log(u))
    return torch.from_numpy(np.stack([r * np.cos(angle), r * np.sin(angle)], 1).reshape(-1)[:n].reshape(shape))


def kept(shape, drop, step, stream):
    """1 where a mask keeps an element, else 0."""
    n = int(np.prod(shape))
    keep = round((1 - float(np.float32(drop))) * 2**24)
    return torch.from_numpy(((words(n, step, stream)[:n] >> np.uint64(8)) < keep).astype(np.float64).reshape(shape))


class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Sequential(nn.Linear(20, 7)), nn.Sequential(nn.Linear(7, 20))


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 12), nn.ReLU())
        self.encoder.mu, self.encoder.logvar = nn.Linear(12, 3), nn.Linear(12, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 20))

    def heads(self, x):
        h = self.encoder[1](self.encoder[0](x))
        return self.encoder.mu(h), self.encoder.logvar(h)


def corrupt(kind, x, step):
    if kind == "gaussian":
        return (x + 0.4 * normal(x.shape, step, 0).to(x)).clamp(0, 1)
    if kind == "mask":
        return x * kept(x.shape, 0.3, step, 0).to(x)
    m, s = kept(x.shape, 0.2, step, 0).to(x), kept(x.shape, 0.5, step, 1).to(x)
    return x * m + s * (1 - m)


def loss_of(kind, model, x, step):
    if kind in ("gaussian", "mask", "salt"):
        return nn.functional.mse_loss(model(corrupt(kind, x, step)), x)
    if kind in ("vae", "beta"):
        mu, logvar = model.heads(x)
        z = model.decoder(mu + torch.exp(0.5 * logvar) * normal(mu.shape, step, 0).to(mu))
        terms = 0.5 * (mu**2 + logvar.exp() - logvar - 1)
        if kind == "vae":
            return nn.functional.binary_cross_entropy_with_logits(z, x, reduction="sum") / len(x) + terms.sum() / len(x)
        free = terms.mean(0).clamp(min=float(np.float32(0.2))).sum()
        return ((z - x) ** 2).sum() / len(x) + float(np.float32(2 * step / STEPS)) * free
    if kind == "deep":
        h, t = x, normal(x.shape, step, 0).to(x)
        for layer in model.encoder:
            h, t = (layer(h), t @ layer.weight.T) if isinstance(layer, nn.Linear) else (layer(h), t * (h > 0))
        return nn.functional.mse_loss(model.decoder(h), x) + float(np.float32(0.05)) * (t**2).sum() / len(x)
    if kind == "one":
        code = torch.sigmoid(model.encoder[0](x))
        norm = ((code * (1 - code)) ** 2 @ (model.encoder[0].weight ** 2).sum(1)).sum() / len(x)
        return nn.functional.mse_loss(torch.sigmoid(model.decoder[0](code)), x) + float(np.float32(0.05)) * norm
    code = model.encoder(x)
    if kind == "revived":
        top = code.topk(2, dim=1)
        z = torch.zeros_like(code).scatter(1, top.indices, top.values)
        model.idle = torch.where((z != 0).any(0), 0.0, model.idle + len(x))
        spare = torch.where(model.idle >= 10_000, code, 0.0)
        out = model.decoder(z)
        with_spare = torch.sigmoid(out.detach() + spare @ model.decoder[0].weight.T)
        loss = nn.functional.mse_loss(torch.sigmoid(out), x)
        return loss, loss + float(np.float32(0.5)) * nn.functional.mse_loss(with_spare, x)
    if kind == "l1":
        return nn.functional.mse_loss(model.decoder(code), x) + float(np.float32(0.01)) * code.abs().sum() / len(x)
    if kind in ("topk", "batchtopk"):
        flat = code if kind == "topk" else code.reshape(1, -1)
        top = flat.topk(2 if kind == "topk" else 2 * len(x), dim=1)
        code = torch.zeros_like(flat).scatter(1, top.indices, top.values).reshape(code.shape)
        return nn.functional.mse_loss(model.decoder(code), x)
    code, rho = torch.sigmoid(code), float(np.float32(0.05))
    q = code.mean(0)
    penalty = (rho * (rho / q).log() + (1 - rho) * ((1 - rho) / (1 - q)).log()).sum()
    return nn.functional.mse_loss(model.decoder(code), x) + float(np.float32(0.1)) * penalty


def train(kind, start, dtype):
    if kind in ("vae", "beta"):
        model = Vae()
        model.load_state_dict({name[9:]: t for name, t in start.items() if name.startswith("vae.init.")})
    elif kind in ("one", "revived"):
        model = One()
        model.idle = torch.tensor([0.0, 20_000.0] * 4)[:7]
        model.load_state_dict({name[9:]: t for name, t in start.items() if name.startswith("one.init.")})
    else:
        model = Autoencoder(WIDTHS)
        model.load_state_dict({name[5:]: t for name, t in start.items() if name.startswith("init.")})
    model.to(dtype)
    batch = start["batch"].to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(kind, model, batch, step)
        reported, minimised = loss if isinstance(loss, tuple) else (loss, loss)
        minimised.backward()
        optimizer.step()
        losses.append(reported.item())
    return losses, {name: p.detach().clone() for name, p in model.named_parameters()}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(7)
    start = load_file(DATA / "torch_fixture.safetensors")
    fixture = {f"vae.init.{name}": p.detach().clone() for name, p in Vae().named_parameters()}
    fixture |= {f"one.init.{name}": p.detach().clone() for name, p in One().named_parameters()}
    start |= fixture
    for kind in ("gaussian", "mask", "salt", "vae", "beta", "l1", "kl", "topk", "batchtopk", "one", "deep", "revived"):
        _, single = train(kind, start, torch.float32)
        losses, truth = train(kind, start, torch.float64)
        error = max(((single[p] - truth[p]).abs().max() / truth[p].abs().max()).item() for p in truth)
        print(f"{kind:8} f32 is {error:.1e} from f64; losses {losses[0]:.6f} to {losses[-1]:.6f}")
        fixture[f"{kind}.losses"] = torch.tensor(losses, dtype=torch.float64).float()
        fixture[f"{kind}.error"] = torch.tensor([error])
        fixture |= {f"{kind}.after.{p}": t.float() for p, t in truth.items()}
    save_file(fixture, DATA / "torch_family.safetensors", metadata={"made_by": f"tests/torch/family.py, torch {torch.__version__}"})


if __name__ == "__main__":
    main()
