"""``vsebench new KIND NAME``: a working component of one's own, and its test."""

from __future__ import annotations

import re
from pathlib import Path

from vsebench.errors import ConfigError, VsebenchError, did_you_mean, known_names
from vsebench.registry import registry_of

_BODIES = {
    "fusion": (
        "FUSIONS", "fusion", "Fusion", "Mapping[str, int]",
        "dims: Mapping[str, int], dim_out: int",
        '''        self.dim_out = dim_out
        self.project = nn.ModuleDict({m: nn.Linear(d, dim_out) for m, d in dims.items()})
        self.scale = scale''',
        "vectors: Mapping[str, Tensor]", "Tensor",
        "        return self.scale * torch.stack([p(vectors[m]) for m, p in self.project.items()]).mean(0)",
        "Average the modalities' projections.", "{m: (B, D_m)} -> (B, D)", "",
    ),
    "pooling": (
        "POOLINGS", "pooling", "Pooling", "Mapping[str, Tokens]",
        "dim: int",
        "        self.dim_out = dim\n        self.scale = scale",
        "tokens: Tokens, context: Mapping[str, Tokens] | None = None", "Tensor",
        "        return self.scale * masked_mean(tokens.values, tokens.mask)",
        "Average the real tokens.", "Tokens (B, N, D) -> (B, D)",
        "from vsebench.masking import masked_mean\nfrom vsebench.types import Tokens\n",
    ),
    "attention": (
        "ATTENTIONS", "attention", "Attention", "Mapping[str, Tokens]",
        "dims: Mapping[str, int]",
        '''        self.dims_out = dict(dims)
        self.mix = nn.ModuleDict({m: nn.Linear(d, d) for m, d in dims.items()})
        self.scale = scale''',
        "tokens: Mapping[str, Tokens], weights: dict[str, Tensor] | None = None", "dict[str, Tokens]",
        "        return {m: tokens[m].with_values(self.scale * mix(tokens[m].values)) for m, mix in self.mix.items()}",
        "Map every token linearly.", "{m: Tokens (B, N_m, D_m)} -> the same shapes",
        "from vsebench.types import Tokens\n",
    ),
    "head": (
        "HEADS", "heads", "Head", "int",
        "dim_in: int, num_classes: int",
        "        self.out = nn.Linear(dim_in, num_classes)\n        self.scale = scale",
        "joint: Tensor", "Tensor",
        "        return self.scale * self.out(joint)",
        "Score the classes linearly.", "(B, D) -> (B, C)", "",
    ),
    "objective": (
        "OBJECTIVES", "objectives", "Objective", "int",
        "",
        "        self.scale = scale",
        "output: Output, batch: Batch", "dict[str, Tensor]",
        '        return {"NAME": self.scale * F.cross_entropy(output.logits.float(), batch.labels)}',
        "Classify from the logits.", 'Output.logits (B, C), Batch.labels (B,) -> {"NAME": scalar}',
        "import torch.nn.functional as F\nfrom vsebench.types import Batch, Output\n",
    ),
}  # fmt: skip

_MODULE = '''"""{title}"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

{imports}from vsebench.{folder}.base import {base}
from vsebench.registry import {registry}


@{registry}.register("{name}", source="your paper or your idea")
class {cls}({base}):
    """{title}

    Args:
        scale: factor of the result, > 0.

    Shape: {shape}.
    """

    def __init__(self, {wired}*, scale: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
{init}

    def forward(self, {inputs}) -> {returns}:
        """{title}"""
{body}
'''

_TEST = '''"""Checks {name}: run with pytest."""

from __future__ import annotations

from pathlib import Path

from vsebench.registry import load_plugin_file
from vsebench.testing import check_component


def test_{name}() -> None:
    load_plugin_file(Path(__file__).parent / "{name}.py")
    check_component("{kind}", "{name}")
'''


def write(kind: str, name: str, folder: Path) -> list[Path]:
    """Write NAME.py and test_NAME.py.

    Raises: ConfigError for a kind without a template, a name that is taken or no Python name; VsebenchError when a
    file exists.
    """
    registry = registry_of(kind)
    if kind not in _BODIES:
        raise ConfigError(f"no template for '{kind}'." + did_you_mean(kind, _BODIES) + known_names(_BODIES))
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ConfigError(f"'{name}' is not a lower-case Python name, such as my_{kind}.")
    if name in registry:
        raise ConfigError(f"{kind} '{name}' exists already; choose another name.")
    constant, package, base, _, wired, init, inputs, returns, body, title, shape, imports = _BODIES[kind]
    text = _MODULE.format(
        title=title,
        imports=imports,
        folder=package,
        base=base,
        registry=constant,
        name=name,
        cls="".join(part.capitalize() for part in name.split("_")),
        shape=shape.replace("NAME", name),
        wired=f"{wired}, " if wired else "",
        init=init,
        inputs=inputs,
        returns=returns,
        body=body.replace("NAME", name),
    )
    files = {folder / f"{name}.py": _tidy(text), folder / f"test_{name}.py": _TEST.format(name=name, kind=kind)}
    for file in files:
        if file.exists():
            raise VsebenchError(f"{file} exists already.")
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        file.write_text(content, encoding="utf-8")
    return list(files)


def _tidy(text: str) -> str:
    """Without the imports that this kind does not use."""
    body = text.split("@", 1)[1]
    unused = {"from collections.abc import Mapping": "Mapping", "import torch\n": "torch.", "Tensor, nn": "nn."}
    if unused["import torch\n"] not in body:
        text = text.replace("import torch\nfrom annotated", "from annotated")
    if unused["from collections.abc import Mapping"] not in body:
        text = text.replace("from collections.abc import Mapping\n", "")
    if unused["Tensor, nn"] not in body:
        text = text.replace("from torch import Tensor, nn", "from torch import Tensor")
    return text
