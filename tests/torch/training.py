"""What PyTorch computes with AdamW, clipping, binary cross-entropy and schedules: the numbers that trainings are held to.

    python tests/torch/training.py       writes tests/data/torch_training.safetensors, all of it f32

From the weights and the batch of tests/data/torch_fixture.safetensors (see fixture.py), ten steps each of

    adamw    AdamW, lr 1e-2, weight decay 0.1, MSE
    clip     Adam, lr 1e-2, MSE, clip_grad_norm_ to 0.005, which is below every norm that is met
    bce      Adam, lr 1e-2, binary_cross_entropy_with_logits
    cosine   Adam, MSE, CosineAnnealingLR from 1e-2 to 1e-4 over the ten steps
    all      AdamW, BCE, clipping to 0.015, and LinearLR over three steps before a cosine over the other seven

    NAME.losses (10,)    the loss before each update
    NAME.rates  (10,)    the learning rate of each update
    NAME.after.P         the parameters after the ten updates, from a run in f64, rounded to f32 once
    NAME.error  (1,)     how far PyTorch's own f32 run is from that, relative to the largest element of a parameter
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from fixture import STEPS, WIDTHS, Autoencoder

DATA = Path(__file__).resolve().parents[1] / "data"
RUNS = {
    "adamw": dict(decay=0.1),
    "clip": dict(clip=0.005),
    "bce": dict(bce=True),
    "cosine": dict(cosine=STEPS),
    "all": dict(decay=0.1, clip=0.015, bce=True, warmup=3, cosine=STEPS - 3),
}


def train(start, dtype, decay=0.0, clip=None, bce=False, warmup=0, cosine=0):
    model = Autoencoder(WIDTHS)
    model.load_state_dict({name[5:]: t for name, t in start.items() if name.startswith("init.")})
    model.to(dtype)
    batch = start["batch"].to(dtype)
    make = torch.optim.AdamW if decay else torch.optim.Adam
    optimizer = make(model.parameters(), lr=1e-2, weight_decay=decay)
    scheduler = CosineAnnealingLR(optimizer, T_max=cosine, eta_min=1e-4) if cosine else None
    if warmup:
        # 1/3, 2/3 and 1 of the rate, and then the cosine from its beginning.
        rise = LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)
        scheduler = SequentialLR(optimizer, [rise, scheduler], milestones=[warmup])
    logits = nn.Sequential(model.encoder, model.decoder[:-1])
    losses, rates, norms = [], [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        if bce:
            loss = nn.functional.binary_cross_entropy_with_logits(logits(batch), batch)
        else:
            loss = nn.functional.mse_loss(model(batch), batch)
        loss.backward()
        if clip:
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), clip).item())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    assert not clip or min(norms) > clip, f"norms {norms} are not clipped to {clip}"
    return losses, rates, {name: p.detach().clone() for name, p in model.named_parameters()}


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    start = load_file(DATA / "torch_fixture.safetensors")
    fixture = {}
    for name, settings in RUNS.items():
        _, _, single = train(start, torch.float32, **settings)
        losses, rates, truth = train(start, torch.float64, **settings)
        error = max(((single[p] - truth[p]).abs().max() / truth[p].abs().max()).item() for p in truth)
        print(f"{name:8} f32 is {error:.1e} from f64; rates {' '.join(f'{r:.6g}' for r in rates)}")
        fixture[f"{name}.losses"] = torch.tensor(losses)
        fixture[f"{name}.rates"] = torch.tensor(rates)
        fixture[f"{name}.error"] = torch.tensor([error])
        fixture |= {f"{name}.after.{p}": t.float() for p, t in truth.items()}
    made_by = f"tests/torch/training.py, torch {torch.__version__}"
    save_file(fixture, DATA / "torch_training.safetensors", metadata={"made_by": made_by})


if __name__ == "__main__":
    main()
