"""Trains one network: `python -m training.train --seed 0 --turned-share 0.3 --out run.pt`."""

# ruff: noqa: TID253  (torch is what this folder is for)

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.augment import Batch, Targets, make_batch, make_targets
from training.check import check_or_exit
from training.dataset import Dataset, FloatArray
from training.network import Architecture, TcnVae
from training.prepare import PEOPLE, load_windows
from training.registry import DATASETS
from training.windows import WindowSet

BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-2
KL_WEIGHT = 0.2 / 450.0
MOTIF_WEIGHT = 0.5
LABEL_SMOOTHING = 0.05
MAGNETOMETER_STD = 30.0
"""µT; with mean 0, an absent magnetometer (zeros) is zero after normalization too."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides a training run as well the data and the number of threads."""

    seed: int
    turned_share: float
    epochs: int
    people: str
    architecture: Architecture = field(default_factory=Architecture)

    @property
    def name(self) -> str:
        """A file name that is unique to the run's configuration."""
        widths = "-".join(str(width) for width in self.architecture.widths)
        turned = round(100 * self.turned_share)
        return f"{self.people}_turned{turned}_epochs{self.epochs}_widths{widths}_seed{self.seed}"

    @property
    def arguments(self) -> list[str]:
        """The command line that makes this run."""
        widths = [str(width) for width in self.architecture.widths]
        choices = {"--seed": self.seed, "--turned-share": self.turned_share, "--epochs": self.epochs}
        numbers = [text for key, value in choices.items() for text in (key, str(value))]
        return [*numbers, "--people", self.people, "--widths", *widths]


@dataclass(frozen=True, slots=True)
class Normalization:
    """Mean and standard deviation per channel, in the channel's own unit."""

    mean: FloatArray
    std: FloatArray


def normalization(windows: WindowSet) -> Normalization:
    """Measure acceleration and turn rate; the magnetometer's are fixed by rule."""
    flat = windows.motion.reshape(-1, 6).astype(np.float64)
    mean = np.concatenate((flat.mean(axis=0), np.zeros(3)))
    std = np.concatenate((flat.std(axis=0), np.full(3, MAGNETOMETER_STD)))
    return Normalization(mean.astype(np.float32), std.astype(np.float32))


def train(source: WindowSet, dataset: Dataset, settings: Settings) -> tuple[TcnVae, Normalization]:
    """Train on `source` and return the network in evaluation mode."""
    # One thread: with another number the last digits of the weights differ.
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    scale = normalization(source)
    network = TcnVae(settings.architecture, len(dataset.motifs))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
    groups = tuple(group for _name, group, _description in dataset.motifs)
    loss = Loss(class_weights(source, len(dataset.motifs)))
    steps = settings.epochs * (len(source) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    network.train()
    for epoch in range(settings.epochs):
        started = time.monotonic()
        total = 0.0
        for batch in batches(source, make_targets(groups), settings.turned_share, random):
            optimizer.zero_grad()
            value = loss(network, batch, scale)
            value.backward()  # type: ignore[no-untyped-call]  # torch ships no type for it
            optimizer.step()
            schedule.step()
            total += value.item()
        mean = total / (len(source) // BATCH)
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1}/{settings.epochs} loss {mean:.4f} in {seconds:.0f} s", flush=True)
    return network.eval(), scale


def batches(source: WindowSet, targets: Targets, turned_share: float, random: np.random.Generator) -> Iterator[Batch]:
    """Yield one epoch of shuffled batches; the last incomplete one is left out."""
    order = random.permutation(len(source))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        yield make_batch(source, order[start : start + BATCH], targets, turned_share, random)


def class_weights(source: WindowSet, motifs: int) -> Tensor:
    """Return weights proportional to count^-0.5, with mean 1 over the labelled windows."""
    counts = np.bincount(source.labelled().labels, minlength=motifs)
    weights = 1.0 / np.sqrt(counts)
    return torch.tensor(weights * counts.sum() / (weights * counts).sum(), dtype=torch.float32)


class Loss:
    """Reconstruction + KL divergence + cross entropy of the motif head on a sampled latent."""

    def __init__(self, weights: Tensor) -> None:
        self._weights = weights

    def __call__(self, network: TcnVae, batch: Batch, scale: Normalization) -> Tensor:
        """Return the loss of one batch."""
        x = to_network(batch.windows, scale)
        mean, log_variance = network.encoder(x)
        sample = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        present = torch.from_numpy(batch.present)[:, :, None, None]
        reconstruction = _reconstruction(network.decoder(sample), x, present)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()
        motif = self._motif(network.head(sample).flatten(1), torch.from_numpy(batch.targets))
        total: Tensor = reconstruction + KL_WEIGHT * divergence + MOTIF_WEIGHT * motif
        return total

    def _motif(self, logits: Tensor, targets: Tensor) -> Tensor:
        labelled = targets.sum(dim=1)
        smooth = targets * (1 - LABEL_SMOOTHING) + labelled[:, None] * LABEL_SMOOTHING / targets.shape[1]
        weights = targets @ self._weights
        cross_entropy = -(smooth * torch.log_softmax(logits, dim=1)).sum(dim=1)
        return (weights * cross_entropy).sum() / labelled.sum().clamp(min=1.0)


def _reconstruction(decoded: Tensor, x: Tensor, present: Tensor) -> Tensor:
    wanted = present.expand_as(x)
    return ((decoded - x).square() * wanted).sum() / wanted.sum()


def to_network(windows: FloatArray, scale: Normalization) -> Tensor:
    """Normalize raw [B, 100, 9] and lay it out as [B, 9, 1, 100]."""
    normalized = (windows - scale.mean) / scale.std
    # Channels last is what the array already is, so this moves no data.
    return torch.from_numpy(normalized).permute(0, 2, 1).unsqueeze(2)


def save(path: Path, network: TcnVae, scale: Normalization, settings: Settings, cpu_seconds: float) -> None:
    """Write weights, normalization and settings to one file."""
    content = {
        "weights": network.state_dict(),
        "mean": torch.from_numpy(scale.mean),
        "std": torch.from_numpy(scale.std),
        "settings": asdict(settings),
        "cpu_seconds": cpu_seconds,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished run, read back."""

    network: TcnVae
    scale: Normalization
    settings: Settings
    cpu_seconds: float


def load(path: Path, motifs: int) -> TrainedRun:
    """Read what `save` wrote; only plain data is accepted."""
    content = torch.load(path, weights_only=True)
    settings = Settings(**{**content["settings"], "architecture": _architecture(content["settings"])})
    network = TcnVae(settings.architecture, motifs)
    network.load_state_dict(content["weights"])
    scale = Normalization(content["mean"].numpy(), content["std"].numpy())
    return TrainedRun(network.eval(), scale, settings, content["cpu_seconds"])


def _architecture(settings: dict[str, dict[str, int | tuple[int, ...]]]) -> Architecture:
    return Architecture(**settings["architecture"])  # type: ignore[arg-type]  # its own asdict output


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="hapt", choices=sorted(DATASETS))
    parser.add_argument("--work", type=Path, default=Path("build/training"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--turned-share", type=float, default=0.3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--people", choices=PEOPLE, default="fit")
    parser.add_argument("--widths", type=int, nargs=4, default=(48, 64, 96, 96))
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    dataset = DATASETS[given.dataset]
    check_or_exit(dataset, given.work)
    architecture = Architecture(stem=given.widths[0], widths=tuple(given.widths))
    settings = Settings(given.seed, given.turned_share, given.epochs, given.people, architecture)
    source = load_windows(dataset, given.work).of(PEOPLE[given.people](dataset, given.work))
    started = time.process_time()
    network, scale = train(source, dataset, settings)
    save(given.out, network, scale, settings, time.process_time() - started)


if __name__ == "__main__":
    main()
