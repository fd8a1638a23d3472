"""Facts about other libraries that our code is written by. Where one changes, a test says which, and what to do."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import get_args

import pytest
import torch
from PIL import Image
from pydantic_core.core_schema import ErrorType
from torch import nn

from vsebench.cli.doctor import requirements, torch_of_torchvision
from vsebench.core import component
from vsebench.data import pixels
from vsebench.data.builders import audio
from vsebench.engine import circumstances
from vsebench.retrieval import build


def test_pydantic_has_the_errors_that_we_put_in_words() -> None:
    known = set(get_args(ErrorType))
    written = {*component._EXPECTED, "literal_error", "too_short", "missing"}
    assert written <= known, f"pydantic {version('pydantic')} has no {sorted(written - known)}: see component.py"


@pytest.mark.parametrize("suffix", sorted(build.SUFFIXES))
def test_pillow_reads_the_images_that_a_gallery_takes(suffix: str) -> None:
    form = Image.registered_extensions().get(suffix)
    assert form in Image.OPEN, f"Pillow {version('pillow')} does not read {suffix}: see search/build.py"
    assert form in pixels.FORMATS, f"{suffix} is {form}, which data/pixels.py does not read"


def test_soundfile_reads_the_sounds_that_a_folder_gives() -> None:
    import soundfile

    names = {".aif": "AIFF", ".aiff": "AIFF"}
    wanted = {names.get(suffix, suffix[1:].upper()) for suffix in audio.SUFFIXES}
    unread = wanted - set(soundfile.available_formats())
    assert not unread, f"libsndfile {soundfile.__libsndfile_version__} does not read {sorted(unread)}: see audio.py"


def test_torchvision_states_its_torch() -> None:
    needed = torch_of_torchvision()
    assert needed is not None, f"torchvision {version('torchvision')} states no torch: see mend in commands/doctor.py"
    assert needed.specifier.contains(torch.__version__), "this torch and this torchvision do not fit each other"


def test_what_changes_numbers_is_required() -> None:
    """Libraries that weights and results depend on have a lower bound of ours."""
    stated = {requirement.name for requirement, extra in requirements() if not extra}
    foreign = set(circumstances._LIBRARIES) - stated
    assert not foreign, f"{sorted(foreign)} of circumstances.py are no dependencies in pyproject.toml"


@pytest.mark.parametrize("module", ["torch._dynamo.exc", "torch._inductor.exc"])
def test_faults_of_the_compiler_are_known_by_their_module(module: str) -> None:
    __import__(module)
    errors = [e for e in vars(torch.sys.modules[module]).values() if isinstance(e, type) and issubclass(e, Exception)]
    selected = [e for e in errors if e.__module__ == module]
    assert selected, f"PyTorch {torch.__version__} raises faults of torch.compile elsewhere: see compiled in train.py"


def test_every_batch_normalisation_is_one() -> None:
    """What is frozen with ``freeze_norm``, and synchronised between processes, is found by one base class."""
    from timm.layers import BatchNormAct2d

    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, BatchNormAct2d)
    others = [kind.__name__ for kind in kinds if not issubclass(kind, nn.modules.batchnorm._BatchNorm)]
    assert not others, f"PyTorch {torch.__version__}, timm {version('timm')}: {others} are no _BatchNorm"


def test_matplotlib_warns_of_missing_letters_in_these_words() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.5, 0.5, "\u4e2d")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        figure.canvas.draw()
        messages = [str(warning.message) for warning in seen]
        ours = [message for message in messages if message.startswith("Glyph ") and " missing" in message]
    if messages:
        assert ours == messages, f"matplotlib {version('matplotlib')} says {messages}: see leaderboard/figure.py"
