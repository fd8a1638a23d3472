"""What a finished run says of test when one modality is another item's, corrupted or missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, create_model
from pydantic_core import PydanticCustomError

from vsebench.components.corruption.base import strength_type
from vsebench.config.faults import validate
from vsebench.core.errors import Collector, ConfigError
from vsebench.core.registry import CORRUPTIONS, MEASUREMENTS
from vsebench.leaderboard.page import Section
from vsebench.leaderboard.robustness import robustness_sections
from vsebench.leaderboard.robustness_plots import figures
from vsebench.measurements.base import Measurement
from vsebench.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from vsebench.data.dataset import Dataset
    from vsebench.runs.load import LoadedRun

#: Options that hold corruptions and their strengths.
INPUTS = ("image", "text", "audio", "features")


@MEASUREMENTS.register("robustness", source="own; docs/robustness.md", version=2)
class Robustness(Measurement):
    """Evaluate test with one modality at a time changed; the others stay as they are.

    A corruption is given by its name with the strengths, ``image: {noise: [0.1, 0.2]}``; ``image: {}`` leaves images
    alone.

    Args:
        image: corruptions of images.
        text: corruptions of texts.
        audio: corruptions of sounds.
        features: corruptions of a modality that the dataset has as precomputed features.
        shuffle: whether a modality is exchanged between items.
        drop: whether a modality is left out.
        repeats: of shuffles, whose mean is taken.

    Example:
        >>> Robustness.check_options({"image": {"noise": [1]}})["image"]
        {'noise': [1.0]}
    """

    def __init__(
        self,
        *,
        image: dict[str, Any] = {"noise": [0.1, 0.2, 0.4], "occlusion": [0.25, 0.5]},  # noqa: B006  (never changed)
        text: dict[str, Any] = {"dropout": [0.25, 0.5, 0.75]},  # noqa: B006
        audio: dict[str, Any] = {"snr": [20.0, 10.0, 0.0]},  # noqa: B006
        features: dict[str, Any] = {"noise": [0.5, 1.0, 2.0]},  # noqa: B006
        shuffle: bool = True,
        drop: bool = True,
        repeats: Annotated[int, Ge(1), Le(100)] = 3,
    ) -> None:
        self.corruptions = {"image": image, "text": text, "audio": audio, "features": features}
        self.shuffle, self.drop, self.repeats = shuffle, drop, repeats

    def measure(self, run: LoadedRun, dataset: Dataset) -> Mapping[str, Any]:
        """Evaluate a run's test split.

        Returns: metric -> value wherever numbers stand.
            ``clean``: as it is; ``stored``: what the run stored, where today's numbers are others.
            ``shuffled``: modality -> mean over the repeats. ``dropped``: modality -> numbers; ``needed``: modality ->
            why it cannot be left out. Both of what a head decides: no ranking outlives the exchange of one side of
            every pair.
            ``damaged``: modality -> corruption -> a list of strength and numbers, in the order asked for.
        """
        from vsebench.measurements._evaluator import RunEvaluator
        from vsebench.measurements._inputs import Damage, Damager, shuffled, without

        evaluator = RunEvaluator(run, dataset)
        clean = evaluator.numbers(evaluator.loader)
        values: dict[str, Any] = {"clean": clean, "shuffled": {}, "dropped": {}, "needed": {}, "damaged": {}}
        if stored := evaluator.differs(clean):
            values["stored"] = stored
        for modality in run.system.modalities if evaluator.decides else ():
            if self.shuffle and len(evaluator.loader) > 1:
                repeats = [shuffled(evaluator.loader, modality, seed) for seed in range(self.repeats)]
                values["shuffled"][modality] = _mean([evaluator.numbers(loader, ranked=False) for loader in repeats])
            if self.drop:
                why = evaluator.missing_reason(modality)
                if why is None:
                    numbers = evaluator.numbers(without(evaluator.loader, [modality]), ranked=False)
                    values["dropped"][modality] = numbers
                else:
                    values["needed"][modality] = why
        damager = Damager(evaluator.loader, run.model.encoders)
        for modality in run.system.modalities:
            kinds = self.corruptions["features" if modality in evaluator.loader.precomputed else modality]
            for kind, strengths in kinds.items():
                points = [[s, evaluator.numbers(damager.damaged(modality, Damage(kind, s)))] for s in strengths]
                values["damaged"].setdefault(modality, {})[kind] = points
        return values

    @classmethod
    def check_options(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options with the strengths of each corruption as numbers.

        Raises: ConfigError of an unknown corruption, or strengths that it does not have.
        """
        faults, checked = Collector(), dict(options)
        for modality in INPUTS:
            with faults:
                if modality in options:
                    block = _validated(modality, options[modality])
                    checked[modality] = block.model_dump(mode="json", exclude_none=True)
        faults.check()
        return checked

    @classmethod
    def sections(cls, snapshot: Snapshot, name: str) -> list[Section]:
        """Return what a fusion uses, the numbers under corruption, and remarks."""
        return robustness_sections(snapshot, figures(snapshot))


def _validated(modality: str, block: Any) -> BaseModel:
    names = [name for name in CORRUPTIONS.names() if modality in CORRUPTIONS.get(name).facts["meaning"]]
    try:
        return validate(_strengths(modality, tuple(names)), block, f"measure.robustness.{modality}")
    except ConfigError as error:
        raise error.under(modality) from None


@cache
def _strengths(modality: str, names: tuple[str, ...]) -> type[BaseModel]:
    """Return the form of an option: for each corruption of the modality a list of strengths."""

    def field(name: str) -> Any:
        strength: Any = strength_type(CORRUPTIONS.get(name).target, modality)  # type: ignore[arg-type]
        listed: Any = list.__class_getitem__(strength)
        return Annotated[listed, MinLen(1), AfterValidator(_unlike)] | None

    config = ConfigDict(extra="forbid", strict=True)
    model: type[BaseModel] = create_model(modality, __config__=config, **{name: (field(name), None) for name in names})  # type: ignore[call-overload]
    return model


def _unlike(values: list[float]) -> list[float]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "must not repeat a strength")
    return values


def _mean(numbers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: sum(one[key] for one in numbers) / len(numbers) for key in numbers[0]}
