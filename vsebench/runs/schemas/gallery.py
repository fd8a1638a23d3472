"""The forms of a gallery's folder: ``manifest.json``, and a line of ``items.jsonl``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from vsebench.runs.schemas.base import Below, Count, Form, Name, Whole

#: Files without which there is no gallery, and those of one whose system scores pairs.
NEEDED = ("vectors.npy", "items.jsonl", "run/run.yaml", "run/result.json")
NEEDED_OF_PAIRS = ("sides.npy", "sides-offsets.npy")


class EmbeddedBy(Form):
    """The run that embedded it."""

    run_id: Name
    experiment: Name
    row: str
    seed: Whole


class IndexUsed(Form):
    """The index, with its options."""

    name: str
    options: dict[str, Any]


class Source(Form):
    """Where the items come from."""

    type: Literal["dataset", "folder"]
    path: str
    spec: str | dict[str, Any] | None = None
    fingerprint: str | None = None
    split: str | None = None


class GalleryManifest(Form):
    """``manifest.json``."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    run: EmbeddedBy
    model: str
    modality: Literal["image", "text"]
    count: Count
    dim: Count
    index: IndexUsed
    source: Source
    sha256: dict[Below, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
    metric: str = "cosine"
    scorer: str | None = None
    version: str = ""
    made_at: str = ""

    @model_validator(mode="after")
    def _whole(self) -> GalleryManifest:
        needed = (*NEEDED, *(NEEDED_OF_PAIRS if self.scorer is not None else ()))
        missing = [name for name in needed if name not in self.sha256]
        if missing:
            raise PydanticCustomError(
                "digests", "must have a digest of each file, and lacks {names}", {"names": ", ".join(missing)}
            )
        return self


class Item(Form):
    """What a vector stands for."""

    model_config = ConfigDict(extra="forbid")

    id: str
    caption: str
    at: Count | str | None
