"""Whether runs were made by the code of today."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pydantic import ValidationError

from vsebench.config.code_files import code_digest, component_digest
from vsebench.config.schema import System
from vsebench.core.errors import ConfigError
from vsebench.core.types import Result

#: What measures an index.
_INDEX_MODULE = "vsebench.retrieval.index_benchmark.measure"


def code_today(result: Result) -> str | None:
    """Return the digest that a run's code has today; None where one of its components is not at hand."""
    try:
        if "index" in result.config:
            return component_digest("index", result.config["index"]["name"], _INDEX_MODULE)
        return code_digest(System.model_validate(dict(result.config)))
    except (ConfigError, ValidationError):
        return None


def code_line(results: Iterable[Result]) -> str:
    """Return what to say of runs by other code than today's, in one line; empty where there are none.

    Code that differs is no difference of numbers: versions say that, and are part of a run's id.
    """
    count = Counter(map(_made_by, results))
    reasons = {
        "other": "by code that differs from today's ('vsebench reproduce' tells whether the numbers agree)",
        "unsaid": "by code that is not recorded, as in runs of earlier versions",
        "unknown": "by code with a component that is missing here",
    }
    parts = [(count[name], reason) for name, reason in reasons.items() if count[name]]
    return "; ".join(f"{number:,} {'run' if number == 1 else 'runs'} {reason}" for number, reason in parts)


def _made_by(result: Result) -> str:
    if not result.code:
        return "unsaid"
    today = code_today(result)
    return "unknown" if today is None else "same" if today == result.code else "other"
