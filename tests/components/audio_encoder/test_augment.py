"""Random changes of sounds: what they do, and how far they go."""

from __future__ import annotations

import math

import torch

from vsebench.components.audio_encoder._augment import gain, shift, spec_mask


def test_gain_scales_each_sound_by_at_most_so_many_decibels() -> None:
    torch.manual_seed(0)
    values = torch.randn(500, 3)
    factor = gain(values, 6.0) / values
    torch.testing.assert_close(factor, factor[:, :1].expand(-1, 3))
    decibels = 20 * factor[:, 0].log10()
    assert -6.001 <= decibels.min() < -5.5
    assert 5.5 < decibels.max() <= 6.001
    assert torch.equal(gain(values, 0.0), values)


def test_shift_moves_sounds_and_brings_silence_in() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([10, 4, 1, 0])
    values = torch.arange(1, 13.0).repeat(4, 1)
    seen: list[set[int]] = [set() for _ in lengths]
    for _ in range(300):
        result = shift(values, lengths, 3)
        for i, length in enumerate(lengths.tolist()):
            assert not result[i, length:].any()
            by = next(b for b in range(-3, 4) if torch.equal(result[i, :length], moved(values[i, :length], b)))
            seen[i].add(by)
    assert seen[0] == set(range(-3, 4))
    assert seen[1] == set(range(-2, 3)), "no more than half of a sound"
    assert seen[2] == {0} or seen[2] == {-3}  # one sample stays; nothing of none is anything
    assert torch.equal(shift(values, torch.full((4,), 12), 0), values)


def moved(sound: torch.Tensor, by: int) -> torch.Tensor:
    return torch.tensor([float(sound[t - by]) if 0 <= t - by < len(sound) else 0.0 for t in range(len(sound))])


def test_masks_are_stretches_of_bands_and_of_real_frames() -> None:
    torch.manual_seed(0)
    values, counts = torch.ones(400, 30, 20), torch.full((400,), 10)
    result = spec_mask(values, counts, freq_masks=1, time_masks=1, share=0.3)
    bands, frames = (result == 0).all(1), (result == 0).all(2)
    rest = (result == 0) & ~bands[:, None, :] & ~frames[:, :, None]
    assert not rest.any()
    for hidden, most, end in ((bands, math.floor(0.3 * 20), 20), (frames, math.floor(0.3 * 10), 10)):
        assert set(hidden.sum(1).tolist()) == set(range(most + 1)), "every width is drawn"
        edges = hidden.int().diff(dim=1).abs().sum(1)
        assert edges.max() <= 2, "one stretch"
        assert not hidden[:, end:].any()
        assert hidden[:, 0].any()
        assert hidden[:, end - 1].any()
    assert torch.equal(spec_mask(values, counts, freq_masks=2, time_masks=2, share=0.0), values)
