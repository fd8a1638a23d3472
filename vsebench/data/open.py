"""From a dataset's name in an experiment to an open file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from vsebench.config.code_files import code_files, digest_of_files, source_file
from vsebench.core.digests import digest
from vsebench.core.errors import ConfigError, DataError, did_you_mean, known_names
from vsebench.core.files import locked, make_folder
from vsebench.core.home import datasets_home
from vsebench.core.registry import DATASETS
from vsebench.data.builders.base import Progress
from vsebench.data.dataset import Dataset
from vsebench.data.seal import verify


def quiet(done: int, total: int | None) -> None:
    """Show no progress."""


def open_dataset(
    spec: str | Mapping[str, Any],
    *,
    progress: Progress = quiet,
    say: Callable[[str], None] = lambda _: None,
    sealed: bool = True,
) -> Dataset:
    """Open what an experiment's ``dataset`` means.

    A path ending in ``.h5``; or the name of a dataset built with ``vsebench data build``; or an embedded dataset with
    its options, which is generated on first use, and again when its file is not whole.

    Args:
        spec: a name or path; or a mapping with ``name`` and an embedded dataset's options.
        progress: takes the items done, and all of them where that is known.
        say: takes lines that tell what is generated.
        sealed: False opens a file without a seal too.

    Raises: DataError when there is no such dataset; ConfigError for wrong options.
    """
    file = check_dataset(spec)
    return Dataset.open(embedded_file(*_name_and_options(spec), progress, say) if file is None else file, sealed=sealed)


def check_dataset(spec: str | Mapping[str, Any]) -> Path | None:
    """Check that there is such a dataset, without opening or generating it.

    Returns: its file; None for an embedded one.

    Raises: DataError when there is no such dataset; ConfigError for wrong options.
    """
    name, options = _name_and_options(spec)
    file = Path(name).expanduser() if name.endswith(".h5") else datasets_home() / f"{name}.h5"
    if name.endswith(".h5") or file.is_file():
        _refuse_options(name, options)
        return file
    if name in DATASETS and DATASETS.get(name).facts["embedded"]:
        try:
            DATASETS.get(name).validate(options)
        except ConfigError as error:
            raise error.under("dataset") from None
        return None
    known = available()
    raise DataError(
        f"there is no dataset '{name}'."
        + did_you_mean(name, known)
        + known_names(known, "There are")
        + f" Build it first: vsebench data build {name} --from FOLDER"
    )


def find_dataset(files: Iterable[Path], fingerprint: str) -> Dataset | None:
    """Open the first of some files that is the dataset with a fingerprint; None where none is.

    A file of another format, or one that another process is writing, is passed over.
    """
    for file in files:
        try:
            dataset = Dataset.open(file)
        except DataError:
            continue
        if dataset.fingerprint == fingerprint:
            return dataset
        dataset.close()
    return None


def embedded_file(name: str, options: Mapping[str, Any], progress: Progress, say: Callable[[str], None]) -> Path:
    """Return the file of an embedded dataset; generate it if it is missing or not what was generated."""
    component = DATASETS.get(name)
    checked = component.validate(options)
    path = datasets_home() / f"{name}-{digest([checked, generator_digest(name)])}.h5"
    if not _is_whole(path):
        make_folder(path.parent)
        with locked(path):
            if not _is_whole(path):
                again = ", whose tables are damaged or of an earlier version" if path.exists() else ""
                say(f"generating dataset '{name}' into {path}{again}")
                component.build(options, out=path, progress=progress)
    return path


def _is_whole(path: Path) -> bool:
    try:
        return path.is_file() and bool(verify(path))
    except DataError:
        return False


def available() -> list[str]:
    """Names of the datasets that can be opened: built ones and embedded ones."""
    files = datasets_home().glob("*.h5") if datasets_home().is_dir() else ()
    embedded = [n for n in DATASETS.names() if DATASETS.get(n).facts["embedded"]]
    generated = re.compile(rf"({'|'.join(map(re.escape, embedded))})-[0-9a-f]{{16}}")
    built = [f.stem for f in files if not generated.fullmatch(f.stem)]
    return sorted({*built, *embedded})


def generator_digest(name: str) -> str:
    """Digest of the code of a builder and of all that it imports, so that changed code generates again."""
    return digest_of_files(code_files(source_file("dataset", name)))


def _name_and_options(spec: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(spec, str):
        return spec, {}
    name = spec.get("name")
    if not isinstance(name, str):
        raise ConfigError("dataset needs a 'name'.", path=("dataset",))
    return name, {k: v for k, v in spec.items() if k != "name"}


def _refuse_options(name: str, options: Mapping[str, Any]) -> None:
    if options:
        first = next(iter(options))
        raise ConfigError(
            f"dataset '{name}' is a file that was built already; it takes no options. Got '{first}'.",
            path=("dataset", first),
            on_key=True,
        )
