"""What corruptions promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pydantic

from vsebench.components.corruption.base import Corruption, strength_type
from vsebench.core.component import Component
from vsebench.testing.written import require

#: Strengths of which one at least should be allowed.
_STRENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 0.1, 0.01, -1.0, -10.0)
_TEXT = "a red hat with three green feathers and a small blue ribbon"


def check_corruption(component: Component, options: Mapping[str, Any]) -> None:
    """Check that its draws come from the generator alone, its input stays as it is, and shapes and types are kept.

    Raises: AssertionError.
    """
    who = f"corruption '{component.name}'"
    corruption, inputs = component.build(options), _inputs()
    require(isinstance(corruption, Corruption), f"{who} is not derived from Corruption")
    for modality in component.facts["meaning"]:
        require(modality in inputs, f"{who} has a meaning for '{modality}'; known: {', '.join(inputs)}")
        method = getattr(corruption, modality, None)
        require(method is not None, f"{who} has a meaning for {modality}, but no method '{modality}'")
        strength = _strength(component, modality, who)
        for given, more in inputs[modality]:
            _check_one(f"{who}, {modality}", method, given, strength, more)


def _inputs() -> dict[str, list[tuple[Any, tuple[np.ndarray, ...]]]]:
    random = np.random.default_rng(0)
    sound = random.normal(size=400).astype(np.float32)
    values = random.normal(size=(3, 8)).astype(np.float32)
    return {
        "image": [(random.integers(256, size=(3, 20, 24), dtype=np.uint8), ())],
        "text": [(_TEXT, ())],
        "audio": [(sound, ()), (sound[:0], ())],
        "features": [(values, (values.std(0),))],
    }


def _strength(component: Component, modality: str, who: str) -> float:
    try:
        adapter = pydantic.TypeAdapter(strength_type(component.target, modality))  # type: ignore[arg-type]
    except KeyError:
        raise AssertionError(f"{who}: '{modality}' has no typed parameter 'strength'") from None
    for strength in _STRENGTHS:
        try:
            return float(adapter.validate_python(strength))
        except pydantic.ValidationError:
            continue
    raise AssertionError(f"{who}: '{modality}' allows none of the strengths {', '.join(map(str, _STRENGTHS))}")


def _check_one(
    who: str, method: Callable[..., Any] | None, given: Any, strength: float, more: tuple[np.ndarray, ...]
) -> None:
    assert method is not None
    before = given.copy() if isinstance(given, np.ndarray) else given

    def changed(seed: int) -> Any:
        return method(given, strength, *more, np.random.default_rng(seed))

    first, second = changed(1), changed(1)
    require(np.array_equal(first, second), f"{who}: two results of one generator's seed; draw from the generator alone")
    require(np.array_equal(given, before), f"{who} changes the input that it is given; change a copy")
    if isinstance(given, str):
        require(isinstance(first, str), f"{who} returns {type(first).__name__}, not text")
        return
    shape, kind = getattr(first, "shape", None), getattr(first, "dtype", None)
    right = shape == given.shape and kind == given.dtype
    require(right, f"{who} returns {shape} of {kind} instead of {given.shape} of {given.dtype}")
    require(bool(np.isfinite(first).all()), f"{who} returns numbers that are not finite")
    some = given.size == 0 or any(not np.array_equal(changed(seed), given) for seed in range(5))
    require(some, f"{who} changes nothing at strength {strength:g}")
