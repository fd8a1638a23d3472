"""Random changes of training sounds. Drawn from torch's generator on the CPU, so the epoch's seed fixes them."""

from __future__ import annotations

import torch
from torch import Tensor


def gain(values: Tensor, decibels: float) -> Tensor:
    """Make each sound louder or softer: x · 10^(g/20), g uniform in [-decibels, decibels]. Shape: (B, T) -> (B, T)."""
    drawn = decibels * (2 * torch.rand(len(values)) - 1)
    return values * (10 ** (drawn / 20)).to(values)[:, None]


def shift(values: Tensor, lengths: Tensor, most: int) -> Tensor:
    """Move each sound in time by up to ``most`` samples, and by no more than half of its length, either way.

    Samples that leave it are lost, silence comes in, and its length stays. Shape: (B, T), (B,) -> (B, T).
    """
    limit = (lengths // 2).clamp(max=most).cpu()
    moved = torch.floor(torch.rand(len(values)) * (2 * limit + 1)).long() - limit  # in [-limit, limit]
    places = torch.arange(values.shape[1], device=values.device)
    source = places - moved.to(values.device)[:, None]  # (B, T)
    inside = (source >= 0) & (source < lengths[:, None]) & (places < lengths[:, None])
    result = values.gather(1, source.clamp(0, max(values.shape[1] - 1, 0)))
    return result.masked_fill(~inside, 0.0)


def spec_mask(values: Tensor, counts: Tensor, *, freq_masks: int, time_masks: int, share: float) -> Tensor:
    """SpecAugment without warping: blank bands of frequencies, and stretches of frames, of each sound.

        width w uniform in {0 … ⌊share · n⌋}, start uniform in {0 … n - w};  n: all bands, or the sound's real frames

    Source: Park et al. 2019, arXiv:1904.08779; its F and T are shares here, so that they fit any number of bands.

    Shape: (B, L, F), real frames (B,) -> (B, L, F), zeros where it is blank.
    """
    count, frames, bands = values.shape
    hidden = torch.zeros(count, frames, bands, dtype=torch.bool)
    for number, size, places in (
        (freq_masks, torch.full((count,), bands), torch.arange(bands).view(1, 1, -1)),
        (time_masks, counts.cpu(), torch.arange(frames).view(1, -1, 1)),
    ):
        for _ in range(number):
            width = torch.floor(torch.rand(count) * (torch.floor(share * size) + 1))
            start = torch.floor(torch.rand(count) * (size - width + 1))
            first, last = (edge.view(-1, 1, 1) for edge in (start, start + width))
            hidden |= (places >= first) & (places < last)
    return values.masked_fill(hidden.to(values.device), 0.0)
