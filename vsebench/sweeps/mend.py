"""What is damaged of an experiment's finished runs, and runs that rest on different weights of one encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsebench.core.errors import DataError
from vsebench.core.files import DAMAGED, set_aside
from vsebench.engine.pretrain import RECORD, read_record
from vsebench.runs.store import RESULT, Store, damaged_files
from vsebench.sweeps.plan import Run


def mend(store: Store) -> list[str]:
    """Set aside what is damaged of the runs that have results, with their results: those runs are done again.

    Returns: a line for each, with the file.
    """
    if not store.folder.is_dir():
        return []
    lines = []
    for folder in sorted(f for f in store.folder.iterdir() if f.is_dir() and not f.name.startswith(".")):
        damaged = damaged_files(folder)
        for file in damaged:
            set_aside(file)
            lines.append(
                f"{file} is damaged: it is not what was written. It is set aside as {file.name + DAMAGED}; its run is "
                "done again."
            )
        if damaged and (folder / RESULT).is_file():
            set_aside(folder / RESULT)
    return lines


def differing_weights(runs: Sequence[Run], store: Store) -> list[str]:
    """Return a line for every encoder of which finished runs had different weights although the same was asked for.

    Their numbers are comparable as those of differently seeded encoders are.
    """
    groups: dict[tuple[str, str], dict[str, list[Path]]] = {}
    for run_id in dict.fromkeys(run.run_id for run in runs):
        folder = store.run_folder(run_id)
        if not (folder / RECORD).is_file() or not store.finished(run_id):
            continue
        try:
            record = read_record(folder)
        except DataError:
            continue
        for slot, one in record.items():
            groups.setdefault((slot, one["made_from"]), {}).setdefault(one["sha256"], []).append(folder)
    return [
        f"{slot}: {' and '.join(f'{len(folders)} runs' for folders in by_content.values())} rest on different weights "
        f"of the same pretrained encoder (such as {' and '.join(folders[0].name for folders in by_content.values())}); "
        f"{RECORD} in their folders says how each was made. Sweep in a new folder of runs to compare equal ones."
        for (slot, _), by_content in groups.items()
        if len(by_content) > 1
    ]
