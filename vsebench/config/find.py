"""The file of an experiment that is given by its name, and the dataset that it describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vsebench.config import document
from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.names import in_any_case

FOLDER = Path("experiments")


def experiment_file(given: Path) -> Path:
    """Return a file that exists as it is given, and for a bare name, in any case, the one in :data:`FOLDER`.

    Args:
        given: a file, such as ``experiments/mmfrb.yaml``, or a name, such as ``mmfrb``.

    Raises: ConfigError with the nearest name for a bare name that is neither.
    """
    if given.exists() or given.suffix or len(given.parts) != 1:
        return given
    files = {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}
    name = in_any_case(given.name, files)
    if name not in files:
        hint = did_you_mean(name, files) + known_names(files, "There are")
        raise ConfigError(f"{given}: no such file, and no experiment of that name in {FOLDER}." + hint)
    return files[name]


def described_dataset(experiment: str, name: str, folder: Path = FOLDER) -> Any:
    """Return an experiment's dataset as its file describes it; the name of the dataset where there is no such file.

    A name alone may by now mean another edition than the one that the experiment's runs were made on.

    Args:
        experiment: its name.
        name: of the dataset.
        folder: where experiments lie.
    """
    file = folder / f"{experiment}.yaml"
    return document.load(file).data.get("dataset", name) if file.is_file() else name
