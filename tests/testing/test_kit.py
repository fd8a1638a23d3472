"""The kit must find what is broken: each test breaks one promise of a component that is otherwise right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vsebench.core.errors import ConfigError, UnknownComponent
from vsebench.core.plugins import LOADED_PLUGINS, load_plugin
from vsebench.core.registry import KINDS
from vsebench.testing import scaffold
from vsebench.testing.kit import check_component, findings

Break = Callable[[str, dict[str, str]], None]


@pytest.fixture
def check_broken(tmp_path: Path) -> Iterator[Break]:
    """Write the scaffold of a kind, replace parts of its text, and check the result."""
    made: list[tuple[str, Path]] = []

    def run(kind: str, changes: dict[str, str]) -> None:
        file, _ = scaffold.write_component(kind, f"broken_{kind}", tmp_path)
        text = file.read_text(encoding="utf-8")
        for before, after in changes.items():
            assert text.count(before) >= 1, f"the scaffold no longer has {before!r}"
            text = text.replace(before, after)
        file.write_text(text, encoding="utf-8")
        made.append((kind, file))
        load_plugin(file)
        check_component(kind, f"broken_{kind}")

    yield run
    for kind, file in made:
        KINDS[kind].forget(f"broken_{kind}")
        LOADED_PLUGINS.pop(str(file.resolve()), None)


URANDOM = "torch.manual_seed(int.from_bytes(os.urandom(6)))"
SUM = "return self.scale * torch.stack(parts).sum(0)"
POOLED = "return (weights[:, :, None] * values).sum(1)"
CHANGED = "own.with_values(values + self.strength * values * opened)"
FACTS = "    cross_modal=True,  # one modality's tokens see another modality\n"

BROKEN: list[tuple[str, dict[str, str], str]] = [
    # what is written
    ("fusion", {'    """Add the modalities after a linear map each, and scale the sum.': '    """Add'}, "full stop"),
    ("fusion", {"        scale: multiplies the sum; > 0.\n": ""}, "the docstring's Args do not describe 'scale'"),
    ("fusion", {"    Shape: {m": "    Sizes: {m"}, "the docstring has no 'Shape:'"),
    ("fusion", {"    Example:\n": "    For instance:\n"}, "the docstring has no 'Example:'"),
    ("fusion", {"torch.Size([2, 8])": "torch.Size([2, 9])"}, "the docstring's example fails"),
    ("fusion", {"where it comes from: a paper, a section, your notebook": " "}, "has no source"),
    ("fusion", {"scale: Annotated[float, Gt(0)] = 1.0": "scale=1.0"}, "option 'scale' has no type"),
    ("fusion", {"scale: Annotated[float, Gt(0)] = 1.0": "scale: complex = 1j"}, "its options cannot be stored as JSON"),
    # shapes
    ("fusion", {"self.dim_out, self.scale = dim_out, scale": "self.scale = scale"}, "it must set dim_out"),
    (
        "fusion",
        {"self.dim_out, self.scale = dim_out": "self.dim_out, self.scale = 7"},
        r"instead of one tensor of \(64, 7\)",
    ),
    ("head", {"@ F.normalize(self.classes, dim=-1).T": "@ self.classes[1:].T"}, r"it returns \(64, 4\) instead of"),
    (
        "attention",
        {"self.dims_out, self.strength = dict(dims)": "self.dims_out, self.strength = {}"},
        "dims_out must give",
    ),
    ("attention", {"        return changed\n": "        return {}\n"}, r"it returns \[\] instead of \['image'\]"),
    ("attention", {CHANGED: "own.with_values(values[:, 0])"}, r"its image tokens are \(64, 24\)"),
    # crashes
    ("fusion", {SUM: "return parts[0] @ parts[1]"}, r"it cannot be built and called: RuntimeError"),
    (
        "fusion",
        {
            "dim_out: int, *": "dim_out: int, speed: int, *",
            "        dim_out: D,": "        speed: v.\n        dim_out: D,",
            '4, "text": 3}, 8)': '4, "text": 3}, 8, 1)',
        },
        r"needs \['speed'\] wired",
    ),
    # values
    ("fusion", {SUM: SUM + " / 0"}, "NaN or infinite entries in eval mode"),
    ("fusion", {SUM: SUM + " + torch.rand(1)"}, "in eval mode two calls differ"),
    (
        "fusion",
        {"import torch": "import os\n\nimport torch", "self.project =": f"{URANDOM}\n        self.project ="},
        "it has different weights",
    ),
    (
        "fusion",
        {SUM: "s = torch.stack(parts).sum(0)\n        return self.scale * (s - s.mean(0))"},
        "an item's result depends on the rest of the batch",
    ),
    ("fusion", {SUM: "return self.scale * parts[0]"}, "no gradient reaches its parameter 'project.text.weight'"),
    (
        "fusion",
        {SUM: "return self.scale * (parts[0] + parts[1].detach())"},
        "no gradient reaches its parameter 'project.text",
    ),
    (
        "fusion",
        {
            "project(vectors[m]) for m, project": "project(vectors[first][:, :8]) for project",
            "self.project.items()]": "self.project.values()]",
            "parts = [": "first = next(iter(self.project))\n        parts = [",
            "nn.Linear(d, dim_out)": "nn.Linear(8, dim_out)",
        },
        "does not depend on text",
    ),
    (
        "fusion",
        {"self.project =": "self.shift = torch.randn(dim_out)\n        self.project =", SUM: SUM + " + self.shift"},
        "its state dict does not hold everything",
    ),
    ("fusion", {SUM: SUM + ".float()"}, "with bf16 weights and inputs it returns torch.float32"),
    (
        "fusion",
        {SUM: SUM + " + torch.zeros(8).double().sum()[None] + torch.linalg.det(parts[0][:, :1, None])[:, None]"},
        "it cannot run in bf16",
    ),
    # sets
    (
        "pooling",
        {"tokens.mask)  # (B, N)": "tokens.mask | True)"},
        "padding of large numbers changes the result",
    ),
    ("pooling", {"vb.blank(tokens.values, tokens.mask)": "tokens.values"}, "padding of NaN changes the result"),
    (
        "pooling",
        {
            POOLED: "return vb.masked_mean(tokens.values + self.score(tokens.values), tokens.mask)",
        },
        "padding of NaN changes the gradients",
    ),
    (
        "pooling",
        {
            "vb.masked_softmax(": "(",
            "/ self.temperature, tokens.mask)": ").masked_fill(~tokens.mask, float('-inf')).softmax(-1)",
        },
        "without any real token gives NaN",
    ),
    ("pooling", {POOLED: POOLED + " + self.temperature"}, "must be pooled to zeros"),
    (
        "pooling",
        {POOLED: POOLED[:-7] + " * (1 + values[:, :1])).sum(1)", "(weights": "((weights"},
        "registered with ordered=False, but the order of the tokens changes the result",
    ),
    ("attention", {FACTS: ""}, "register it with cross_modal=True"),
    (
        "attention",
        {CHANGED: "own.with_values(values.cumsum(1) * opened)"},
        "the order of the tokens changes the result",
    ),
    # objectives
    ("objective", {"loss).mean()}": "loss)}"}, "expected one number for the batch"),
    ("objective", {"output.logits.float()": "output.logits.double()"}, "is torch.float64, not float32"),
    ("objective", {"output.logits.float()": "output.logits"}, "must still return float32"),
    (
        "objective",
        {"loss).mean()}": "loss * torch.arange(1.0, 1 + len(loss)).view(-1, *[1] * (loss.ndim - 1))).mean()}"},
        "the order of the batch changes the loss",
    ),
    (
        "objective",
        {"loss).mean()}": "loss).mean() / (loss.shape[0] - 1)}"},
        "a batch of one item gives a NaN or infinite loss",
    ),
    (
        "objective",
        {"loss).mean()}": "loss).mean().detach()}"},
        "its loss depends neither on the output nor on a parameter",
    ),
]


@pytest.mark.parametrize(("kind", "changes", "message"), BROKEN, ids=[f"{k}-{m[:40]}" for k, _, m in BROKEN])
def test_a_broken_promise_is_found(check_broken: Break, kind: str, changes: dict[str, str], message: str) -> None:
    with pytest.raises(AssertionError, match=message) as caught:
        check_broken(kind, changes)
    assert str(caught.value).startswith(f"{kind} 'broken_{kind}' (")


@pytest.mark.parametrize(("kind", "changes", "message"), BROKEN[::6], ids=[f"{k}-{m[:40]}" for k, _, m in BROKEN[::6]])
def test_a_report_of_all_checks_has_it_too(
    check_broken: Break, kind: str, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(AssertionError):
        check_broken(kind, changes)
    assert any(re.search(message, finding.fault) for finding in findings(kind, f"broken_{kind}"))


def test_the_sentence_names_component_case_fault_and_size(check_broken: Break) -> None:
    with pytest.raises(AssertionError) as caught:
        check_broken("pooling", {"vb.blank(tokens.values, tokens.mask)": "tokens.values"})
    assert str(caught.value) == (
        "pooling 'broken_pooling' (image of image): padding of NaN changes the result: the result differs by up to nan"
    )


@pytest.mark.parametrize("kind", scaffold.SCAFFOLD_KINDS)
def test_the_unbroken_one_passes(check_broken: Break, kind: str) -> None:
    check_broken(kind, {})


@pytest.fixture
def functions() -> Iterator[None]:
    """Broken optimisers and schedules."""

    @KINDS["optimizer"].register("deaf", source="here")
    def deaf(parameters: list[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """Ignore lr_scale.

        Args:
            parameters: groups (wired).

        Example:
            >>> 1 + 1
            2
        """
        return torch.optim.SGD([{"params": g["params"]} for g in parameters], lr=0.1)

    @KINDS["optimizer"].register("heavy", source="here")
    def heavy(parameters: list[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """Decay everything.

        Args:
            parameters: groups (wired).

        Example:
            >>> 1 + 1
            2
        """
        groups = [{"params": g["params"], "lr": 0.1 * g["lr_scale"]} for g in parameters]
        return torch.optim.SGD(groups, weight_decay=0.1)

    @KINDS["schedule"].register("below", source="here")
    def below(progress: float) -> float:
        """Fall below zero.

        Args:
            progress: share (wired).

        Example:
            >>> 1 + 1
            2
        """
        return 0.5 - progress

    yield
    KINDS["optimizer"].forget("deaf")
    KINDS["optimizer"].forget("heavy")
    KINDS["schedule"].forget("below")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("optimizer", "deaf", "optimizer 'deaf' ignores a group's lr_scale"),
        ("optimizer", "heavy", "optimizer 'heavy' decays the weights of a group with decay: False"),
        ("schedule", "below", r"schedule 'below' gives -0\.01\d* at progress 0\.51; a factor is a number >= 0"),
    ],
)
@pytest.mark.usefixtures("functions")
def test_a_broken_function_is_found(kind: str, name: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_component(kind, name)


def test_options_that_no_case_allows_are_the_users_fault() -> None:
    with pytest.raises(ConfigError, match=r"heads \(7\) must divide dim"):
        check_component("attention", "intra", {"heads": 7})


def test_cases_that_the_options_rule_out_are_left_out() -> None:
    check_component("pooling", "visual_semantic", {"by": "audio"})  # image + text has no audio


def test_unknown_names_and_options_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownComponent, match="Did you mean 'gated'"):
        check_component("fusion", "gatd")
    with pytest.raises(ConfigError, match="Did you mean 'temperature'"):
        check_component("fusion", "gated", {"temprature": 1.0})


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    check_component("fusion", "concat")
    assert torch.equal(torch.rand(1), wanted)


def test_a_class_from_a_notebook_can_be_checked() -> None:
    from vsebench.components.fusion.base import Fusion

    @KINDS["fusion"].register("from_notebook", source="here")
    class FromNotebook(Fusion):
        """Keep the first modality and the second one.

        Args:
            dims: sizes (wired).

        Shape: {m: (B, D_m)} -> (B, ΣD_m).

        Example:
            >>> 1 + 1
            2
        """

        def __init__(self, dims: Mapping[str, int]) -> None:
            super().__init__()
            self.dim_out = sum(dims.values())
            self.scale = nn.Parameter(torch.ones(self.dim_out))

        def forward(self, vectors: Mapping[str, Tensor]) -> Tensor:
            return torch.cat(list(vectors.values()), -1) * self.scale

    try:
        check_component("fusion", "from_notebook")
    finally:
        KINDS["fusion"].forget("from_notebook")


SCORER = '''
"""A broken scorer."""
import torch
from torch import nn
import vsebench as vb


@vb.SCORERS.register("broken", source="here")
class Broken(vb.Scorer):
    """Compare the means of both sides.

    Args:
        dims: sizes (wired).
        dim: the joint dimension (wired).

    Shape: (n, N, D_v), (m, M, D_t) -> (n, m).

    Example:
        >>> 1 + 1
        2
    """

    def __init__(self, dims, dim):
        super().__init__()
        self.maps = nn.ModuleDict({m: nn.Linear(d, dim, bias=False) for m, d in dims.items()})

    def embed(self, modality, tokens):
        values = self.maps[modality](tokens.values.masked_fill(~tokens.mask[:, :, None], 0.0)).float()
        return vb.Tokens(values, tokens.mask)

    def score(self, images, texts):
        left, right = (vb.masked_mean(t.values, t.mask) for t in (images, texts))
        with torch.autocast("cpu", enabled=False):
            scores = left @ right.T
        return scores

    def pair_bytes(self, regions, words):
        return 4
'''

WRONG_BLOCKS = """def score_all(self, images, texts, *, budget=None, device=None):
        return self.score(images, texts) + budget * 1e-9

    def pair_bytes"""


@pytest.fixture
def check_scorer(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Replace a part of a right scorer's text, and check the result."""
    file = tmp_path / "broken_scorer.py"

    def run(before: str, after: str) -> None:
        assert before in SCORER
        file.write_text(SCORER.replace(before, after), encoding="utf-8")
        load_plugin(file)
        check_component("scorer", "broken")

    yield run
    KINDS["scorer"].forget("broken")
    LOADED_PLUGINS.pop(str(file.resolve()), None)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("return scores", "return scores[:, 0]", "one tensor of (64, 64)"),
        ("return scores", "return scores - scores.mean()", "a pair's score depends on the other pairs of the batch"),
        ("return scores", "return scores.softmax(1)", "a pair's score depends on the other pairs of the batch"),
        ("return scores", "return scores.detach()", "no gradient reaches its parameter 'maps.image.weight'"),
        ("vb.masked_mean(t.values, t.mask)", "t.values.mean(1)", "padding of large numbers changes the result"),
        ("return scores", "return scores + 1", "a caption without any real word must score 0"),
        ("return scores", "return scores.bfloat16()", "under autocast its scores are torch.bfloat16, not float32"),
        ("def pair_bytes", WRONG_BLOCKS, "blocks of 1000000000 bytes change the scores"),
    ],
)
def test_a_broken_scorer_is_found(
    check_scorer: Callable[[str, str], None], before: str, after: str, message: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        check_scorer(before, after)
    assert message in str(caught.value)


def test_the_unbroken_scorer_passes(check_scorer: Callable[[str, str], None]) -> None:
    check_scorer("return scores", "return scores")
