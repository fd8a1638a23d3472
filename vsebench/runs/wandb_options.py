"""What a user says of W&B: where runs go, whose they are, and what is sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from vsebench.core.errors import ConfigError, did_you_mean, known_names

#: The most characters that W&B takes of a tag.
TAG = 64
MODES = ("auto", "online", "offline", "disabled")


@dataclass(frozen=True)
class Wandb:
    """What goes to W&B, and where.

    Args:
        mode: ``disabled`` sends nothing.
        project: that runs are filed in.
        entity: user or team that has the project; W&B's default where it is empty.
        tags: of every run, beside its own.
        system: let W&B collect what it does by itself: system metrics, the git state and the program.
        artifacts: log model, predictions and dataset card of every run.
    """

    mode: Literal["online", "offline", "disabled"] = "disabled"
    project: str = "vsebench"
    entity: str = ""
    tags: tuple[str, ...] = ()
    system: bool = True
    artifacts: bool = False


def resolve_mode(mode: str) -> Literal["online", "offline", "disabled"]:
    """Return what a mode means: ``auto`` is W&B's own ``WANDB_MODE`` where it is set, online when somebody is logged
    in, offline otherwise.

    Raises: ConfigError for another word.
    """
    if mode not in MODES:
        raise ConfigError(f"--wandb '{mode}' is unknown." + did_you_mean(mode, MODES) + known_names(MODES))
    if mode != "auto":
        return mode  # type: ignore[return-value]
    setting = os.environ.get("WANDB_MODE", "").lower()
    if setting in ("online", "offline", "disabled"):
        return setting  # type: ignore[return-value]
    return "online" if logged_in() else "offline"


def logged_in() -> bool:
    """Return whether W&B would find an API key, without asking the network."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    import netrc
    from urllib.parse import urlparse

    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or "api.wandb.ai"
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def parse_tags(text: str) -> tuple[str, ...]:
    """Read tags with commas between them.

    Raises: ConfigError for one that is longer than W&B takes.

    Example:
        >>> parse_tags("paper, run 2")
        ('paper', 'run 2')
    """
    tags = tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))
    for tag in tags:
        if len(tag) > TAG:
            raise ConfigError(f"--wandb-tags: '{tag}' has {len(tag)} characters; W&B takes at most {TAG}.")
    return tags
