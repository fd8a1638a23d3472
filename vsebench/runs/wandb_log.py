"""What an offline W&B run has written: its records, read with W&B's own message types.

A ``.wandb`` file is a header of 7 bytes and then LevelDB's log: blocks of 32 KiB with records in fragments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vsebench.core.errors import DataError, Place

_BLOCK, _HEADER = 32_768, 7


@dataclass
class OfflineRun:
    """One run's log.

    Args:
        about: group, name, id and job type.
        tags: of the run.
        config: what it was started with, and what was added.
        history: what was logged, step by step.
        summary: the final numbers.
        metrics: name or pattern -> metric that it is drawn over, and how it is summed up.
        artifacts: name -> path in the artifact and on disk, of each file.
        files: media and others, by their paths below ``files/``.
        over: whether the run has ended.
    """

    about: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    artifacts: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    over: bool = False


def read_log(file: Path) -> OfflineRun:
    """Read the log of an offline run, or of one that goes on.

    Raises: DataError for a file that is no log of W&B's.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2

    run = OfflineRun()
    for data in _records(file):
        record: Any = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        try:
            record.ParseFromString(data)
        except DecodeError:
            raise DataError("a damaged log of W&B's.", place=Place(str(file))) from None
        _add(run, record)
    return run


def _records(file: Path) -> Iterator[bytes]:
    content = file.read_bytes()
    if not content.startswith(b":W&B"):
        raise DataError("not a log of W&B's.", place=Place(str(file)))
    at, whole = _HEADER, b""
    while at + _HEADER <= len(content):
        if _BLOCK - at % _BLOCK < _HEADER:  # a block's last bytes that cannot hold a header are padding
            at += _BLOCK - at % _BLOCK
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        if at + _HEADER + size > len(content):
            return  # it is being written
        whole += content[at + _HEADER : at + _HEADER + size]
        at += _HEADER + size
        if kind in (1, 4):  # a full record, or the last of its fragments
            yield whole
            whole = b""


def _add(run: OfflineRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        made = record.run
        run.about = {"group": made.run_group, "name": made.display_name, "id": made.run_id, "job_type": made.job_type}
        run.tags = list(made.tags)
        _update(run.config, made.config.update)
    elif kind == "config":
        _update(run.config, record.config.update)
    elif kind == "history":
        run.history.append({_name(item): json.loads(item.value_json) for item in record.history.item})
    elif kind == "summary":
        run.summary |= {_name(item): json.loads(item.value_json) for item in record.summary.update}
    elif kind == "metric":
        chosen = {name for name in ("min", "max", "last") if getattr(record.metric.summary, name)}
        run.metrics[record.metric.name or record.metric.glob_name] = (record.metric.step_metric, chosen)
    elif kind == "artifact":
        contents = record.artifact.manifest.contents
        run.artifacts[record.artifact.name] = [(part.path, part.local_path) for part in contents]
    elif kind == "files":
        run.files += [one.path for one in record.files.files]
    elif kind == "exit":
        run.over = True


def _name(item: Any) -> str:
    return str(item.key or "/".join(item.nested_key))


def _update(config: dict[str, Any], items: Any) -> None:
    for item in items:
        *above, last = list(item.nested_key) or [item.key]
        inner = config
        for name in above:
            inner = inner.setdefault(name, {})
        inner[last] = json.loads(item.value_json)
