"""From blocks of YAML to a :class:`System` whose every component and option is known to be right."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, get_args

from vsebench.config import document
from vsebench.config.absent import check_absent
from vsebench.config.faults import validate
from vsebench.config.fitted import check_fitted, with_fitter
from vsebench.config.merge import merge_component, merge_system, merge_train, per_modality
from vsebench.config.schema import (
    ENCODER_SLOTS,
    OPTIONAL_SLOTS,
    SINGLE_SLOTS,
    Spec,
    System,
    Target,
    Train,
    WeightedSpec,
)
from vsebench.config.untrained import check_trains
from vsebench.core.component import short
from vsebench.core.errors import Collector, ConfigError, all_of, did_you_mean, known_names
from vsebench.core.registry import ATTENTIONS, FUSIONS, HEADS, OBJECTIVES, POOLINGS, registry_of
from vsebench.core.types import MODALITIES

#: What stands in a slot that neither recipe nor row gives: a block without a name changes options of it.
_DEFAULTS = {"attention": "none", "fusion": "concat", "head": "mlp"}
#: Weights of objectives are below it: not infinite, and no NaN.
MOST = 1e30
SYSTEMS_FOLDER = Path(__file__).parent / "systems"


def recipes() -> list[str]:
    """Names of the published systems that ship as recipes."""
    return sorted(f.stem for f in SYSTEMS_FOLDER.glob("*.yaml"))


@cache
def recipe(name: str) -> document.Document:
    """Read a recipe's file.

    Raises: ConfigError with the nearest name.
    """
    file = SYSTEMS_FOLDER / f"{name}.yaml"
    if not file.is_file():
        known = recipes()
        raise ConfigError(
            f"unknown system '{name}'." + did_you_mean(str(name), known) + known_names(known), path=("system",)
        )
    return document.load(file)


def system_block(row: dict[str, Any], train: dict[str, Any]) -> dict[str, Any]:
    """Return a row laid over the experiment's ``train`` laid over the recipe that it names.

    Raises: ConfigError for an unknown recipe.
    """
    row = dict(row)
    name = row.pop("system", None)
    block: dict[str, Any] = {}
    if name is not None:
        if not isinstance(name, str):
            raise ConfigError(f"'system' must be a recipe's name. Got {short(name)}.", path=("system",))
        block = {k: v for k, v in recipe(name).data.items() if k not in ("title", "source", "notes")}
        block["recipe"] = name
    block["train"] = merge_train(block.get("train") or {}, train)
    return merge_system(block, row)


def resolve(block: dict[str, Any]) -> System:
    """Validate a merged block.

    Raises: ConfigError of every component, option and key at fault, whose path leads to it: unknown, of the wrong type,
        out of range; or, where there is none, of components that do not go together.
    """
    data, present = components_of(block)
    data.setdefault("attention", _component("attention", "none", ("attention",)))
    if "head" not in data:
        data["head"] = _component("head", "mlp", ("head",))
    data["fusion"] = _fusion(data.get("fusion"), data["head"], present)
    if len(present) == 1 and data.get("absent") == "learned":
        data["absent"] = "zero"  # as the fusion: skipped with one modality
    data.setdefault("train", resolve_train({}, ("train",)))
    if not data["objective"] and isinstance(data["train"], Train):
        data["train"] = data["train"].model_copy(update={"epochs": 0})  # an experiment's epochs are for other rows
    system = validate(System, data, "the system")
    check_legal(system)
    return system


def components_of(block: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Validate each component of a merged block by itself.

    Returns: the block with validated components, and the modalities that have an encoder.

    Raises: ConfigError of every component, option and key at fault.
    """
    data = dict(block)
    faults = Collector()
    for slot, kind in SINGLE_SLOTS.items():
        if slot in data:
            with faults:
                data[slot] = _optional(slot, kind, data[slot])
    if "projection" in data:
        with faults:
            data["projection"] = _optional("projection", "projection", data["projection"])
    if isinstance(data.get("train"), dict):
        with faults:
            data["train"] = resolve_train(data["train"], ("train",))
    checked = (*SINGLE_SLOTS, "projection", "train", "pooling", "objective")
    others = {key: value for key, value in data.items() if key not in checked}
    with faults:
        validate(System, others, "the system")
    present = [m for m in MODALITIES if data.get(ENCODER_SLOTS[m]) is not None]
    if faults:
        with faults:
            _poolings(data.get("pooling", "mean"), present)
        with faults:
            _objectives(data.get("objective", "cross_entropy"), present, data.get("scorer") is not None)
        faults.check()
    if data.get("fitter") is not None:
        data = with_fitter(data)
    with faults:
        data["pooling"] = _poolings(data.get("pooling", "mean"), present)
    with faults:
        data["objective"] = _objectives(data.get("objective", "cross_entropy"), present, data.get("scorer") is not None)
    faults.check()
    return data, present


def resolve_train(block: dict[str, Any], path: tuple[str, ...]) -> Train:
    """Validate training settings.

    Raises: ConfigError below ``path``.
    """
    data = dict(block)
    faults = Collector()
    for key in ("optimizer", "schedule"):
        default = Train.model_fields[key].default.name
        with faults:
            data[key] = _component(key, merge_component(default, data.get(key, default)), (*path, key))
            continue
        data[key] = Train.model_fields[key].default
    if "augment" in data:
        augment, data["augment"] = data["augment"], None
        with faults:
            data["augment"] = _optional("augment", "augmentation", augment, (*path, "augment"))
    try:
        train = validate(Train, data, "train")
    except ConfigError as error:
        raise all_of([*faults.faults, error.under(*path)]) from None
    faults.check()
    return train


def check_legal(system: System) -> None:
    """Refuse components that do not go together.

    Raises: ConfigError naming the component and what it lacks.
    """
    present = system.modalities
    if not present:
        slots = ", ".join(ENCODER_SLOTS.values())
        raise ConfigError(f"a system needs at least one encoder ({slots}); all of them are none.")
    slots_specs: list[tuple[tuple[str, ...], str, Spec | None]] = [
        (("attention",), "attention", system.attention),
        (("fusion",), "fusion", system.fusion),
        (("fitter",), "fitter", system.fitter),
        *((("pooling", m), "pooling", s) for m, s in system.pooling.items()),
        *((("objective",), "objective", s) for s in system.objective),
    ]
    for path, kind, spec in slots_specs:
        if spec is None:
            continue
        needs = _needs(kind, spec)
        missing = [m for m in needs if m not in present]
        if missing:
            encoders = " and ".join(ENCODER_SLOTS[m] for m in missing)
            raise ConfigError(
                f"{kind} '{spec.name}' needs {' and '.join(needs)}, but {encoders} "
                f"{'is' if len(missing) == 1 else 'are'} none. Choose another {kind} or give the encoder.",
                path=path,
            )
    check_fitted(system)
    check_trains(system)
    check_objectives(system)
    check_ranking(system)
    check_absent(system)
    if system.placebo is not None and (system.placebo.modality not in present or len(present) < 2):
        raise ConfigError(
            f"placebo: '{system.placebo.modality}' must be one of several modalities that the row reads: "
            f"{', '.join(present)}.",
            path=("placebo",),
        )
    scales = set(system.train.lr_scale) - {"image_encoder", "text_encoder", "audio_encoder"}
    if scales:
        known = list(ENCODER_SLOTS.values())
        first = sorted(scales)[0]
        raise ConfigError(
            f"unknown slot '{first}' in lr_scale." + did_you_mean(first, known) + known_names(known),
            path=("train", "lr_scale", first),
            on_key=True,
        )


def check_objectives(system: System) -> None:
    """Refuse terms that read what the system does not have.

    Raises: ConfigError.
    """
    reads = () if system.head is None else HEADS.get(system.head.name).facts["reads"]
    for spec in system.objective:
        facts = OBJECTIVES.get(spec.name).facts
        if facts["needs_logits"] and system.head is None:
            raise ConfigError(
                f"objective '{spec.name}' needs a head, but head is none. Give a head, or a retrieval objective.",
                path=("objective",),
            )
        if facts["needs_compared"] and not _compares(system):
            fusion = "none" if system.fusion is None else f"'{system.fusion.name}'"
            raise ConfigError(
                f"objective '{spec.name}' needs a fusion that compares documents by their texts, but fusion is "
                f"{fusion}. Choose fusion: amir, or leave the objective out.",
                path=("objective",),
            )
        if facts["needs_parts"] and "vectors" not in reads:
            head = "none" if system.head is None else f"'{system.head.name}'"
            raise ConfigError(
                f"objective '{spec.name}' needs a head of several parts, but head is {head}. "
                "Choose head: decision or hybrid, or leave the objective out.",
                path=("objective",),
            )


def _compares(system: System) -> bool:
    return system.fusion is not None and bool(FUSIONS.get(system.fusion.name).facts["compares"])


def check_ranking(system: System) -> None:
    """Refuse scorers and re-rankers that cannot work.

    Raises: ConfigError.
    """
    if system.reranker is not None and system.head is None:
        raise ConfigError("a reranker of classes needs a head, but head is none.", path=("reranker",))
    if system.rerank_top is not None and system.scorer is None:
        raise ConfigError("rerank_top needs a scorer of pairs, which re-ranks.", path=("rerank_top",))
    if system.scorer is None:
        return
    missing = [ENCODER_SLOTS[m] for m in ("image", "text") if m not in system.modalities]
    if missing:
        raise ConfigError(f"a scorer of pairs needs image and text, but {missing[0]} is none.", path=("scorer",))
    if ATTENTIONS.get(system.attention.name).facts["cross_modal"]:
        raise ConfigError(
            f"attention '{system.attention.name}' lets an image see its own caption, and a scorer must meet every "
            "caption with the same image. Choose another attention.",
            path=("attention",),
        )
    if not any(term.on == "scores" for term in system.objective):
        raise ConfigError(
            "no objective trains the scorer. Give one that contrasts scores: "
            + ", ".join(n for n in OBJECTIVES.names() if OBJECTIVES.get(n).facts["takes_scores"])
            + ".",
            path=("objective",),
        )
    if system.rerank_top is not None and not any(term.on == "embeddings" for term in system.objective):
        raise ConfigError(
            "with rerank_top embeddings find what the scorer ranks again, but no objective trains them. Add a term "
            "with on: embeddings.",
            path=("objective",),
        )


def _component(kind: str, value: Any, path: tuple[str | int, ...]) -> Spec:
    name, options = _name_and_options(kind, value, path)
    try:
        return Spec(name=name, options=registry_of(kind).get(name).checked(options))
    except ConfigError as error:
        raise error.under(*path) from None


def _name_and_options(kind: str, value: Any, path: tuple[str | int, ...]) -> tuple[str, dict[str, Any]]:
    if isinstance(value, Spec):
        return value.name, value.options
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict):
        name = value.get("name")
        if not isinstance(name, str):
            raise ConfigError(f"{kind} needs a 'name'.{known_names(registry_of(kind).names())}", path=path)
        return name, {k: v for k, v in value.items() if k != "name"}
    raise ConfigError(f"{kind} must be a name or a block with a 'name'. Got {short(value)}.", path=path)


def _optional(slot: str, kind: str, value: Any, path: tuple[str, ...] = ()) -> Spec | None:
    absent = value is None or value == "none"
    if absent and slot in OPTIONAL_SLOTS:
        return None
    if absent and slot == "fusion":
        return None
    if isinstance(value, dict) and slot in _DEFAULTS:
        value = merge_component(_DEFAULTS[slot], value)
    return _component(kind, "none" if value is None else value, path or (slot,))


def _fusion(given: Spec | None, head: Spec | None, present: list[str]) -> Spec | None:
    """None with one modality, and where no head reads a joint vector; else ``concat`` unless one is given."""
    if len(present) == 1:
        return None
    if head is None:
        if given is not None:
            raise ConfigError(
                f"without a head nothing reads a fused vector, but fusion is '{given.name}'. Write fusion: none, or "
                "give a head.",
                path=("fusion",),
            )
        return None
    if "joint" in HEADS.get(head.name).facts["reads"]:
        return given or _component("fusion", "concat", ("fusion",))
    if given is not None:
        raise ConfigError(
            f"head '{head.name}' combines the modalities' own decisions and reads no fused vector, but fusion is "
            f"'{given.name}'. Write fusion: none, or choose head: hybrid.",
            path=("fusion",),
        )
    return None


def _poolings(value: Any, present: list[str]) -> dict[str, Spec]:
    named = per_modality(value)
    if named:
        result, faults = {}, Collector()
        for m in present:
            with faults:
                result[m] = _component("pooling", merge_component("mean", value.get(m, "mean")), ("pooling", m))
        faults.check()
        return result
    if isinstance(value, dict) and "name" not in value:
        wrong = sorted(set(value) - set(MODALITIES))
        raise ConfigError(
            f"pooling needs a 'name' (one pooling for all modalities) or modalities as keys ({', '.join(MODALITIES)})."
            + (f" Got '{wrong[0]}'." + did_you_mean(wrong[0], [*MODALITIES, *POOLINGS.names()]) if wrong else ""),
            path=("pooling", *wrong[:1]),
            on_key=bool(wrong),
        )
    return {m: _component("pooling", value, ("pooling",)) for m in present}


def _objectives(value: Any, present: list[str], scorer: bool) -> list[WeightedSpec]:
    """Resolve the weighted sum. A term with ``if_present: true`` (recipes have them) falls away with its modality. With
    a scorer, terms that can contrast its scores do, unless they say ``on: embeddings``. ``none`` is no term at all.
    """
    if value is None or value == "none":
        return []
    items = value if isinstance(value, list) else [value]
    if not items:
        raise ConfigError(f"objective must not be an empty list.{known_names(OBJECTIVES.names())}", path=("objective",))
    results: list[WeightedSpec] = []
    faults = Collector()
    for i, item in enumerate(items):
        path: tuple[str | int, ...] = ("objective", i) if isinstance(value, list) else ("objective",)
        with faults:
            term = _objective(item, present, scorer, path)
            results += [] if term is None else [term]
    faults.check()
    if not results:
        raise ConfigError("no objective is left: each one needs a modality that is none.", path=("objective",))
    return results


def _objective(item: Any, present: list[str], scorer: bool, path: tuple[str | int, ...]) -> WeightedSpec | None:
    """Resolve one term; None for an optional one whose modality is absent."""
    item = dict(item) if isinstance(item, dict) else item
    weight = item.pop("weight", 1.0) if isinstance(item, dict) else 1.0
    optional = item.pop("if_present", False) if isinstance(item, dict) else False
    given = item.pop("on", None) if isinstance(item, dict) else None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not -MOST < weight < MOST:
        raise ConfigError(f"an objective's weight must be a number. Got {short(weight)}.", path=(*path, "weight"))
    if not isinstance(optional, bool):
        message = f"'if_present' must be true or false. Got {short(optional)}."
        raise ConfigError(message, path=(*path, "if_present"))
    spec = _component("objective", item, path)
    alone = len(present) == 1 and OBJECTIVES.get(spec.name).facts["needs_compared"]  # nothing is fused
    if optional and (alone or not set(_needs("objective", spec)) <= set(present)):
        return None
    on = _contrasts(spec.name, given, scorer, path)
    return WeightedSpec(name=spec.name, options=spec.options, weight=float(weight), on=on)


def _contrasts(name: str, given: Any, scorer: bool, path: tuple[str | int, ...]) -> Target:
    facts = OBJECTIVES.get(name).facts
    takes_scores = scorer and facts["takes_scores"]
    if given is None:
        return "scores" if takes_scores else "embeddings"
    if given not in get_args(Target):
        raise ConfigError(f"'on' must be one of {', '.join(get_args(Target))}. Got {short(given)}.", path=(*path, "on"))
    if given == "scores" and not takes_scores:
        why = f"objective '{name}' does not contrast scores" if scorer else "the system has no scorer"
        raise ConfigError(f"'on: scores': {why}.", path=(*path, "on"))
    if given == "vectors" and not {"image", "text"} <= set(facts["needs"]):
        raise ConfigError(f"'on: vectors': objective '{name}' does not contrast image and text.", path=(*path, "on"))
    target: Target = given
    return target


def _needs(kind: str, spec: Spec) -> tuple[str, ...]:
    """Return the modalities that a component cannot do without: by its registration, or by its option ``modality``."""
    needs = tuple(registry_of(kind).get(spec.name).facts.get("needs", ()))
    named = spec.options.get("modality")
    return needs or ((named,) if named in MODALITIES else ())
