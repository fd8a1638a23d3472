"""How long a plan will take and what it will leave on disk, from the records of earlier runs.

A run is compared with the nearest records there are: the same configuration with other seeds; else the same encoders on
the same data; else the same data; else anything, by the number of training items. Times are then those of the median
record, for each epoch, and beside the epochs (building, encoding, evaluating).
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.config.schema import ENCODER_SLOTS
from vsebench.core.names import fault_of_name
from vsebench.core.types import Result
from vsebench.runs.store import HISTORY, Store
from vsebench.sweeps.plan import Plan, Run

#: How near a record is to a run, nearest first, and how that is said.
TIERS = ("the same rows", "the same encoders", "the same data", "other data")


@dataclass(frozen=True)
class Record:
    """What a finished run cost.

    Args:
        epoch_s: seconds for each epoch.
        other_s: seconds beside the epochs.
        epochs_share: epochs that were done of those that were planned; less than 1 where it stopped early.
        size: bytes of its folder.
    """

    keys: tuple[str, ...]
    items: int
    epoch_s: float
    other_s: float
    epochs_share: float
    size: int


@dataclass(frozen=True)
class Estimate:
    """What is to be expected of a plan's open runs.

    Args:
        seconds: by run id, for one worker; None where there is no record at all.
        size: bytes that the runs' folders will hold.
        based_on: for each tier, how many runs were estimated from it.
        records: number of earlier runs that were looked at.
    """

    seconds: Mapping[str, float | None]
    size: int
    based_on: Mapping[str, int]
    records: int

    def total(self, workers: int) -> float | None:
        """Seconds for all runs with so many workers; never less than the longest run takes."""
        known = [s for s in self.seconds.values() if s is not None]
        if len(known) < len(self.seconds) or not known:
            return None
        return max(sum(known) / max(1, min(workers, len(known))), max(known))


def estimate(plan: Plan, root: Path, *, device: str) -> Estimate:
    """Estimate the open runs of a plan.

    Args:
        plan: whose open runs are estimated.
        root: the folder of all experiments' runs; records of every experiment count.
        device: the records' hardware, as results name it; runs on other hardware are no record.
    """
    records = read_records(root, device)
    by_tier = [_grouped(records, tier) for tier in range(len(TIERS))]
    seconds: dict[str, float | None] = {}
    based_on: Counter[str] = Counter()
    size = 0
    for run in plan.todo:
        if run.run_id in seconds:
            continue
        keys = keys_of(run.system.model_dump(mode="json"), plan.dataset)
        items = int(plan.dataset["splits"].get("train", 0))
        for tier, key in enumerate(keys):
            near = by_tier[tier].get(key)
            if near:
                seconds[run.run_id] = _seconds(run, near, items, root)
                size += round(statistics.median(r.size for r in near))
                based_on[TIERS[tier]] += 1
                break
        else:
            seconds[run.run_id] = None
    return Estimate(seconds, size, dict(based_on), len(records))


def read_records(root: Path, device: str) -> list[Record]:
    """Read the records of finished runs on this hardware."""
    results = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.is_dir() and fault_of_name(folder.name) is None:
            store = Store(root, folder.name)
            for result in store.results():
                if result.status == "finished" and result.epochs and result.hardware.get("device") == device:
                    results.append(_record(result, store))
    return results


def keys_of(config: Mapping[str, Any], dataset: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the properties that a run must share with a record, for each tier."""
    data = str(dataset["fingerprint"])
    encoders = [(config.get(slot) or {}).get("name") for slot in ENCODER_SLOTS.values()]
    trained = [(config.get(slot) or {}).get("options", {}).get("finetune") for slot in ENCODER_SLOTS.values()]
    return (f"{config} {data}", f"{encoders} {trained} {data}", data, "")


def _record(result: Result, store: Store) -> Record:
    planned = int(result.config["train"]["epochs"])  # 0 where a fitter has iterations of its own: all of it is "beside"
    epochs_s = result.train_s if planned else 0.0
    items = int(result.dataset.get("splits", {}).get("train", 0))
    return Record(
        keys_of(result.config, result.dataset),
        items,
        epochs_s / result.epochs,
        result.other_s + result.train_s - epochs_s,
        min(1.0, result.epochs / planned) if planned else 1.0,
        sum(f.stat().st_size for f in store.run_folder(result.run_id).iterdir() if f.is_file()),
    )


def _grouped(records: Sequence[Record], tier: int) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.keys[tier], []).append(record)
    return groups


def _seconds(run: Run, near: Sequence[Record], items: int, root: Path) -> float:
    share = statistics.median(r.epochs_share for r in near)
    epochs = max(1.0, run.system.train.epochs * share) if run.system.train.epochs else 0.0
    if run.status == "started":
        epochs = max(0.0, epochs - _epochs_done(run, root))
    scale = [items / r.items if r.items and items else 1.0 for r in near]
    epoch = statistics.median(r.epoch_s * s for r, s in zip(near, scale, strict=True))
    return epochs * epoch + statistics.median(r.other_s * s for r, s in zip(near, scale, strict=True))


def _epochs_done(run: Run, root: Path) -> int:
    file = Store(root, run.experiment).run_folder(run.run_id) / HISTORY
    try:
        return file.read_text(encoding="utf-8").count("\n")
    except OSError:
        return 0
