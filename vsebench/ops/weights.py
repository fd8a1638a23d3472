"""Weights in safetensors files that carry the digest of their content and what they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from vsebench.core.errors import DataError, Place
from vsebench.core.files import replacing

_DIGEST, _OWNER = "sha256", "of"
_FACTS = "vsebench"  # one entry: safetensors writes several in any order


def save_weights(file: Path, state: Mapping[str, Tensor], *, owner: str) -> str:
    """Write tensors, whole or not at all.

    Args:
        file: path of the file.
        state: name -> tensor.
        owner: what they are the weights of, such as a run's id; :func:`load_weights` refuses another's.

    Returns: the digest of their content.

    Raises: DiskError.
    """
    from safetensors.torch import save_file

    plain = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
    digest = state_digest(plain)
    with replacing(file) as partial:
        save_file(plain, partial, metadata={_FACTS: json.dumps({_DIGEST: digest, _OWNER: owner})})
    return digest


def load_weights(file: Path, *, owner: str | None = None, digest: str | None = None) -> dict[str, Tensor]:
    """Read tensors and check that they are what was written.

    Args:
        file: path of the file.
        owner: whose weights are expected; None for anybody's.
        digest: of the content that is expected; None for what the file itself says. Files of the first release say
            nothing and are taken as they are.

    Raises: DataError for a file that is missing, damaged, of somebody else, or of another content.
    """
    from safetensors import SafetensorError, safe_open

    place = Place(str(file))
    try:
        with safe_open(file, framework="pt") as stored:
            facts = dict(json.loads((stored.metadata() or {}).get(_FACTS, "{}")))
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  (not a mapping)
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"not a whole safetensors file ({str(error).splitlines()[0]}).", place=place) from None
    if owner is not None and facts.get(_OWNER, owner) != owner:
        raise DataError(f"these are the weights of {facts[_OWNER]}, not of {owner}.", place=place)
    wanted = [d for d in (digest, facts.get(_DIGEST)) if d is not None]
    if wanted and any(d != state_digest(state) for d in wanted):
        raise DataError(
            "these are not the weights that were written: the digest of their content differs.", place=place
        )
    return state


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values, in the order of names."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
