"""Print each lower bound of pyproject.toml as a constraint: ``torch>=2.6`` as ``torch==2.6.*``.

A resolver that is asked for the lowest versions passes over one that contradicts another, and takes a later one. With
these constraints it says which bounds cannot be had together.
"""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
lists = [project["dependencies"], *project["optional-dependencies"].values()]
for requirement in sorted({r for one in lists for r in one}):
    name, bound = requirement.split(">=")
    print(f"{name}=={bound}.*")
