"""A finished run back from its folder: the model with its weights, its words, and where its data are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from vsebench.config.schema import System
from vsebench.core.errors import ConfigError, DataError, Place
from vsebench.core.home import pretrained_home
from vsebench.core.plugins import import_stored, refusing_unknown
from vsebench.core.types import OWN_SPLIT, Result
from vsebench.data.dataset import Dataset
from vsebench.data.open import open_dataset
from vsebench.data.vocabulary import Vocabulary
from vsebench.engine.model import Model
from vsebench.engine.pretrain import RECORD, needed, read_record
from vsebench.engine.train import seed_of, trained_state
from vsebench.ops.weights import load_weights
from vsebench.runs.find import finished_result
from vsebench.runs.store import MODEL, RESULT, RUN, read_run_file

VOCABULARY = "vocabulary.json"
#: What a run shows of itself where its model cannot be built.
WITHOUT_MODEL = "Its stored numbers need no plug-in: 'vsebench leaderboard', 'compare' and 'verify' show them."


@dataclass(frozen=True)
class LoadedRun:
    """A finished run.

    Args:
        folder: that it was loaded from.
        run_id, experiment, row, seed: as the sweep named it.
        model: in eval mode, on the device that was asked for.
        system: its components.
        vocabulary: words of the training captions; None for a system without text.
        dataset_spec: what the experiment said as ``dataset``.
        dataset_path: where the dataset file was.
        fingerprint: of the dataset that it was trained on.
        metrics: entries that it was evaluated by.
        select: metric and mode that chose its epoch.
        checkpoints: slot -> weights of a frozen encoder made by ``weights: pretrain``.
        result: its numbers.
        gallery: the set that its queries were ranked against, or ``split``: each split against itself.
    """

    folder: Path
    run_id: str
    experiment: str
    row: str
    seed: int
    model: Model
    system: System
    vocabulary: Vocabulary | None
    dataset_spec: str | Mapping[str, Any]
    dataset_path: Path
    fingerprint: str
    metrics: Sequence[str]
    select: Mapping[str, str]
    checkpoints: Mapping[str, Path]
    result: Result
    gallery: str = OWN_SPLIT

    @property
    def files(self) -> list[Path]:
        """What a copy of the run needs to be loaded again."""
        run_files = [self.folder / name for name in (RUN, RESULT, MODEL, VOCABULARY, RECORD)]
        return [file for file in [*run_files, *self.checkpoints.values()] if file.is_file()]

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def open_dataset(self) -> Dataset:
        """Open the dataset that the run was trained on.

        Raises: DataError when it is missing, or is another one under the same name.
        """
        dataset = Dataset.open(self.dataset_path) if self.dataset_path.is_file() else open_dataset(self.dataset_spec)
        if dataset.fingerprint != self.fingerprint:
            raise DataError(
                f"dataset '{dataset.name}' has changed: its fingerprint is {dataset.fingerprint}, run {self.run_id} "
                f"was trained on {self.fingerprint}. Build it again as it was, or sweep again on what it is now.",
                place=Place(str(dataset.path)),
            )
        return dataset


def refuse_placebo(run: LoadedRun) -> None:
    """Refuse a run that reads items with other items' texts or images where these are shown or searched together.

    Raises: ConfigError.
    """
    placebo = run.system.placebo
    if placebo is not None:
        raise ConfigError(
            f"run {run.run_id} ({run.row}) is a placebo: it reads each item with the {placebo.modality} of another. "
            "Choose another run."
        )


def load_run(folder: Path, *, device: torch.device | str = "cpu", trust: bool = False) -> LoadedRun:
    """Build a finished run's model again, with the weights that it ended with.

    What training changed comes from the run; frozen encoders come from where the system says that their weights are,
    those of the hub from the commit that the run had.

    Args:
        folder: of the run.
        device: where the model runs.
        trust: import the plug-ins that the run names. They are code; without it, only those that this process has
            imported already (``load_plugin``) are used.

    Raises: DataError when the run is not finished, a file is missing or damaged, or weights do not fit the code;
        ConfigError when a component or weights of a frozen encoder are no longer there; UntrustedPlugin when one is of
        a plug-in that was not imported.
    """
    run_config = read_run_file(folder)
    result = finished_result(folder, str(run_config["run_id"]))
    if "combined" in run_config:
        raise DataError(
            "this is a combination of runs, which has no model of its own; ask one of its runs: "
            + ", ".join(part["run_id"] for part in run_config["combined"])
            + ".",
            place=Place(str(folder)),
        )
    left_out = import_stored(run_config["plugins"], trust=trust)
    place = Place(str(folder / RUN))
    with refusing_unknown(left_out, run=result.run_id, place=place, without=WITHOUT_MODEL):
        return _load(folder, run_config, result, device)


def _load(folder: Path, config: Mapping[str, Any], result: Result, device: torch.device | str) -> LoadedRun:
    try:
        system = System.model_validate(config["system"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(
            f"this version does not understand its system ({where}: {first['msg']}). Sweep it again.",
            place=Place(str(folder / RUN)),
        ) from None
    vocabulary = _read_vocabulary(folder) if "text" in system.modalities else None
    fingerprint = str(config["dataset"]["fingerprint"])
    checkpoints = _checkpoints(system, folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("init", int(config["seed"])))  # frozen weights: none come from the run's seed
        model = Model(
            _pinned(system, result),
            num_classes=int(result.dataset["num_classes"]),
            multi_label=bool(result.dataset["multi_label"]),
            vocabulary=vocabulary,
            checkpoints=checkpoints,
            feature_dims=result.dataset.get("features"),  # results from before there were any do not say so
        )
    _load_weights(model, folder / MODEL, result.run_id)
    return LoadedRun(
        folder=folder,
        run_id=result.run_id,
        experiment=str(config["experiment"]),
        row=str(config["row"]),
        seed=int(config["seed"]),
        model=model.to(device).eval(),
        system=system,
        vocabulary=vocabulary,
        dataset_spec=config["dataset"]["spec"],
        dataset_path=Path(config["dataset"]["path"]),
        fingerprint=fingerprint,
        metrics=tuple(config["metrics"]),
        select=config["select"],
        checkpoints=checkpoints,
        result=result,
        gallery=str(config.get("gallery", OWN_SPLIT)),
    )


def _pinned(system: System, result: Result) -> System:
    """Return the system with the commits that the hub's models had, wherever their branches are now."""
    pinned = {}
    for slot, origin in result.hub.items():
        spec = getattr(system, slot)
        if spec is None:
            continue  # a result of another system; what does not fit is said where its weights are loaded
        pinned[slot] = spec.model_copy(update={"options": {**spec.options, "revision": origin["commit"]}})
    return system.model_copy(update=pinned)


def _read_vocabulary(folder: Path) -> Vocabulary:
    file = folder / VOCABULARY
    if not file.is_file():
        raise DataError("the run reads text, but this file of its words is missing.", place=Place(str(file)))
    try:
        return Vocabulary.from_json(file.read_text(encoding="utf-8"))
    except (ValueError, KeyError, TypeError):
        raise DataError("not a whole vocabulary.", place=Place(str(file))) from None


def _checkpoints(system: System, folder: Path) -> dict[str, Path]:
    """Weights made by ``weights: pretrain`` of frozen encoders, beside a copied run or in vsebench's own folder. They
    are those that the run had, or an error: the weights of encoders that were trained further are in the run itself."""
    results = {}
    record = read_record(folder)
    for slot in needed(system):
        spec = getattr(system, slot)
        if spec.options.get("finetune") != "none":
            continue
        whose = f"the weights that {slot} '{spec.name}' was pretrained to"
        if slot not in record:
            raise DataError(
                f"{whose} are not recorded with the run, as in the first release. Sweep it again.",
                place=Place(str(folder)),
            )
        name, content = record[slot]["file"], record[slot]["sha256"]
        file = next((f for f in (folder / name, pretrained_home() / name) if f.is_file()), None)
        if file is None:
            raise DataError(
                f"{whose} are missing, and frozen weights are not kept in the run. Put the file back (VSEBENCH_HOME "
                "says where it is looked for), or sweep again.",
                place=Place(str(pretrained_home() / name)),
            )
        load_weights(file, digest=content)
        results[slot] = file
    return results


def _load_weights(model: Model, file: Path, run_id: str) -> None:
    if not file.is_file():
        raise DataError("the run's weights are missing.", place=Place(str(file)))
    state = load_weights(file, owner=run_id)
    learned = set() if model.fitter is None else model.fitter.learned_in(state, "fitter.")
    wanted = {k: tuple(v.shape) for k, v in trained_state(model).items()}
    results = {k: tuple(v.shape) for k, v in state.items() if k not in learned}  # those have the sizes of the fit
    if wanted != results:
        wrong = [k for k in {**wanted, **results} if wanted.get(k) != results.get(k)]
        problems = [f"{k}: {results.get(k, 'missing')}, wanted {wanted.get(k, 'nothing')}" for k in wrong]
        raise DataError("these weights do not fit what the system is today.", problems=problems, place=Place(str(file)))
    model.load_state_dict(state, strict=False)  # strict above: only frozen encoders, loaded already, are not in it
