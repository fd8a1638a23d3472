"""Convolutions and batch statistics over real places alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from vsebench.components.audio_encoder._blocks import Blocks
from vsebench.components.audio_encoder.audio_cnn import AudioCNN
from vsebench.core.types import Waveforms


def test_without_padding_they_are_plain_layers() -> None:
    torch.manual_seed(0)
    blocks, frames = Blocks(4, 3), torch.randn(3, 16, 24)
    attended, mask = blocks(frames, torch.ones(3, 16, dtype=torch.bool))
    values = frames[:, None]
    for convolution in blocks.convolutions:
        values = F.conv2d(values, convolution.weight, padding=1)
        values = F.max_pool2d(F.relu(F.batch_norm(values, None, None, training=True)), 2)
    torch.testing.assert_close(attended, values)
    assert mask.all()
    assert attended.shape == (3, 16, 2, blocks.bands(24))


def test_padding_does_not_enter_the_statistics() -> None:
    torch.manual_seed(0)
    blocks, frames = Blocks(4, 2).train(), torch.randn(2, 8, 6)
    wider = torch.cat([frames, torch.zeros(2, 40, 6)], 1)
    mask = torch.arange(48) < 8
    alone, _ = blocks(frames, torch.ones(2, 8, dtype=torch.bool))
    remaining = [norm.running_mean.clone() for norm in blocks.norms]
    for norm in blocks.norms:
        norm.reset_running_stats()
    padded, real = blocks(wider, mask.repeat(2, 1))
    torch.testing.assert_close(padded[:, :, :2], alone)
    assert not padded[:, :, 2:].any()
    assert real.sum(1).tolist() == [2, 2]
    for norm, mean in zip(blocks.norms, remaining, strict=True):
        torch.testing.assert_close(norm.running_mean, mean)


def test_a_batch_without_any_sound_trains() -> None:
    result = AudioCNN(width=2).train()(Waveforms(torch.full((2, 500), float("nan")), torch.zeros(2, dtype=torch.long)))
    assert not result.mask.any()
    assert result.values.isfinite().all()


def test_the_mean_of_the_tokens_is_the_global_mean() -> None:
    torch.manual_seed(0)
    encoder = AudioCNN(width=4).eval()
    sound = Waveforms(torch.randn(1, 400 + 15 * 160), torch.tensor([400 + 15 * 160]))
    frames = encoder.front(sound)
    maps, _ = encoder.blocks(frames.values, frames.mask)
    torch.testing.assert_close(encoder(sound).values.mean(1), maps.mean((2, 3)))
