"""The dataset of an experiment, and what the experiment takes from it by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsebench.config.experiment import Experiment
from vsebench.config.select import BETTER
from vsebench.core.errors import ConfigError, DataError
from vsebench.core.types import OWN_SPLIT
from vsebench.data.open import open_dataset
from vsebench.sweeps.suited import suited, unused


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
    except (ConfigError, DataError) as error:
        if error.place is not None:
            raise
        path = error.path if isinstance(error, ConfigError) else ("dataset",)
        on_key = isinstance(error, ConfigError) and error.on_key
        place = experiment.document.place(path or ("dataset",), on_key=on_key)
        raise type(error)(str(error), place=place) from None


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
