"""What an experiment asks to be measured of its finished runs, beside their metrics."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _unlike(values: list[float]) -> list[float]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "must not repeat a strength")
    return values


Shares = Annotated[list[Annotated[float, Gt(0), Le(1)]], MinLen(1), AfterValidator(_unlike)] | None
Decibels = Annotated[list[Annotated[float, Ge(-60), Le(100)]], MinLen(1), AfterValidator(_unlike)] | None
Spreads = Annotated[list[Annotated[float, Gt(0), Le(100)]], MinLen(1), AfterValidator(_unlike)] | None


class DamagedImages(_Block):
    """Strengths: std of noise in units of pixels in [0, 1]; share of the area that is covered."""

    noise: Shares = None
    occlusion: Shares = None


class DamagedTexts(_Block):
    """Strengths: rate of words that are left out; rate of letters that change places with the next."""

    dropout: Shares = None
    swap: Shares = None


class DamagedSounds(_Block):
    """Strengths: signal-to-noise ratio in dB."""

    snr: Decibels = None


class DamagedFeatures(_Block):
    """Of a modality that the dataset has as precomputed features. Strengths: noise in units of each dimension's std."""

    noise: Spreads = None


class Robustness(_Block):
    """The block ``robustness``: what is done to one modality of test at a time. A key that is left out has its
    default; an empty block ``image: {}`` does nothing to images."""

    image: DamagedImages = DamagedImages(noise=[0.1, 0.2, 0.4], occlusion=[0.25, 0.5])
    text: DamagedTexts = DamagedTexts(dropout=[0.25, 0.5, 0.75])
    audio: DamagedSounds = DamagedSounds(snr=[20.0, 10.0, 0.0])
    features: DamagedFeatures = DamagedFeatures(noise=[0.5, 1.0, 2.0])
    shuffle: bool = True
    drop: bool = True
    repeats: Annotated[int, Ge(1), Le(100)] = 3


def _switched(said: Any) -> Any:
    """``true`` is all defaults, ``false`` nothing."""
    if said is not None and not isinstance(said, bool | dict):
        raise PydanticCustomError("switch", "must be true, false or a block of keys")
    return {} if said is True else None if said is False else said


class Measures(BaseModel):
    """The block ``measure`` of an experiment file. It changes no run and no run's id: a finished run's model is loaded
    again and measured, so that a block that is added later completes the runs that are there.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    cost: bool = False
    robustness: Annotated[Robustness | None, BeforeValidator(_switched)] = None
    subsets: bool = False

    def asked(self) -> dict[str, dict[str, Any]]:
        """Measure -> what is asked of it, of those that are asked for."""
        found: dict[str, dict[str, Any]] = {}
        if self.cost:
            found["cost"] = {}
        if self.robustness is not None:
            found["robustness"] = self.robustness.model_dump(mode="json", exclude_none=True)
        if self.subsets:
            found["subsets"] = {}
        return found
