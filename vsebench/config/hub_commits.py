"""The commit of each model that comes from the hub: what a branch or tag stands for when runs are planned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vsebench.config.schema import System

MAIN = "main"
#: How timm names a model whose architecture stands in a repository too.
_IN_HUB = re.compile("hf[-_]hub:")
_COMMIT = re.compile("[0-9a-f]{40}")
#: Seconds that the hub has to answer.
_PATIENCE_S = 10.0


def pinned(system: System) -> System:
    """Return the system with the commit of each of the hub's models as its ``revision``.

    A moved branch is then another configuration and so another run id, and the run loads what its id says. The commit
    is that of the local cache; the hub is asked for what the cache has not. What neither knows stays as it is: such a
    run cannot load its weights either, and fails with that message.
    """
    commits = {}
    for slot, spec in system.components():
        place = repository_of(spec.name, spec.options)
        if place is None:
            continue
        repository, _, named = place.partition("@")
        commit = commit_of(repository, spec.options["revision"] or named or MAIN)
        if commit is not None:
            commits[slot] = spec.model_copy(update={"options": {**spec.options, "revision": commit}})
    return system.model_copy(update=commits) if commits else system


def repository_of(component: str, options: Mapping[str, Any]) -> str | None:
    """Return the repository that a component loads from, with ``@revision`` where its name has one; None for weights
    from elsewhere.

    Example:
        >>> repository_of("bert", {"model": "some/bert", "weights": "hub", "revision": None})
        'some/bert'
        >>> repository_of("bert", {"model": "some/bert", "weights": "none", "revision": None})
        >>> repository_of("timm_cnn", {"model": "hf-hub:some/net@v1", "weights": "hub", "revision": None})
        'some/net@v1'
    """
    # A random transformer of sounds still takes its sizes and its extractor from the hub.
    sizes_alone = component == "audio_transformer"
    if "revision" not in options or (options.get("weights", "hub") != "hub" and not sizes_alone):
        return None
    model = str(options["model"])
    if not component.startswith("timm_"):
        return None if Path(model).expanduser().is_dir() else model
    if _IN_HUB.match(model):
        return _IN_HUB.sub("", model, count=1)
    from timm.models import get_pretrained_cfg

    return getattr(get_pretrained_cfg(model), "hf_hub_id", None)


def commit_of(repository: str, revision: str) -> str | None:
    """Return the commit that a branch or tag stands for: in the local cache, else in the hub; None where neither says.

    Args:
        repository: ``owner/name``.
        revision: branch, tag or commit.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import constants

    ref = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "refs" / revision
    if ref.is_file():
        return ref.read_text(encoding="utf-8").strip()
    return None if constants.HF_HUB_OFFLINE else _commit_in_hub(repository, revision)


@cache
def _commit_in_hub(repository: str, revision: str) -> str | None:
    """Ask the hub, once in a process, so that all runs of a plan have the same."""
    from huggingface_hub import HfApi

    try:
        return HfApi().model_info(repository, revision=revision, timeout=_PATIENCE_S).sha
    except Exception:  # whatever the library raises: no network, no such model or revision; loading says which
        return None
