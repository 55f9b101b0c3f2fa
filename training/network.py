"""The TCN-VAE: a temporal convolution encoder to 64 latents, a 12-motif head, a decoder for training only.

Tensors are laid out as [B, channels, 1, time], and every convolution is two-dimensional with height 1,
because that is the layout that accelerator compilers take without inserting transposes.
"""

# ruff: noqa: TID253  (torch is what this folder is for)

from dataclasses import dataclass

import torch
from torch import Tensor, nn

CHANNELS = 9
LATENT = 64


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes that selection may change."""

    stem: int = 48
    widths: tuple[int, ...] = (48, 64, 96, 96)
    dilations: tuple[int, ...] = (1, 2, 4, 8)


class ResidualBlock(nn.Module):
    """Two dilated 1x3 convolutions with a skip; symmetric padding, so that nothing needs cutting."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, dilation)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = _convolution(outputs, outputs, dilation)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.skip: nn.Module = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, outputs, 1, time] for [B, inputs, 1, time]."""
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.skip(x))


def _convolution(inputs: int, outputs: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, (1, 3), padding=(0, dilation), dilation=(1, dilation))


class Encoder(nn.Module):
    """[B, 9, 1, 100] normalized -> mean and log-variance [B, 64, 1, 1]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        stem = architecture.stem
        self.stem = nn.Conv2d(CHANNELS, stem, (1, 5), stride=(1, 2), padding=(0, 2))
        self.stem_norm = nn.BatchNorm2d(stem)
        sizes = (stem, *architecture.widths)
        blocks = zip(sizes[:-1], sizes[1:], architecture.dilations, strict=True)
        self.blocks = nn.Sequential(*(ResidualBlock(*block) for block in blocks))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.mean = nn.Conv2d(sizes[-1], LATENT, 1)
        self.log_variance = nn.Conv2d(sizes[-1], LATENT, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent, the latter clamped to [-8, 8]."""
        features = self.features(x)
        return self.mean(features), self.log_variance(features).clamp(-8.0, 8.0)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled features [B, C, 1, 1]."""
        pooled: Tensor = self.pool(self.blocks(torch.relu(self.stem_norm(self.stem(x)))))
        return pooled


class Decoder(nn.Module):
    """[B, 64, 1, 1] -> reconstructed normalized window [B, 9, 1, 100]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(LATENT, 48, (1, 25)),
            nn.ReLU(),
            nn.ConvTranspose2d(48, 32, (1, 4), stride=(1, 2), padding=(0, 1)),
            nn.ReLU(),
            nn.ConvTranspose2d(32, CHANNELS, (1, 4), stride=(1, 2), padding=(0, 1)),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Return the window that a latent decodes to."""
        window: Tensor = self.layers(latent)
        return window


class TcnVae(nn.Module):
    """Encoder, head and decoder together, as they are trained."""

    def __init__(self, architecture: Architecture, motifs: int) -> None:
        super().__init__()
        self.encoder = Encoder(architecture)
        self.head = nn.Conv2d(LATENT, motifs, 1)
        self.decoder = Decoder()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return latent [B, 64, 1, 1] (the mean) and motif logits [B, motifs, 1, 1]."""
        latent = self.encoder.mean(self.encoder.features(x))
        return latent, self.head(latent)
