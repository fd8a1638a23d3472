"""Models of transformers, from the hub or a folder: loaded whole, or refused with what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vsebench.core.errors import ConfigError
from vsebench.ops.freezing import not_finite

_SHOWN = 3  # names of tensors in a message
_LONGEST = 400  # characters of another library's message


@dataclass(frozen=True)
class Source:
    """Where a model's files are.

    Args:
        model: as the configuration names it.
        folder: the files: the user's folder, or the hub's cache of one commit, which may not have all of them yet.
        commit: of the hub's repository; None for the user's folder.
    """

    model: str
    folder: Path
    commit: str | None = None

    @property
    def origin(self) -> dict[str, str] | None:
        """The repository and its commit, to be recorded with a run; None for a folder."""
        return None if self.commit is None else {"model": self.model, "commit": self.commit}

    def load(self, kind: str, **options: Any) -> Any:
        """``transformers.<kind>.from_pretrained``.

        Raises: ConfigError with the library's reason.
        """
        import transformers

        _quiet()
        place = str(self.folder) if self.commit is None else self.model
        pinned = {} if self.commit is None else {"revision": self.commit}
        try:
            return getattr(transformers, kind).from_pretrained(place, **pinned, **options)
        except MemoryError:
            raise
        except Exception as error:  # whatever the library raises for a damaged or foreign file
            where = f"the folder '{self.model}'" if self.commit is None else f"'{self.model}' at commit {self.commit}"
            raise ConfigError(f"transformers cannot load {where}: {reason(error)}", path=("model",)) from error

    def network(self, used: Callable[[Any], nn.Module], unread: Collection[str] = ()) -> nn.Module:
        """Return the part of a model that an encoder uses, in float32, with every one of its tensors from the file.

        A file may hold more than the model: heads of other tasks, which have names outside the model's own parts, and
        buffers that the code computes. It may lack what is not used, such as a pooler or a decoder. Everything else
        that is missing, left over or of another shape would be random or lost without a word, and is an error.

        Args:
            used: picks the part from the whole model.
            unread: last names of tensors that the encoder never reads.

        Raises: ConfigError that names the tensors.
        """
        options: dict[str, Any] = {"use_safetensors": True, "output_loading_info": True}
        whole, report = self.load("AutoModel", ignore_mismatched_sizes=True, **options, **float32())
        part = used(whole)
        selected = {id(tensor) for tensor in (*part.parameters(), *part.buffers())}
        names = {name for name, tensor in _tensors(whole) if id(tensor) in selected}
        missing = {n for n in report["missing_keys"] if n in names and n.rpartition(".")[2] not in unread}
        reshaped = {n: shapes for n, *shapes in report["mismatched_keys"] if n in names}
        extra = {n for n in report["unexpected_keys"] if _belongs(n, whole)}
        broken = not_finite(part)
        faults = [
            *([f"{_count(missing)} missing and would be random ({_listed(missing)})"] if missing else []),
            *([f"{_count(extra)} left over ({_listed(extra)})"] if extra else []),
            *(
                f"'{n}' has shape {tuple(shapes[0])} instead of {tuple(shapes[1])}"
                for n, shapes in sorted(reshaped.items())[:_SHOWN]
            ),
            *([f"{_count(broken)} not finite ({_listed(broken)})"] if broken else []),
            *map(str, report.get("error_msgs", ())),
        ]
        if faults:
            others = sorted(set(report["unexpected_keys"]) - extra) if missing else []
            hint = f"; the file has names such as '{others[0]}', which the model does not know" if others else ""
            raise ConfigError(
                f"the weights of '{self.model}' do not fit its config.json ({type(whole).__name__}): "
                f"{'; '.join(faults)}{hint}. Fetch the files again, or save the model with save_pretrained.",
                path=("model",),
            )
        return part

    def random(self) -> Any:
        """Return the architecture with random weights, in float32."""
        import transformers

        config = self.load("AutoConfig")
        try:
            return transformers.AutoModel.from_config(config, **float32())
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ConfigError(
                f"transformers cannot make the model of '{self.model}': {reason(error)}", path=("model",)
            ) from error

    def has(self, name: str) -> bool:
        """Return whether a file is there; of the hub's, one that was loaded."""
        return (self.folder / name).is_file()


def source_of(model: str, revision: str | None = None) -> Source:
    """Find a model's files, and the commit that a branch or tag of the hub stands for now.

    Args:
        model: a hub name or a local folder.
        revision: branch, tag or commit of a hub name; the main branch by default.

    Raises: ConfigError for a model that is neither, a revision that is not there, or one of a local folder.
    """
    local = Path(model).expanduser()
    if local.is_dir():
        if revision is not None:
            raise ConfigError(
                f"'revision' goes with a model of the hub; '{model}' is a local folder.", path=("revision",)
            )
        return Source(model, local)
    from transformers.utils import cached_file

    _quiet()
    at = "" if revision is None else f" at revision '{revision}'"
    try:
        file = cached_file(model, "config.json", revision=revision)
    except Exception as error:
        raise ConfigError(
            f"transformers cannot load '{model}'{at} (no local folder, and not in the hub or its cache): "
            f"{reason(error)}",
            path=("model",) if revision is None else ("revision",),
        ) from error
    folder = Path(str(file)).parent
    return Source(model, folder, folder.name)


def encoder_of(whole: Any) -> Any:
    """Return the encoder of an encoder-decoder (a T5 whose configuration may name the encoder alone), or the model
    itself.
    """
    pair = all(isinstance(getattr(whole, part, None), nn.Module) for part in ("encoder", "decoder"))
    return whole.get_encoder() if pair or whole.config.is_encoder_decoder else whole


def reason(error: BaseException) -> str:
    """Another library's message in one line, without a full stop at its end; of a long one, the first sentences."""
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) > _LONGEST:
        sentences = text[:_LONGEST].rpartition(". ")[0]
        text = sentences or text[:_LONGEST].rpartition(" ")[0] + " …"
    return text.rstrip(".")


def float32() -> dict[str, Any]:
    """Return the argument that gives weights of half precision on disk in float32; transformers 4 does so by itself."""
    import transformers

    return {"dtype": torch.float32} if int(transformers.__version__.split(".")[0]) >= 5 else {}


def _quiet() -> None:
    import transformers

    # One bar per run would bury a sweep's own progress; what the library reports of tensors is an error here.
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()


def _tensors(module: nn.Module) -> Iterable[tuple[str, torch.Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _belongs(name: str, whole: Any) -> bool:
    """Return whether a tensor that the model did not take has a name inside a part that the model has."""
    local_name = name.removeprefix(f"{whole.base_model_prefix}.")
    if local_name in {n for n, _ in whole.named_buffers()}:
        return False  # older releases saved what is now computed, such as position_ids
    return local_name.partition(".")[0] in {n for n, _ in (*whole.named_children(), *_tensors(whole))}


def _count(names: Collection[str]) -> str:
    return "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"


def _listed(names: Collection[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(sorted(names)[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
