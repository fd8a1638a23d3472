"""``weights: embedded``: the shipped image encoders as options of a timm model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vsebench.core.errors import ConfigError
from vsebench.core.shipped import EMBEDDED, shipped_file

#: Options that the shipped weights decide, and what they are where the user leaves them out.
_DECIDED: Mapping[str, Any] = {"model_args": {}, "image_size": None, "mean": None, "std": None, "merge": None}


def with_embedded(options: Mapping[str, Any], component: str) -> dict[str, Any]:
    """Return the options with those of the shipped weights filled in, where they name such weights.

    Raises: ConfigError for a name that does not ship, another version, or an option that the weights decide.
    """
    if options["weights"] != EMBEDDED:
        return dict(options)
    from safetensors import safe_open

    name = options["model"]
    file = shipped_file(name, component, options["revision"])
    with safe_open(file, framework="pt") as stored:
        decided = json.loads(stored.metadata()["options"])
    for option, absent in _DECIDED.items():
        if (options[option] or absent) not in (absent, decided[option]):
            raise ConfigError(
                f"'{option}' does not go with weights: embedded: '{name}' has {decided[option]}. Leave it out.",
                path=(option,),
            )
    decided["standard"] = {key: decided.pop(key) for key in ("offset", "scale")}
    # They were trained without a classifier and without pooling, which decides where timm puts the last norm.
    arguments = {**decided["model_args"], "num_classes": 0, "global_pool": ""}
    return {**options, **decided, "model_args": arguments, "weights": str(file), "revision": None}
