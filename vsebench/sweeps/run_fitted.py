"""A model whose fitter is fitted once, in place of a training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

from vsebench.core.errors import ConfigError
from vsebench.core.registry import FITTERS
from vsebench.distributed.gradient_sharing import ProcessGroup
from vsebench.engine.fit_data import LoaderFitData
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import Progress, ValidationScorer, seed_of


def fitted(
    model: Model,
    loaders: Mapping[str, Loader],
    validation_scorer: ValidationScorer,
    *,
    seed: int,
    device: torch.device,
    on_epoch: Callable[[dict[str, float]], None],
    process_group: ProcessGroup,
) -> Progress:
    """Fit, and judge what came out. The history has the fitter's outer iterations; nothing is chosen among them.

    Raises: ConfigError when several processes are to do it, or an encoder would have to be trained that the fitter
    leaves alone; TrainingError when the data do not allow the fit.
    """
    name = refuse_unfit(model, process_group)
    begin = time.perf_counter()
    last = 0

    def report(step: int, numbers: Mapping[str, float]) -> None:
        nonlocal last
        last = step
        on_epoch({"epoch": step, **{f"train/{key}": value for key, value in numbers.items()}})

    torch.manual_seed(seed_of("fit", seed))
    fit_data = LoaderFitData(model, loaders["train"], seed=seed, device=device, report=report)
    assert model.fitter is not None, f"'{name}' is built"
    model.fitter.fit(fit_data)
    model.to(device)  # what was learned may have been computed elsewhere
    selection_value, numbers = validation_scorer(model, loaders["val"])
    on_epoch({"epoch": last, **numbers})
    return Progress(epoch=last, best_epoch=last, best=selection_value, seconds=time.perf_counter() - begin)


def refuse_unfit(model: Model, process_group: ProcessGroup) -> str:
    """Return the fitter's name.

    Raises: ConfigError for a model that it cannot fit here.
    """
    assert model.system.fitter is not None, "only a system with a fitter is fitted"
    name = model.system.fitter.name
    if process_group.size > 1:
        raise ConfigError(f"fitter '{name}' is one process's work: leave out --processes-per-run.", path=("fitter",))
    trained = [n for n, p in model.named_parameters() if p.requires_grad and not n.startswith("fitter.")]
    if trained and not FITTERS.get(name).facts["trains_encoders"]:
        raise ConfigError(
            f"fitter '{name}' trains no encoder, but {len(trained)} parameters want to be trained, the first is "
            f"'{trained[0]}'. Freeze the encoders (finetune: none), and choose a pooling without parameters.",
            path=("fitter",),
        )
    return name
