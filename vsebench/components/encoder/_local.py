"""Files and folders on this machine that an encoder's options name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsebench.core.errors import ConfigError

#: No name of the hub, which is ``name`` or ``owner/name``.
_PATH = re.compile(r"[/~.]|.*/$|.*/.*/|.*\\")


def check_file(options: Mapping[str, Any], option: str, *words: str) -> None:
    """Refuse an option that names a file that is not here.

    Args:
        options: of the encoder.
        option: whose value is a file.
        words: values that are none.

    Raises: ConfigError.
    """
    file = options[option]
    if file not in (None, *words) and not Path(file).expanduser().is_file():
        raise ConfigError(f"{option} '{file}': no such file.", path=(option,))


class ModelOrFolder:
    """Of an encoder whose ``model`` is a name of the hub or a local folder."""

    @classmethod
    def check_files(cls, options: Mapping[str, Any]) -> None:
        """Refuse a path that is no folder of a model.

        Raises: ConfigError.
        """
        model = str(options["model"])
        folder = Path(model).expanduser()
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise ConfigError(f"model '{model}': the folder has no config.json.", path=("model",))
        if _PATH.match(model) and not folder.is_dir():
            raise ConfigError(f"model '{model}': no such folder.", path=("model",))
