"""A model that is evaluated as it is."""

from __future__ import annotations

from collections.abc import Callable

from vsebench.core.errors import ConfigError
from vsebench.distributed.gradient_sharing import ProcessGroup
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model
from vsebench.engine.train import Progress, ValidationScorer


def evaluate_untrained(
    model: Model,
    val_loader: Loader,
    validation_scorer: ValidationScorer,
    *,
    on_epoch: Callable[[dict[str, float]], None],
    process_group: ProcessGroup,
) -> Progress:
    """Judge a model without training it: there is one state, of epoch 0.

    Raises: ConfigError when a parameter would have to be trained, or images and texts cannot be compared.
    """
    refuse_unfit(model)
    selection_value, numbers = process_group.broadcast(validation_scorer(model, val_loader))
    if process_group.is_main_process:
        on_epoch({"epoch": 0, **numbers})
    return Progress(best=selection_value)


def refuse_unfit(model: Model) -> None:
    """Refuse a model that is of no use without training.

    Raises: ConfigError naming the first parameter that would train, or the sizes that differ.
    """
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if trained:
        raise ConfigError(
            f"without an objective nothing trains, but {len(trained)} parameters would, the first is '{trained[0]}'. "
            "Freeze the encoders and leave out what learns, or give an objective.",
            path=("objective",),
        )
    if len(set(model.dims.values())) > 1:
        sizes = ", ".join(f"{modality} {size}" for modality, size in model.dims.items())
        raise ConfigError(
            f"without training, vectors of different sizes cannot be compared: {sizes}. Give both encoders one model.",
            path=("objective",),
        )
