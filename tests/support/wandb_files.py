"""What an offline W&B run has written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def log_records(content: bytes) -> Iterator[bytes]:
    """Records of a .wandb file: a 7-byte header, then LevelDB's log format (blocks of 32 KiB, records in fragments)."""
    assert content.startswith(b":W&B")
    at, whole = 7, b""
    while at < len(content):
        if 32768 - at % 32768 < 7:  # a block's last bytes that cannot hold a header are padding
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a full record, or the last of its fragments
            yield whole
            whole = b""


def read_back(file: Path) -> dict[str, Any]:
    """What is in an offline run's file once W&B's process has written its end."""
    until = time.monotonic() + 60
    while not (result := read_now(file))["over"] and time.monotonic() < until:
        time.sleep(0.1)
    return result


def read_now(file: Path) -> dict[str, Any]:
    """Config, history, summary and group of an offline run's file."""
    from wandb.proto import wandb_internal_pb2

    result: dict[str, Any] = {"config": {}, "history": [], "summary": {}, "metrics": {}, "artifacts": {}, "over": False}
    for data in log_records(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            result["group"], result["name"], result["id"] = (
                record.run.run_group,
                record.run.display_name,
                record.run.run_id,
            )
            result["job_type"], result["tags"] = record.run.job_type, list(record.run.tags)
            result["config"] |= {c.key: json.loads(c.value_json) for c in record.run.config.update}
        elif kind == "history":
            result["history"].append(
                {(i.key or "/".join(i.nested_key)): json.loads(i.value_json) for i in record.history.item}
            )
        elif kind == "exit":
            result["over"] = True
        elif kind == "metric":
            message = record.metric
            chosen = {name for name in ("min", "max", "last") if getattr(message.summary, name)}
            result["metrics"][message.name or message.glob_name] = (message.step_metric, chosen)
        elif kind == "artifact":
            result["artifacts"][record.artifact.name] = [
                (c.path, c.local_path) for c in record.artifact.manifest.contents
            ]
        elif kind == "summary":
            result["summary"] |= {
                (u.key or "/".join(u.nested_key)): json.loads(u.value_json) for u in record.summary.update
            }
    return result
