"""Loading tables with Hugging Face ``datasets``: from the hub, its cache or local files, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsebench.core.errors import ConfigError, DataError, Place, VsebenchError
from vsebench.data.builders._json import read_json
from vsebench.data.builders._same import RowsDiffer
from vsebench.data.files import check_links, check_regular, is_outside, read_inside, read_regular, reason

FORMATS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}
#: Forms whose cells name files that the library has listed or unpacked itself.
FOLDERS = ("imagefolder", "audiofolder")
TABLES = ("*.parquet", "*.arrow", "*.csv", "*.jsonl")


@dataclass(frozen=True)
class Tables:
    """The splits of a source.

    Args:
        splits: name -> table of ``datasets``.
        form: ``parquet``, ``webdataset``, ``imagefolder``, …; ``disk`` for a folder of save_to_disk.
        folder: of a local source; cells may name files inside it.
        revision: the commit of a repository on the hub, or the version that the library's cache has of it.
        class_names: of ``cls`` numbers, from the ``classnames.txt`` beside WebDataset shards.
    """

    splits: dict[str, Any]
    form: str
    folder: Path | None = None
    revision: str | None = None
    class_names: tuple[str, ...] = ()

    def read(self, path: str, what: str) -> bytes:
        """Return the bytes of a file that a cell names.

        Raises: OSError with ``what`` and the path: outside the source, missing, no regular file, too large.
        """
        if self.form in FOLDERS:
            from datasets.utils.file_utils import xopen

            if "://" in path:  # a file in an archive or on the hub, as the library's streaming names it
                with xopen(path, "rb") as stream:
                    return bytes(stream.read())
            if any(Path(path).is_relative_to(folder) for folder in _library_folders()):
                try:
                    return read_regular(Path(path))
                except (OSError, ValueError) as error:
                    raise OSError(f"{what} '{path}' cannot be read ({reason(error)})") from None
        if self.folder is None:
            raise OSError(f"{what} '{path}' lies outside the source, and the cell has no bytes")
        root = self.folder.absolute()
        inside = path
        if Path(path).is_absolute() and not is_outside(path.removeprefix("/")):
            for base in (root, root.resolve()):
                inside = str(Path(path).relative_to(base)) if Path(path).is_relative_to(base) else inside
        return read_inside(root, inside, what)


def load(call: Callable[[], Any], source: str) -> Any:
    """Call ``datasets`` and return its result, or raise one clear message.

    Raises: DataError.
    """
    try:
        return call()
    except (VsebenchError, RowsDiffer, MemoryError):
        raise
    except Exception as error:  # the library, its readers and the network raise some thirty kinds
        cause: BaseException = error
        while type(cause).__name__ == "DatasetGenerationError" and cause.__cause__ is not None:
            cause = cause.__cause__
        first = next((line for line in str(cause).split("\n") if line.strip()), type(cause).__name__)
        hints = {
            "ConnectionError": " The hub cannot be reached: without it only what its cache holds can be read.",
            "OfflineModeIsEnabled": " The hub is switched off (HF_HUB_OFFLINE): only what its cache holds can be read.",
            "DatasetNotFoundError": " Check the name; a private or gated dataset needs 'hf auth login'.",
            "DataFilesNotFoundError": " The folder or repository has no data files of a known kind.",
        }
        raise DataError(
            f"'{source}' cannot be loaded ({type(cause).__name__}: {first}).{hints.get(type(cause).__name__, '')}"
        ) from error


def open_tables(source: str, config: str | None, revision: str | None, *, streaming: bool) -> Tables:
    """Return the splits of a local file or folder, or of a repository.

    Raises: DataError when it cannot be loaded, or its description names data files outside of it; ConfigError for a
    revision of local files.
    """
    path = Path(source).expanduser()
    if not path.exists():
        return _repository(source, config, revision, streaming)
    if revision is not None:
        raise ConfigError(f"'{source}' is local: it has no revision.", path=("revision",))
    if path.is_file():
        kind = FORMATS.get(path.suffix)
        if kind is None:
            raise DataError(f"'{source}' is none of {', '.join(FORMATS)}.")
        return _made(lambda: _shards_or_files(kind, {"train": [str(path)]}), source, streaming, path.parent)
    for name in ("README.md", ".huggingface.yaml", "dataset_dict.json", "dataset_infos.json"):
        if (path / name).exists():
            _check_own(path, path / name)
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        return _from_disk(path, source)
    if _has(path, ("*.tar",)) and not _has(path, TABLES):
        # classnames.txt and nshards.txt beside the shards would make the library take the folder for texts.
        return _made(lambda: _shards_or_files("webdataset", _shards(str(path))), source, streaming, path)
    return _made(lambda: _builder(str(path), name=config), source, streaming, path)


def _repository(source: str, config: str | None, revision: str | None, streaming: bool) -> Tables:
    base = ""

    def make() -> Any:
        nonlocal base
        builder = _builder(source, name=config, revision=revision)
        base = f"hf://datasets/{source}@{builder.hash}"
        if _form(builder) == "text" and (shards := _shards(base)):
            commit = builder.hash
            builder = _shards_or_files("webdataset", shards)
            builder.hash = commit
        if _form(builder) == "cache" and revision is not None and not str(builder.hash).startswith(revision):
            raise DataError(
                f"'{source}': the library's cache has version {builder.hash} and does not say whether that is revision"
                f" '{revision}'. Give that version, no revision, or access to the hub."
            )
        return builder

    return _made(make, source, streaming, None)


def _made(make: Callable[[], Any], source: str, streaming: bool, folder: Path | None) -> Tables:
    """Return the tables of a builder of ``datasets``, whose files must lie in the source."""
    builder = load(make, source)
    files = [str(f) for names in (getattr(builder.config, "data_files", None) or {}).values() for f in names]
    for file in files:
        _check_file(file, source, folder)
    if streaming:
        splits = load(builder.as_streaming_dataset, source)
    else:
        load(builder.download_and_prepare, source)
        splits = load(builder.as_dataset, source)
    form = _form(builder)
    names = _class_names(folder) if form == "webdataset" and folder is not None else ()
    return Tables(dict(splits), form, folder, builder.hash if folder is None else None, names)


def _check_file(file: str, source: str, folder: Path | None) -> None:
    """Check that a local data file belongs to the source: a description (README.md) may name any path.

    Raises: DataError for a data file of this machine that is not the source's: a description (README.md) may name any
    path.
    """
    if "://" in file:
        if file.startswith(("http://", "https://", f"hf://datasets/{source}@", f"hf://datasets/{source}/")):
            return
    elif folder is not None:
        path = Path(os.path.normpath(file))
        if any(path.is_relative_to(root) for root in (folder.absolute(), folder.resolve())):
            return _check_own(folder, path)
    raise DataError(f"'{source}' names the data file '{file}', which lies outside of it.", place=Place(source))


def _check_own(folder: Path, file: Path) -> None:
    try:
        check_links(folder, file)
        check_regular(file)
    except OSError as error:
        raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(file))) from None


def _from_disk(path: Path, source: str) -> Tables:
    import datasets

    for state in sorted([*path.glob("state.json"), *path.glob("*/state.json")]):
        _check_own(path, state)
        files = read_json(state, dict).get("_data_files")
        for row in files if isinstance(files, list) else []:
            name = row.get("filename") if isinstance(row, dict) else None
            if not isinstance(name, str) or is_outside(name):
                raise DataError(f"names the data file '{name}', which lies outside of it.", place=Place(str(state)))
            if (state.parent / name).exists():
                _check_own(path, state.parent / name)
    loaded = load(lambda: datasets.load_from_disk(str(path)), source)
    return Tables(dict(loaded) if isinstance(loaded, dict) else {"train": loaded}, "disk", path)


def _builder(source: str, **options: Any) -> Any:
    import datasets

    return datasets.load_dataset_builder(source, **options)


def _shards_or_files(kind: str, files: Mapping[str, Sequence[str]]) -> Any:
    return _builder(kind, data_files={split: list(names) for split, names in files.items()})


def _shards(base: str) -> dict[str, list[str]]:
    """Split -> the .tar files of a folder or repository, by the library's rules for names of splits."""
    from datasets.data_files import DataFilesDict, EmptyDatasetError, get_data_patterns

    try:
        patterns = get_data_patterns(base)
    except EmptyDatasetError:
        return {}
    files = DataFilesDict.from_patterns(patterns, base_path=base, allowed_extensions=[".tar"])
    return {str(split): [str(f) for f in names] for split, names in files.items() if names}


def _form(builder: Any) -> str:
    """Return the library's name for what it reads: ``parquet``, ``text``, …"""
    modules = [c.__module__ for c in type(builder).__mro__ if ".packaged_modules." in c.__module__]
    return modules[0].split(".packaged_modules.")[1].split(".")[0] if modules else ""


def _has(folder: Path, patterns: Sequence[str]) -> bool:
    return any(next(folder.rglob(pattern), None) is not None for pattern in patterns)


def _class_names(folder: Path) -> tuple[str, ...]:
    """Return the lines of ``classnames.txt``; empty where there is none."""
    if not (folder / "classnames.txt").exists():
        return ()
    try:
        text = read_inside(folder, "classnames.txt", "class names").decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({reason(error)}).", place=Place(str(folder / "classnames.txt"))) from None
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _library_folders() -> list[Path]:
    import datasets
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(datasets.config.HF_DATASETS_CACHE)
    return [cache / "downloads", Path(datasets.config.DOWNLOADED_DATASETS_PATH), Path(HF_HUB_CACHE)]
