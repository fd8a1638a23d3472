"""A finished run by its name: what it stored, and its model once it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsebench.core.errors import DataError, Place, did_you_mean, known_names
from vsebench.core.types import Result

if TYPE_CHECKING:
    import numpy as np

    from vsebench.data.dataset import Dataset
    from vsebench.runs.load import LoadedRun
    from vsebench.runs.predictions import StoredPredictions


class Run:
    """A finished run. Its numbers are read at once, its model when it is first used.

    Args:
        folder: of the run.
        device: where its model is put, such as ``cpu`` or ``cuda``.
        trust: import the plug-ins that the run names. They are code; without it, those of :func:`load_plugin` count.

    Raises: DataError when the run is not finished or its files are damaged.
    """

    def __init__(self, folder: Path | str, *, device: str = "cpu", trust: bool = False) -> None:
        from vsebench.runs.find import finished_result
        from vsebench.runs.store import read_run_file

        self.folder, self.device, self.trust = Path(folder), device, trust
        self.result: Result = finished_result(self.folder, str(read_run_file(self.folder)["run_id"]))

    def __repr__(self) -> str:
        return f"Run({self.result.experiment!r}, {self.result.system!r}, seed={self.result.seed}, id={self.id!r})"

    @property
    def id(self) -> str:
        """The run's id."""
        return self.result.run_id

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its numbers by full key, such as ``test/i2t/recall@10``."""
        return self.result.metrics

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved configuration of its system."""
        return self.result.config

    @cached_property
    def loaded(self) -> LoadedRun:
        """The run with its model, in eval mode.

        Raises: DataError for files that are missing or damaged, or weights that do not fit the code; ConfigError for a
            component that is no longer there; UntrustedPlugin for one of a plug-in that was not imported.
        """
        from vsebench.runs.load import load_run as load

        return load(self.folder, device=self.device, trust=self.trust)

    @property
    def model(self) -> Any:
        """Its model, a ``torch.nn.Module`` in eval mode.

        Raises: as :attr:`loaded`.
        """
        return self.loaded.model

    def open_dataset(self) -> Dataset:
        """Open the dataset that it was trained on.

        Raises: DataError when it is missing or has changed; as :attr:`loaded`.
        """
        return self.loaded.open_dataset()

    def predictions(self, split: str = "test") -> StoredPredictions:
        """Read the stored predictions of a split, from which its metrics were computed.

        Args:
            split: ``test`` or ``val``.

        Returns: logits (n, C), labels (n,) or (n, C) and, where the run's metrics need them, embeddings.

        Raises: DataError for a split without predictions, with those that there are.
        """
        from vsebench.runs.predictions import load_predictions

        splits = sorted(f.stem.partition("-")[2] for f in self.folder.glob("predictions-*.npz"))
        if split not in splits:
            hint = did_you_mean(split, splits) + known_names(splits, "There are")
            raise DataError(f"run {self.id} has no predictions of '{split}'.{hint}", place=Place(str(self.folder)))
        return load_predictions(self.folder, split)

    def embed(
        self, *, texts: Sequence[str] | None = None, images: Sequence[Path | str | bytes] | None = None
    ) -> np.ndarray:
        """Embed texts or pictures with the run's model, each from its own modality alone.

        Args:
            texts: sentences.
            images: files, or their bytes.

        Returns: float32 (n, E); vectors of texts and of images are compared by cosine.

        Raises: ConfigError unless exactly one of texts and images is given, or for a system that ranks pairs and has no
            embeddings; QueryError for an empty text, a file that is no image, or a modality that the system does not
            read; as :attr:`loaded`.
        """
        from vsebench.core.errors import ConfigError
        from vsebench.engine.queries import embed_images, embed_texts

        if (texts is None) == (images is None):
            raise ConfigError("give either texts or images.")
        if texts is not None:
            return embed_texts(self.model, texts)
        return embed_images(self.model, images or ())


def load_run(ref: Path | str, runs: Path | str = "runs", *, device: str = "cpu", trust: bool = False) -> Run:
    """Find a finished run and read its numbers.

    Args:
        ref: the run's folder; the beginning of its id; or ``experiment/row``, which is the row's best seed by the
            validation number that chose its epoch.
        runs: folder of all runs.
        device: where its model is put once it is used, such as ``cpu`` or ``cuda``.
        trust: import the plug-ins that the run names; they are code.

    Returns: the run.

    Raises: DataError for a run that is unknown, not unique, or not finished, with what there is.
    """
    from vsebench.runs.find import find_run

    return Run(find_run(ref, Path(runs)), device=device, trust=trust)
