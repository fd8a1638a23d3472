"""The vectors that indexes are compared on: embeddings of a finished run, two files, or a generator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.components.index.base import unit_rows
from vsebench.config.index_experiment import MARK, Generated, IndexExperiment, VectorsBlock
from vsebench.core.digests import digest, path_digest
from vsebench.core.errors import ConfigError, DataError, Place, VsebenchError
from vsebench.core.files import is_sealed, make_folder, replacing, seal, set_aside
from vsebench.runs.store import MODEL, RESULT, Store

#: Of an experiment's folder of runs: embeddings that were computed for it.
KEPT = ".vectors"


@dataclass(frozen=True)
class VectorSet:
    """Unit vectors that are searched, and those that ask.

    Args:
        gallery: float32 (n, D).
        queries: float32 (Q, D).
        described: what results say of them: name, title, fingerprint, splits, dim, source.
    """

    gallery: np.ndarray
    queries: np.ndarray
    described: Mapping[str, Any]


def load_vectors(
    experiment: IndexExperiment,
    runs: Path,
    *,
    device: str = "auto",
    cache: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> VectorSet:
    """Load the vectors of the experiment's block ``vectors``.

    Args:
        experiment: the validated experiment.
        runs: folder of all runs.
        device: that a run's embeddings are computed on, once; they are kept in the experiment's folder of runs.
        cache: keep frozen features on disk.
        say: told a line for each step.

    Raises: DataError for a run or file that is missing or unfit; ConfigError for more hits than there are vectors.
    """
    block = experiment.spec.vectors
    if block.generated is not None:
        gallery, queries = generate(block.generated)
        name, title = f"generated-{block.generated.kind}", _generated_title(block.generated)
    elif block.file is not None:
        gallery, queries = _from_files(experiment, block)
        name, title = Path(block.file).stem, f"Vectors of {Path(block.file).name}"
    else:
        gallery, queries, title = _from_run(experiment, block, runs, device, cache, say)
        name = str(block.run)
    gallery, queries = unit_rows(gallery), unit_rows(queries)
    described = {
        "name": name,
        "title": title,
        "fingerprint": fingerprint(gallery, queries),
        "splits": {"gallery": len(gallery), "queries": len(queries)},
        "dim": int(gallery.shape[1]),
        "source": block.model_dump(exclude_unset=True),
    }
    if max(experiment.spec.k) > len(gallery):
        place = experiment.document.place(("k",))
        raise ConfigError(f"'k' asks for the {max(experiment.spec.k)} nearest of {len(gallery)} vectors.", place=place)
    return VectorSet(gallery, queries, described)


def fingerprint(gallery: np.ndarray, queries: np.ndarray) -> str:
    """16 hex digits of the numbers themselves."""
    total = hashlib.sha256()
    for array in (gallery, queries):
        total.update(json.dumps(array.shape).encode())
        total.update(np.ascontiguousarray(array, dtype=np.float32).tobytes())
    return total.hexdigest()[:16]


def generate(block: Generated) -> tuple[np.ndarray, np.ndarray]:
    """Draw vectors and queries from one distribution.

        gaussian:  x ~ N(0, I_D)
        clusters:  x = c_j + U_j z + ε,  c_j ~ N(0, I_D),  z ~ N(0, I_L),  ε ~ N(0, 0.05² I_D)

    U_j is D × L with entries N(0, 1/L), so that a cluster is as wide as clusters are apart, in L directions of its own.
    Cluster j is drawn with a probability that falls as 1/(j + 10).

    Shape: -> float32 (count, D), float32 (queries, D).

    Example:
        >>> [a.shape for a in generate(Generated(count=50, queries=7, dim=24))]
        [(50, 24), (7, 24)]
    """
    rng = np.random.default_rng(block.seed)
    total = block.count + block.queries
    if block.kind == "gaussian":
        drawn = rng.standard_normal((total, block.dim), dtype=np.float32)
        return drawn[: block.count], drawn[block.count :]
    centres = rng.standard_normal((block.clusters, block.dim), dtype=np.float32)
    share = 1.0 / (np.arange(block.clusters) + 10.0)
    cluster = rng.choice(block.clusters, total, p=share / share.sum())
    drawn = 0.05 * rng.standard_normal((total, block.dim), dtype=np.float32)
    for j in range(block.clusters):
        basis = rng.standard_normal((block.latent, block.dim), dtype=np.float32) / np.sqrt(block.latent)
        rows = np.flatnonzero(cluster == j)
        drawn[rows] += centres[j] + rng.standard_normal((len(rows), block.latent), dtype=np.float32) @ basis
    return drawn[: block.count], drawn[block.count :]


def _generated_title(block: Generated) -> str:
    if block.kind == "gaussian":
        return f"{block.count:,} Gaussian vectors of {block.dim} numbers"
    return f"{block.count:,} generated vectors of {block.dim} numbers in {block.clusters} clusters"


def _from_files(experiment: IndexExperiment, block: VectorsBlock) -> tuple[np.ndarray, np.ndarray]:
    results = []
    for key in ("file", "queries"):
        place = experiment.document.place((MARK, key))
        results.append(_read(Path(str(getattr(block, key))).expanduser(), place))
    gallery, queries = results
    if gallery.shape[1] != queries.shape[1]:
        raise DataError(
            f"the vectors have {gallery.shape[1]} numbers each, the queries {queries.shape[1]}.",
            place=experiment.document.place((MARK, "queries")),
        )
    return gallery, queries


def _read(file: Path, place: Place) -> np.ndarray:
    """Read a matrix of finite numbers."""
    if not file.is_file():
        raise DataError(f"no such file: '{file}'.", place=place)
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"'{file}' is no .npy file of numbers ({error}).", place=place) from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        shown = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive of several arrays"
        raise DataError(f"'{file}' must hold a matrix of numbers, a row per vector. Got {shown}.", place=place)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise DataError(f"'{file}': {len(bad)} rows are not finite, the first is row {bad[0]}.", place=place)
    return array.astype(np.float32)


def _from_run(
    experiment: IndexExperiment,
    block: VectorsBlock,
    runs: Path,
    device: str,
    cache: bool,
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray, str]:
    from vsebench.runs.find import find_run
    from vsebench.runs.store import read_result

    message = str(block.run)
    place = experiment.document.place((MARK, "run"))
    try:
        folder = find_run(message, runs)
    except VsebenchError as error:
        name = message.partition("/")[0]
        hint = (
            f" Make it with 'vsebench sweep' of the experiment '{name}', or say --runs DIR." if "/" in message else ""
        )
        raise DataError(f"{error}{hint}", place=place) from None
    result = read_result(folder)
    if result is None:
        raise DataError(f"'{folder}' has no whole {RESULT}: the run is not finished.", place=place)
    splits = (block.gallery, block.queries or "test")
    if splits[0] == splits[1]:
        raise DataError(f"'gallery' and 'queries' are both '{splits[0]}': each query would find itself.", place=place)
    embedded = _embedded(experiment, folder, block.modality, splits, runs, device, cache, say)
    what = {"image": "Image", "text": "Text"}[block.modality]
    title = f"{what} embeddings of {result.dataset['title']} by {result.system}, seed {result.seed}"
    return *embedded, title


def _embedded(
    experiment: IndexExperiment,
    folder: Path,
    modality: str,
    splits: tuple[str, str],
    runs: Path,
    device: str,
    cache: bool,
    say: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of two splits, from an earlier time where they are kept."""
    from vsebench.retrieval.build import embed_split
    from vsebench.runs.load import load_run
    from vsebench.sweeps.worker import choose_device

    weights = folder / MODEL
    key = digest([folder.name, path_digest(weights) if weights.is_file() else "", modality, splits])
    cache_file = Store(runs, experiment.name).folder / KEPT / f"{key}.npz"
    if cache_file.is_file():
        if is_sealed(cache_file):
            with np.load(cache_file, allow_pickle=False) as arrays:
                return arrays["gallery"], arrays["queries"]
        say(f"{cache_file} is damaged; it is set aside as {set_aside(cache_file).name}, and computed again.")
    say(f"Embedding {modality}s of {' and '.join(splits)} with {folder} …")
    try:
        run = load_run(folder, device=choose_device(device, 0))
        gallery, queries = (embed_split(run, split, modality, cache=cache).vectors for split in splits)
    except VsebenchError as error:
        if error.place is not None:
            raise
        raise DataError(str(error), place=experiment.document.place((MARK,))) from None
    make_folder(cache_file.parent)
    with replacing(cache_file) as partial:
        np.savez(partial, gallery=gallery, queries=queries)
        seal(partial)
    return gallery, queries
