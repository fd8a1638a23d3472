"""Recurrent networks over words: what they read, and how both directions are joined."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vsebench.components.text_encoder.bigru import BiGRU
from vsebench.components.text_encoder.bilstm import BiLSTM
from vsebench.components.text_encoder.gru import GRU
from vsebench.components.text_encoder.lstm import LSTM
from vsebench.core.errors import ConfigError
from vsebench.core.types import TokenIds
from vsebench.data.vocabulary import Vocabulary

NETWORKS = {"gru": GRU, "lstm": LSTM, "bigru": BiGRU, "bilstm": BiLSTM}
CASES: list[tuple[str, dict[str, Any]]] = [
    *(("gru", {"layers": layers}) for layers in (1, 2)),
    *(("lstm", {"layers": layers}) for layers in (1, 2)),
    *(("bigru", {"merge": merge, "layers": 2}) for merge in ("mean", "concat")),
    *(("bilstm", {"merge": merge, "layers": 2}) for merge in ("concat", "sum", "mean")),
    ("bigru", {}),
    ("bilstm", {}),
]
LENGTHS = (4, 1, 0, 3)


def build(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    vocabulary = Vocabulary.build(["a red hat", "two blue shoes"])
    return NETWORKS[name](vocabulary, dim_hidden=3, dim_word=5, **options).eval()


def words() -> TokenIds:
    torch.manual_seed(1)
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]  # the last position is padding in all
    return TokenIds(torch.randint(2, 8, mask.shape) * mask, mask)


def test_random_vectors_have_the_scale_that_is_asked_for() -> None:
    small, large = (build("lstm", scale=scale).embedding.weight for scale in (0.1, 1.0))
    torch.testing.assert_close(10 * small, large)
    assert float(large[2:].std()) == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize(("name", "options"), CASES)
@torch.no_grad()
def test_equals_one_text_at_a_time_step_by_step(name: str, options: dict[str, Any]) -> None:
    encoder, given = build(name, **options), words()
    result = encoder(given)
    merge = options.get("merge", "mean" if name == "bigru" else "concat")
    for b, length in enumerate(LENGTHS):
        assert not result.values[b, length:].any()
        if length == 0:
            assert not result.final[b].any()
            continue
        states, last = encoder.network(encoder.embedding(given.ids[b : b + 1, :length]))
        last = last[0] if isinstance(last, tuple) else last
        directions = [states[0, :, :3], states[0, :, 3:]] if name.startswith("bi") else [states[0]]
        ends = [last[-2, 0], last[-1, 0]] if name.startswith("bi") else [last[-1, 0]]
        joined = {
            "concat": lambda parts: torch.cat(parts, -1),
            "sum": lambda parts: parts[0] + parts[1],
            "mean": lambda parts: 0.5 * (parts[0] + parts[1]),
        }[merge]
        torch.testing.assert_close(result.values[b, :length], joined(directions), atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(result.final[b], joined(ends), atol=1e-6, rtol=1e-6)
    assert result.values.shape[-1] == result.final.shape[-1] == encoder.dim_out


@pytest.mark.parametrize("name", NETWORKS)
def test_frozen_vectors_need_a_file(name: str) -> None:
    with pytest.raises(ConfigError, match="freeze_vectors needs 'vectors'"):
        build(name, freeze_vectors=True)


def test_an_unknown_way_to_join_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'merge' of text_encoder 'bigru'"):
        build("bigru", merge="sum")
