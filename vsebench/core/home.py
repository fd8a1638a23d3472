"""Where vsebench keeps what it makes: datasets, cached features, pretrained encoders, word vectors."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder of vsebench's own files: ``$VSEBENCH_HOME``, or the user's cache folder."""
    chosen = os.environ.get("VSEBENCH_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("vsebench"))


def datasets_home() -> Path:
    """Folder of the dataset files."""
    return home() / "datasets"


def features_home() -> Path:
    """Folder of the cached Tokens of frozen encoders."""
    return home() / "features"


def pretrained_home() -> Path:
    """Folder of the encoders trained by ``weights: pretrain``."""
    return home() / "pretrained"


def vectors_home() -> Path:
    """Folder of the word vectors read from files, for the words that were asked for."""
    return home() / "vectors"


def shipped_home() -> Path:
    """Folder of the datasets and plug-ins that a sweep on a cluster sent to this node."""
    return home() / "shipped"


def scratch_home() -> Path:
    """Folder of the runs that this node does for a sweep on a cluster, until they are handed over."""
    return home() / "scratch"
