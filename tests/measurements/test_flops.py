"""Operations of layers, against counts by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from vsebench.core.errors import ConfigError
from vsebench.core.registry import KINDS
from vsebench.measurements._flops import Flops, flops
from vsebench.testing.probes import CASES as PROBES
from vsebench.testing.probes import cases

#: Fourier transforms are no matrix products; boards name them.
TRANSFORMS = {"_fft_r2c", "_fft_c2r", "_fft_c2c"}
B, N, D, H = 2, 7, 16, 32


def network() -> nn.Module:
    """Two convolutions, the second of stride 2, a pooling and a classifier."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)),
    ).eval()


def attention_by_hand(queries: int, keys: int) -> int:
    project = queries * D * D + 2 * keys * D * D  # q; k and v
    attend = 2 * queries * keys * D  # scores, and the weighted sum, over all heads
    return 2 * B * (project + attend + queries * D * D)  # with the output's projection


def rnn_by_hand(gates: int, steps: int) -> int:
    return 2 * steps * gates * H * (D + H)


CASES: dict[str, tuple[nn.Module, tuple[Any, ...], int]] = {
    "linear": (nn.Linear(D, H), (torch.zeros(B, D),), 2 * B * D * H),
    "cnn": (
        network(),
        (torch.zeros(B, 3, 12, 12),),
        2 * B * (12 * 12 * 8 * 3 * 9 + 6 * 6 * 16 * 8 * 9 + 16 * 10),
    ),
    "depthwise": (nn.Conv2d(D, D, 3, groups=D, padding=1), (torch.zeros(1, D, 5, 5),), 2 * 25 * D * 9),
    "lstm": (nn.LSTM(D, H, batch_first=True), (torch.zeros(B, N, D),), rnn_by_hand(4, B * N)),
    "gru": (nn.GRU(D, H, batch_first=True), (torch.zeros(B, N, D),), rnn_by_hand(3, B * N)),
    "attention": (
        nn.MultiheadAttention(D, 4, batch_first=True).eval(),
        (torch.zeros(B, N, D), torch.zeros(B, 5, D), torch.zeros(B, 5, D)),
        attention_by_hand(N, 5),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_layers(name: str, mode: Callable[[], Any]) -> None:
    layer, inputs, expected = CASES[name]
    with mode():
        assert flops(lambda: layer(*inputs)).count == expected


def test_fast_attention_is_counted() -> None:
    """PyTorch computes a whole transformer layer as one operation in evaluation, which the counter takes for 0."""
    layer = nn.TransformerEncoderLayer(D, 4, H, batch_first=True).eval()
    with torch.inference_mode():
        result = flops(lambda: layer(torch.zeros(B, N, D)))
    assert result.count == attention_by_hand(N, N) + 2 * B * N * 2 * D * H
    assert result.missed == ()
    assert torch.backends.mha.get_fastpath_enabled(), "left as it was"


def test_packed_sequences_pay_for_their_words_alone() -> None:
    layer = nn.LSTM(D, H, batch_first=True)
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(2, N, D), torch.tensor([N, 3]), batch_first=True)
    assert flops(lambda: layer(packed)).count == rnn_by_hand(4, N + 3)


def test_scaled_dot_product_attention() -> None:
    q, k = torch.zeros(B, 4, N, 8), torch.zeros(B, 4, 5, 8)
    assert flops(lambda: nn.functional.scaled_dot_product_attention(q, k, k)) == Flops(2 * B * 4 * 2 * N * 5 * 8, ())
    masked = flops(lambda: nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True))
    assert masked == Flops(2 * B * 4 * 2 * N * N * 8, ()), "masked places are computed"


def test_no_kernel_hides_attention() -> None:
    """Kernels that this PyTorch may choose, whether the counter knows them or not, are what the sentence is about."""
    q = torch.zeros(B, 4, N, 8)
    names = []

    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.append(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    with Names():
        flops(lambda: nn.functional.scaled_dot_product_attention(q, q, q))
    kernels = [name for name in names if "attention" in name]
    assert not kernels, f"PyTorch {torch.__version__} computes attention by {kernels} under the 'math' backend"


def test_elementwise_operations_are_free() -> None:
    assert flops(lambda: torch.zeros(5, 5).exp().softmax(0).sum() * 3).count == 0


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: torch.zeros(3, 4) @ torch.zeros(4), "mv"),
        (lambda: torch.fft.rfft(torch.zeros(8)), "_fft_r2c"),
        (lambda: nn.Bilinear(3, 4, 5)(torch.zeros(2, 3), torch.zeros(2, 4)), "_trilinear"),
        (lambda: torch.cdist(torch.zeros(3, 4), torch.zeros(5, 4)), "_cdist_forward"),
        (lambda: torch.linalg.inv(torch.eye(3)), "linalg_inv_ex"),
        (lambda: torch.ops.vsebench_test.kernel(torch.eye(3)), "vsebench_test::kernel"),
    ],
)
def test_what_is_neither_counted_nor_free_is_named(call: Callable[[], Any], name: str) -> None:
    assert flops(call).missed == (name,)


@torch.library.custom_op("vsebench_test::kernel", mutates_args=())
def kernel(x: torch.Tensor) -> torch.Tensor:
    return x @ x


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in PROBES if k != "objective" for n in KINDS[k].names()])
def test_every_component_is_counted(kind: str, name: str) -> None:
    missed: set[str] = set()
    for case in cases(KINDS[kind].get(name), {}):
        try:
            module = case.build().eval()
        except ConfigError:  # a subset of the modalities that it does not accept
            continue
        missed |= set(flops(lambda: module(*case.arguments)).missed)  # noqa: B023 (called at once)
    assert missed <= TRANSFORMS, (
        f"PyTorch {torch.__version__} computes {kind} '{name}' by {sorted(missed - TRANSFORMS)}, which is not counted: "
        "take it apart in measures/_flops.py, or list it in measures/_operations.py if it multiplies no matrices"
    )
