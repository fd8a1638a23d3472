from __future__ import annotations

import math

import pytest
import torch

from vsebench.ops.positions import sinusoid, sinusoid_grid, token_positions


@pytest.mark.parametrize("dim", [8, 7, 1])
def test_sinusoid_equals_the_formula(dim: int) -> None:
    table = sinusoid(5, dim)
    for position in range(5):
        for channel in range(dim):
            angle = position / 10000 ** ((channel - channel % 2) / dim)
            want = math.cos(angle) if channel % 2 else math.sin(angle)
            assert float(table[position, channel]) == pytest.approx(want, abs=1e-6)


def test_grid_is_row_major_with_half_of_the_channels_per_axis() -> None:
    table, rows, columns = sinusoid_grid(2, 3, 8), sinusoid(2, 4), sinusoid(3, 4)
    for row in range(2):
        for column in range(3):
            assert torch.equal(table[3 * row + column], torch.cat([rows[row], columns[column]]))


def test_every_place_of_a_grid_has_its_own_position() -> None:
    assert len(sinusoid_grid(7, 7, 16).unique(dim=0)) == 49


def test_prefix_tokens_before_a_grid_get_zeros() -> None:
    table = token_positions(7, 8, (2, 3), device=torch.device("cpu"))
    assert not table[0].any()
    assert torch.equal(table[1:], sinusoid_grid(2, 3, 8))


def test_tokens_without_a_grid_stand_in_a_row() -> None:
    assert torch.equal(token_positions(4, 6, None, device=torch.device("cpu")), sinusoid(4, 6))
