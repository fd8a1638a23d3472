"""How a run is filed in W&B: what its table of runs can be grouped and filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsebench.config.schema import ENCODER_SLOTS, System
from vsebench.runs.tracking import ROW_KEY
from vsebench.runs.wandb_options import TAG
from vsebench.sweeps.plan import Run

SLOTS = (*ENCODER_SLOTS.values(), "attention", "fusion", "head", "scorer", "reranker", "fitter")


def slots_of(system: System) -> dict[str, str]:
    """Slot -> name of its component, ``none`` where it is empty. A name per modality is joined by `` / ``."""
    results = {slot: getattr(system, slot) for slot in SLOTS}
    return {
        **{slot: "none" if spec is None else str(spec.name) for slot, spec in results.items()},
        "pooling": " / ".join(dict.fromkeys(spec.name for spec in system.pooling.values())) or "none",
        "objective": " + ".join(dict.fromkeys(term.name for term in system.objective)) or "none",
    }


def filed_config(run: Run) -> dict[str, Any]:
    """Return the W&B run's configuration: a key per slot, the labels of a grid under ``axes``, all options in
    ``system``.
    """
    return {
        "row": run.name,
        "section": run.section,
        "seed": run.seed,
        "run_id": run.run_id,
        "dataset": dataset_name(run.dataset),
        **slots_of(run.system),
        "axes": dict(run.axes),
        "system": run.system.model_dump(mode="json"),
        # From these and the logged result a board is made again (vsebench leaderboard --from-wandb).
        ROW_KEY: {
            "section": run.section,
            "axes": dict(run.axes),
            "select": {"metric": run.select_metric, "mode": run.select_mode},
            "gallery": run.gallery,
        },
    }


def filed_tags(run: Run) -> list[str]:
    """Section, dataset and components as tags, ``fusion:gated``."""
    slots = {slot: name for slot, name in slots_of(run.system).items() if name != "none"}
    tags = [run.section, f"dataset:{dataset_name(run.dataset)}", *(f"{slot}:{name}" for slot, name in slots.items())]
    return list(dict.fromkeys(tag[:TAG] for tag in tags))


def dataset_name(reference: str | Mapping[str, Any]) -> str:
    """Return the name of what an experiment file says as ``dataset``; of a file, its name without the folder."""
    name = reference if isinstance(reference, str) else str(reference.get("name"))
    return Path(name).stem if name.endswith(".h5") else name
