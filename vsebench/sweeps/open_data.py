"""The dataset of an experiment, and what the experiment takes from it by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vsebench.config import document
from vsebench.config.experiment import Experiment, load_experiment
from vsebench.config.index_experiment import IndexExperiment, is_index_experiment, load_index_experiment
from vsebench.config.select import BETTER
from vsebench.core.errors import Collector, ConfigError, DataError
from vsebench.core.types import OWN_SPLIT
from vsebench.data.open import check_dataset, open_dataset
from vsebench.sweeps.suited import suited, unused


def read_experiments(
    files: Sequence[Path], *, overrides: Sequence[str], only: Sequence[str], plugins: Sequence[Path]
) -> list[Experiment | IndexExperiment]:
    """Read and validate experiment files, all of them before any is run.

    Args:
        files: the experiment files.
        overrides: ``key=value`` as given with ``-o``, for each of them.
        only: shell patterns of row names, each of which must match in each file.
        plugins: files given with ``--plugin``.

    Raises: ConfigError of every mistake in any of them, with file and line; PluginError.
    """
    experiments: list[Experiment | IndexExperiment] = []
    faults = Collector()
    for file in files:
        with faults:
            doc = document.load(file)
            if is_index_experiment(doc.data):
                experiments.append(load_index_experiment(file, overrides=overrides, plugins=plugins))
                continue
            with faults:
                experiments.append(load_experiment(doc, overrides=overrides))
            _check_dataset(doc)
    boards: dict[str, Path] = {}
    for experiment in experiments:
        with faults:
            if only and not (isinstance(experiment, Experiment) and experiment.space is not None):
                experiment.only(only)
            other = boards.setdefault(experiment.name, experiment.file)
            if other != experiment.file:
                place = experiment.document.place(("experiment",))
                raise ConfigError(
                    f"{other} is experiment '{experiment.name}' too; each needs its own name.", place=place
                )
    faults.check()
    return experiments


def open_data(experiment: Experiment, say: Callable[[str], None]) -> Any:
    """Open the dataset of an experiment; its mistakes are placed in the experiment's file.

    Raises: ConfigError; DataError.
    """
    try:
        dataset = open_dataset(experiment.spec.dataset, say=say)
        if experiment.spec.gallery != OWN_SPLIT:
            from vsebench.engine.retrieval_gallery import gallery_positions

            gallery_positions(dataset, experiment.spec.gallery)
        return dataset
    except ConfigError as error:
        raise experiment.document.placed(error) from None
    except DataError as error:
        if error.place is not None:
            raise
        raise DataError(str(error), place=experiment.document.place(("dataset",))) from None


def suited_to(experiment: Experiment, dataset: Any, say: Callable[[str], None]) -> Experiment:
    """Return the experiment with defaults for its dataset; tell these, and requested measurements that no row can give.

    Raises: ConfigError for what does not apply to the dataset.
    """
    experiment = suited(experiment, dataset)
    if experiment.spec.select.metric is None and experiment.select.metric != "val/accuracy":
        say(f"The epoch is chosen by {experiment.select.metric} ({BETTER[experiment.select.mode]}).")
    for line in unused(experiment, dataset):
        say(f"note: {line}")
    return experiment


def _check_dataset(doc: document.Document) -> None:
    """Refuse a dataset that is not there, or does not have such options.

    Raises: ConfigError at its line.
    """
    spec = doc.data.get("dataset") if isinstance(doc.data, dict) else None
    if not isinstance(spec, str | dict):
        return  # told where the file's blocks are checked
    try:
        check_dataset(spec)
    except ConfigError as error:
        raise doc.placed(error) from None
    except DataError as error:
        raise ConfigError(str(error), place=doc.place(("dataset",))) from None
