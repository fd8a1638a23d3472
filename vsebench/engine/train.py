"""One training loop, readable from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from vsebench.components.objective.base import Objective
from vsebench.config.schema import ENCODER_SLOTS, System, Target, Train
from vsebench.core.digests import digest
from vsebench.core.errors import ConfigError, TrainingError
from vsebench.core.registry import AUGMENTATIONS, OBJECTIVES, OPTIMIZERS, SCHEDULES
from vsebench.core.types import Batch, Output
from vsebench.data.batches import EpochOrder, bucketed
from vsebench.distributed.gradient_sharing import SINGLE_PROCESS, ProcessGroup, Shard
from vsebench.engine.checkpoint import CHECKPOINT, Progress, Trained, owner_of, resume, save_checkpoint, trained_state
from vsebench.engine.evaluate import autocast, predict
from vsebench.engine.loader import Loader, to_device
from vsebench.engine.model import Model

#: A checkpoint is written after the first epoch that ends this many seconds after the last one.
CHECKPOINT_EVERY_S = 10.0
#: What tells terms apart in the history whose objectives contrast different things.
_SUFFIX: Mapping[Target, str] = {"embeddings": "", "scores": "/pairs", "vectors": "/vectors"}


class ValidationScorer(Protocol):
    """Scores the validation outputs of an epoch; the larger ``selection_value`` wins."""

    def __call__(self, model: Model, loader: Loader) -> tuple[float, Mapping[str, float]]:
        """(goodness, numbers for the history)."""
        ...


def fit(
    model: Model,
    train_loader: Loader,
    val_loader: Loader,
    *,
    seed: int,
    validation_scorer: ValidationScorer,
    device: torch.device,
    folder: Path | None = None,
    on_epoch: Callable[[dict[str, float]], None] = lambda _: None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Progress:
    """Train the model and leave it in the state of its best validation epoch.

    Every epoch draws its order, captions and dropout from (seed, epoch) alone, so that a run continued from a
    checkpoint ends with the numbers of one that was never interrupted.

    Args:
        model: to train.
        train_loader: gives the training batches.
        val_loader: gives the validation batches.
        seed: of order, captions and dropout.
        validation_scorer: scores an epoch on validation.
        device: where it trains.
        folder: where checkpoints go; None writes none.
        on_epoch: called with the numbers of each epoch, also with those of epochs done before an interruption.
        process_group: the processes that train together. Batches, captions and decisions are the same whatever their
            number; the first process alone calls ``on_epoch`` and writes checkpoints.

    Raises: TrainingError when the loss is NaN or infinite.
    """
    # ---- init
    _refuse_missing(train_loader, process_group)
    train = model.system.train
    objectives = build_objectives(model, train_loader.dataset.multi_label).to(device)
    scaler = torch.amp.GradScaler(device.type, enabled=train.precision == "fp16")
    trained = Trained(model, objectives, build_optimizer(model, objectives), scaler)
    owner = owner_of(model, train_loader, seed)
    progress = resume(folder, owner, trained)
    process_group.begin(model, objectives, compiled=train.compile)
    for numbers in progress.history if process_group.is_main_process else ():
        on_epoch(numbers)
    forward = compiled(model) if train.compile else model
    order = EpochOrder(np.arange(len(train_loader)), seed)
    saved_at = time.monotonic()
    # ---- loop
    while progress.epoch < train.epochs and not _should_stop(progress, train.early_stopping):
        # -- data
        begin = time.perf_counter()
        epoch_seed = seed_of(seed, progress.epoch)
        torch.manual_seed(epoch_seed)
        batches = _batches(train_loader, train, order.order(progress.epoch), epoch_seed, process_group)
        # -- steps
        model.train()
        losses = [
            _step(forward, trained, to_device(batch, device), share, progress.epoch + done)
            for done, share, batch in batches
        ]
        numbers = _means(losses, progress.epoch + 1)
        # -- evaluate
        selection_value, numbers_on_validation = process_group.broadcast(validation_scorer(model, val_loader))
        progress.epoch += 1
        if selection_value > progress.best:
            progress.best, progress.best_epoch = selection_value, progress.epoch
            progress.best_state = {k: v.detach().cpu().clone() for k, v in trained_state(model).items()}
        # -- record
        progress.seconds += time.perf_counter() - begin
        lr = trained.optimizer.param_groups[0]["lr"]
        progress.history.append({"epoch": progress.epoch, "lr": lr, **numbers, **numbers_on_validation})
        if not process_group.is_main_process:
            continue
        on_epoch(progress.history[-1])
        if folder is not None and time.monotonic() - saved_at >= CHECKPOINT_EVERY_S:
            save_checkpoint(folder / CHECKPOINT, owner, progress, trained)
            saved_at = time.monotonic()
    model.load_state_dict(progress.best_state, strict=False)
    return progress


def _refuse_missing(loader: Loader, process_group: ProcessGroup) -> None:
    if process_group.size > 1 and loader.missing:
        raise ConfigError(  # a process whose share has none would leave the others waiting in batch normalisation
            f"items of the training split lack {' and '.join(loader.missing)}; such data are trained on by one "
            "process only. Leave --processes-per-run out."
        )


def _batches(
    loader: Loader, train: Train, rows: np.ndarray, seed: int, process_group: ProcessGroup
) -> Iterator[tuple[float, Shard, Batch]]:
    """Yield an epoch's batches in order: the share of the epoch that lies before, this process's shard, its items."""
    captions = loader.draw_captions(rows, seed)
    lengths = loader.text_lengths(rows, captions) if train.bucket_batches is not None else None
    if lengths is not None and train.bucket_batches is not None:
        places = bucketed(lengths, train.batch_size, train.bucket_batches, seed)
        rows, captions = rows[places], captions[places]
    steps = math.ceil(len(loader) / train.batch_size)
    for step in range(steps):
        part = slice(step * train.batch_size, (step + 1) * train.batch_size)
        if len(rows[part]) < 2:
            continue  # batch normalisation and contrasts need two items
        share = process_group.batch_shard(len(rows[part]), seed=seed + step)
        yield step / steps, share, loader.batch(rows[part][share.rows], captions[part][share.rows])


def _means(losses: Sequence[Mapping[str, Tensor]], epoch: int) -> dict[str, float]:
    """Average each term of the loss over the steps that have it.

    Raises: TrainingError for a mean that is NaN or infinite.
    """
    names = dict.fromkeys(name for terms in losses for name in terms)
    numbers = {f"train/{k}": float(torch.stack([terms[k] for terms in losses if k in terms]).mean()) for k in names}
    if not all(math.isfinite(value) for value in numbers.values()):
        raise TrainingError(f"the loss is not finite in epoch {epoch}: {numbers}")
    return numbers


def build_objectives(model: Model, multi_label: bool) -> nn.ModuleList:
    """Build the terms of the weighted sum, in the order of the system."""
    for spec in model.system.objective:
        if spec.on == "vectors" and model.dims["image"] != model.dims["text"]:
            raise ConfigError(
                f"objective '{spec.name}' contrasts vectors of one size, but those of image and text have "
                f"{model.dims['image']} and {model.dims['text']} numbers. Choose projection: linear or mlp.",
                path=("objective",),
            )
    wired = {"dims": dict(model.dims), "num_classes": model.num_classes, "multi_label": multi_label}
    return nn.ModuleList(OBJECTIVES.build(s.name, s.options, **wired) for s in model.system.objective)


def build_optimizer(model: Model, objectives: nn.Module) -> torch.optim.Optimizer:
    """Build the optimiser over parameter groups: by slot (``lr_scale``), and without decay for biases and norms."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    slots = {f"encoders.{m}.": ENCODER_SLOTS[m] for m in model.system.modalities}
    for name, parameter in [*model.named_parameters(), *objectives.named_parameters(prefix="objective")]:
        if not parameter.requires_grad:
            continue
        slot = next((s for prefix, s in slots.items() if name.startswith(prefix)), None)
        scale = model.system.train.lr_scale.get(slot, 1.0) if slot else 1.0
        groups.setdefault((scale, parameter.ndim > 1), []).append(parameter)
    parameters = [{"params": p, "lr_scale": scale, "decay": decay} for (scale, decay), p in groups.items()]
    spec = model.system.train.optimizer
    optimizer: torch.optim.Optimizer = OPTIMIZERS.build(spec.name, spec.options, parameters=parameters)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def seed_of(*parts: int | str) -> int:
    """Derive a seed that depends on all parts."""
    return int(digest(list(parts)), 16) % (2**63)


def compiled(model: Model) -> Callable[[Batch], Output]:
    """Compile the model's forward pass with ``torch.compile``, for batches and texts of any length. Parameters are
    shared.

    Raises: TrainingError where torch has no compiler to call.
    """
    whole = torch.compile(model, dynamic=True)

    def forward(batch: Batch) -> Output:
        try:
            output: Output = whole(batch)
        except Exception as error:
            if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                raise
            first = str(error).strip().split("\n")[0]
            raise TrainingError(f"torch.compile failed here ({first}); set train.compile: false.") from error
        return output

    return forward


def _step(
    forward: Callable[[Batch], Output], trained: Trained, batch: Batch, share: Shard, epoch: float
) -> dict[str, Tensor]:
    """Train on a batch and return the terms of its loss; ``epoch`` counts the epochs done, in parts too."""
    system, device = trained.model.system, batch.positions.device
    optimizer, scaler, train = trained.optimizer, trained.scaler, system.train
    _set_lr(optimizer, system, epoch)
    for objective in trained.objectives:
        cast(Objective, objective).set_progress(epoch)
    with share.at_work():
        batch = _augmented(batch, system)
        with autocast(train.precision, device):
            output = forward(batch)
    output, batch = share.whole(output, batch)
    terms: dict[str, Tensor] = {}
    loss = torch.zeros((), device=device)
    for spec, objective in zip(system.objective, trained.objectives, strict=True):
        for name, value in objective(_contrasted(output, spec.on), batch).items():
            terms[f"{name}{_SUFFIX[spec.on]}"] = value.detach()
            loss = loss + spec.weight * value
    terms["loss"] = loss.detach()
    optimizer.zero_grad(set_to_none=True)
    share.backward(scaler.scale(loss))
    if train.grad_clip is not None:
        scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, train.grad_clip)
    scaler.step(optimizer)
    scaler.update()
    return terms


def _contrasted(output: Output, on: Target) -> Output:
    """Return the output in which objectives find what they contrast."""
    if on == "scores":
        return output
    return replace(output, scores=None, embeddings=output.vectors if on == "vectors" else output.embeddings)


def _augmented(batch: Batch, system: System) -> Batch:
    image = batch.inputs.get("image")
    spec = system.train.augment
    if spec is None or not isinstance(image, Tensor):
        return batch
    image = AUGMENTATIONS.build(spec.name, spec.options, pixels=image)
    return replace(batch, inputs={**batch.inputs, "image": image})


def _set_lr(optimizer: torch.optim.Optimizer, system: System, epoch: float) -> None:
    train = system.train
    if epoch < train.warmup_epochs:
        factor = (epoch + 1e-3) / train.warmup_epochs
    else:
        share = (epoch - train.warmup_epochs) / max(train.epochs - train.warmup_epochs, 1e-9)
        wired = {"progress": min(share, 1.0), "epochs": float(train.epochs - train.warmup_epochs)}
        factor = SCHEDULES.build(train.schedule.name, train.schedule.options, **wired)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def _should_stop(progress: Progress, patience: int | None) -> bool:
    return patience is not None and progress.epoch - progress.best_epoch >= patience


def validation_scorer_of(
    predictions: Callable[[Model, Loader], Mapping[str, float]], key: str, mode: str
) -> ValidationScorer:
    """Return a validation scorer that looks at one number: ``key`` of what ``predictions`` computes."""

    def validation_scorer(model: Model, loader: Loader) -> tuple[float, Mapping[str, float]]:
        numbers = predictions(model, loader)
        value = numbers[key]
        return (value if mode == "max" else -value), numbers

    return validation_scorer


__all__ = ["Progress", "TrainingError", "fit", "predict", "trained_state", "validation_scorer_of"]
