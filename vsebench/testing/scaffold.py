"""Text of a new component's module and of its test: what ``vsebench new fusion my_fusion`` writes. Imports no torch."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from vsebench.core.errors import ConfigError, did_you_mean, known_names
from vsebench.core.registry import registry_of
from vsebench.testing.templates import TEMPLATES, TEST

#: Kinds that have a template.
SCAFFOLD_KINDS = tuple(TEMPLATES)


def text_of_module(kind: str, name: str) -> str:
    """Return a working module that registers ``name``.

    Raises: ConfigError for a kind without a template or a name that cannot be one.
    """
    _check(kind, name)
    text = TEMPLATES[kind][0].replace("TITLE", f"{name}: a {kind} of your own")
    return Template(text).substitute(name=name, cls=class_name(name))


def text_of_test(kind: str, name: str) -> str:
    """Its test, to lie beside it as ``test_<name>.py``.

    Raises: ConfigError as for the module.
    """
    _check(kind, name)
    return Template(TEST + TEMPLATES[kind][1]).substitute(name=name, kind=kind, cls=class_name(name))


def write_component(kind: str, name: str, folder: Path) -> tuple[Path, Path]:
    """Write module and test into a folder; returns both paths. Overwrites nothing.

    Raises: ConfigError for a kind without a template, a name that cannot be one or is taken, or an existing file.
    """
    texts = {folder / f"{name}.py": text_of_module(kind, name), folder / f"test_{name}.py": text_of_test(kind, name)}
    if name in registry_of(kind):
        raise ConfigError(
            f"{kind} '{name}' exists already. Choose another name.{known_names(registry_of(kind).names())}"
        )
    for file in texts:
        if file.exists():
            raise ConfigError(f"{file} exists already; nothing was written. Choose another name or folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    module, test = texts
    return module, test


def class_name(name: str) -> str:
    """``my_fusion`` -> ``MyFusion``."""
    return "".join(part.capitalize() for part in name.split("_"))


def _check(kind: str, name: str) -> None:
    if kind not in TEMPLATES:
        near = did_you_mean(kind, TEMPLATES)
        raise ConfigError(f"no template for a new '{kind}'.{near}{known_names(TEMPLATES, 'There are')}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise ConfigError(f"'{name}' cannot be a component's name: lower-case words joined by _, such as my_{kind}.")
