"""What CNNs and ViTs from timm have in common: creation, weights, preprocessing, freezing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from vsebench.components.encoder._local import check_file
from vsebench.components.encoder._pretrained import reason
from vsebench.components.image_encoder._checkpoint import load_checkpoint
from vsebench.components.image_encoder._cut import Cut, cut_of
from vsebench.components.image_encoder._embedded import with_embedded
from vsebench.components.image_encoder._layout import (
    HUB,
    Layout,
    check_name,
    creation_error,
    creation_of,
    layout_of,
    planned_layout,
)
from vsebench.components.image_encoder.base import ImageEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.shared_options import SharedOptions
from vsebench.core.shipped import EMBEDDED, shipped_file, version_of
from vsebench.core.types import Preprocessing, Tokens
from vsebench.ops.freezing import freeze, not_finite, outside, tensors_digest
from vsebench.ops.weights import load_weights

ImageOptions = Mapping[str, Any]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True)
class TimmOptions(SharedOptions):
    """What both encoders of timm's models take.

    Args:
        model: timm name (``resnet18``, ``resnet18.a1_in1k``), or ``hf-hub:owner/name`` of a timm model in the hub.
        weights: ``hub`` (timm's own pretrained weights, from the hub or its cache), ``none`` (random), ``pretrain``
            (trained as a classifier on the training split, once, and kept), ``embedded`` (shipped with the package,
            for rendered scenes; the model is then ``scenes_cnn`` or ``scenes_vit``) or the path of a local checkpoint.
        revision: branch, tag or commit of the hub's repository; its main branch by default. The commit is recorded with
            the run. Of ``embedded`` weights the version that they must have.
        finetune: ``none`` (frozen), ``last`` (the last ``stages`` train) or ``all``.
        stages: how many of the last stages train with ``finetune: last``.
        freeze_norm: keep batch normalisation in eval mode while the rest trains, as one does with small batches and
            must do with checkpoints whose statistics are folded into the weights.
        image_size: side in pixels; the weights' own by default. Weights of the hub have their position embeddings
            interpolated where timm can.
        model_args: passed on to ``timm.create_model`` (``{pad_type: same}``). ``pre_relu: true`` is ours: the last map
            of a CNN as it is before its ReLU, for ``pooling: max_tanh``.
        mean: three numbers for pixels in [0, 1]; the weights' own by default.
        std: like ``mean``.
        interpolation: of resizing; the weights' own by default, bicubic where none are loaded.
        fit: ``stretch`` both sides, ``crop`` the centre (of loaded weights the share that they were evaluated with,
            crop_pct), or ``pad``.
        precision: ``bf16`` runs a frozen backbone under autocast; its tokens are float32 all the same.
        pretrain_epochs: epochs of ``weights: pretrain``.
        pretrain_lr: its learning rate (AdamW, cosine).
        pretrain_batch_size: its batch size.
        merge: merge × merge neighbouring regions or patches are averaged to one; the shipped weights' own by default,
            else 1.
    """

    model: str = "resnet18"
    weights: str = "hub"
    revision: str | None = None
    finetune: Literal["none", "last", "all"] = "none"
    stages: Annotated[int, Gt(0)] = 1
    freeze_norm: bool = False
    image_size: Annotated[int, Gt(0)] | None = None
    model_args: dict[str, Any] | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic"] | None = None
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    precision: Literal["fp32", "bf16"] = "fp32"
    pretrain_epochs: Annotated[int, Gt(0)] = 30
    pretrain_lr: Annotated[float, Gt(0)] = 1e-3
    pretrain_batch_size: Annotated[int, Gt(1)] = 64
    merge: Annotated[int, Gt(0)] | None = None


class TimmEncoder(ImageEncoder):
    """A timm backbone without its classifier.

    Attributes:
        component: the name that it is registered by.

    Args:
        checkpoint: weights made by ``weights: pretrain``, or None.
        timm: the options that the two registered encoders share.
        convolutional: a CNN, not a transformer.
    """

    component: ClassVar[str]
    offset: Tensor
    scale: Tensor

    def __init__(self, checkpoint: Path | None, timm: TimmOptions, *, convolutional: bool) -> None:
        super().__init__()
        given = {**asdict(timm), "model_args": timm.model_args or {}}
        options = with_embedded(given, self.component)
        self.options = dict(options)
        # Convolutions are faster with the channels last; transformers do not care.
        self.memory_format = torch.channels_last if convolutional else torch.contiguous_format
        self.backbone = _create(options, checkpoint).to(memory_format=self.memory_format)  # type: ignore[call-overload]
        self.dim_out = int(self.backbone.num_features)  # type: ignore[arg-type]
        self.origin = _origin(self.backbone, given, self.component)
        self.preprocessing = _preprocessing(self.backbone, options)
        self.layout = layout_of(self.backbone, self.preprocessing.size, options["model"])
        self.check_layout(options["model"], self.layout)
        self.merge = _merge(self.layout, options)
        for name, numbers in options.get("standard", {}).items():
            self.register_buffer(name, torch.tensor(numbers))  # of shipped weights: each number of a token
        self.frozen_parts = _frozen_parts(self.backbone, options)
        self.frozen = options["finetune"] == "none"
        freeze(self.frozen_parts)
        if options["finetune"] == "last":
            for parameter in self.backbone.parameters(recurse=False):
                parameter.requires_grad_(False)  # position embeddings and class tokens lie before the stages
        self.cut: Cut | None = self._cut() if options["finetune"] == "last" else None
        if options["freeze_norm"]:
            self.frozen_parts += [m for m in self.backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

    @classmethod
    def check_options(cls, options: ImageOptions) -> None:
        """Refuse what cannot be made, before any run: a misspelt model, a size that it cannot read, another form.

        Raises: ConfigError.
        """
        options = with_embedded(options, cls.component)
        layout = planned_layout(options["model"], options["image_size"], repr(options["model_args"] or {}))
        if layout is not None:
            cls.check_layout(options["model"], layout)
            _merge(layout, options)

    @classmethod
    def check_files(cls, options: ImageOptions) -> None:
        """Refuse a checkpoint that is not there.

        Raises: ConfigError.
        """
        check_file(options, "weights", "hub", "none", "pretrain", EMBEDDED)

    @staticmethod
    def check_layout(model: str, layout: Layout) -> None:
        """Refuse a model that gives a map where tokens are wanted, or the other way round.

        Raises: ConfigError.
        """
        raise NotImplementedError

    def train(self, mode: bool = True) -> TimmEncoder:
        """Train mode; frozen parts stay in eval mode, so that their batch statistics do not move."""
        super().train(mode)
        for part in self.frozen_parts:
            part.eval()
        return self

    def features(self, pixels: Tensor) -> Tensor:
        """Return the backbone's last map or tokens, float32."""
        images = self.normalise(pixels).contiguous(memory_format=self.memory_format)
        low = self.frozen and self.options["precision"] == "bf16"
        autocast = torch.autocast(pixels.device.type, torch.bfloat16) if low else nullcontext()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen), autocast:
            values: Tensor = self.backbone.forward_features(images)  # type: ignore[operator]
        return values.float() if low else values

    def as_tokens(self, values: Tensor) -> Tokens:
        """Return the backbone's last map or tokens as Tokens."""
        return self.standardised(self.arrange(values))

    def arrange(self, values: Tensor) -> Tokens:
        """Return the backbone's last map or tokens as Tokens, in their own scale."""
        raise NotImplementedError(type(self).__name__)

    def standardised(self, tokens: Tokens) -> Tokens:
        """Return tokens in the scale that shipped weights ask for; others as they are."""
        if "standard" not in self.options:
            return tokens
        return tokens.with_values((tokens.values - self.offset) / self.scale)

    def forward(self, pixels: Tensor) -> Tokens:
        """Encode."""
        return self.as_tokens(self.features(pixels))

    def before_cut(self, pixels: Tensor) -> Tokens:
        """Compute the output of the frozen stages, once per item."""
        assert self.cut is not None, "an encoder without a cut"
        with torch.no_grad():
            images = self.normalise(pixels).contiguous(memory_format=self.memory_format)
            return self.cut.to_tokens(self.cut.before(images))

    def after_cut(self, tokens: Tokens) -> Tokens:
        """Encode from what the frozen stages gave."""
        assert self.cut is not None, "an encoder without a cut"
        return self.as_tokens(self.cut.after(self.cut.from_tokens(tokens)))

    def cut_digest(self) -> str:
        """Return a digest of the place of the cut and of the frozen weights."""
        assert self.cut is not None, "an encoder without a cut"
        return f"{tensors_digest(outside(self.backbone, self.cut.trained))}-{self.cut.position}"

    def _cut(self) -> Cut | None:
        stages = _stages(self.backbone)
        probe = torch.randn(2, 3, *self.preprocessing.size, generator=torch.Generator().manual_seed(0))
        probe = probe.contiguous(memory_format=self.memory_format)
        after = _after_stages(self.backbone, stages)
        cut = cut_of(self.backbone, stages, self.options["stages"], after, probe, self.memory_format)
        before = {} if cut is None else outside(self.backbone, cut.trained)
        return None if any(value.requires_grad for value in before.values()) else cut

    def backbone_state(self) -> dict[str, Tensor]:
        """Return the backbone's own state dict."""
        return self.backbone.state_dict()


def _create(options: ImageOptions, checkpoint: Path | None) -> nn.Module:
    import timm

    model, weights = options["model"], options["weights"]
    if not model.startswith(HUB):
        check_name(model)
    # timm drops the classifier itself only where it does not load tensors that include one; where it does, it is made
    # here and removed after loading.
    wanted: dict[str, Any] = {"num_classes": 0, **creation_of(model, options["image_size"], options["model_args"])}
    local = weights not in ("hub", "none", "pretrain")
    arrays = local and Path(weights).suffix.lower() in (".npz", ".npy")  # of JAX; timm reads each model's own names
    if local:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"weights '{weights}': no such file. Give hub, none, pretrain, embedded or a checkpoint.",
                path=("weights",),
            )
        if arrays:
            wanted |= {"checkpoint_path": str(path)}
        # A checkpoint with a classifier needs the classifier, which is dropped afterwards.
        if "num_classes" not in options["model_args"]:
            del wanted["num_classes"]
    name = model
    if weights == "hub":
        # With another number of classes timm would take weights that lack tensors.
        del wanted["num_classes"]
    if options["revision"] is not None:
        name, overlay = _at_revision(model, weights, options["revision"])
        wanted |= overlay
    try:
        backbone: nn.Module = timm.create_model(name, pretrained=weights == "hub", **wanted)
    except (OSError, ConnectionError) as error:
        at = "" if options["revision"] is None else f" at revision '{options['revision']}'"
        raise ConfigError(
            f"the weights of '{model}'{at} could not be fetched from the hub ({type(error).__name__}), and no cache "
            "has them. Give a local checkpoint as 'weights', or weights: pretrain.",
            path=("weights",),
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # readers of damaged files raise anything
        if weights == "hub" and not isinstance(error, TypeError):
            raise ConfigError(
                f"the hub's weights of '{model}' cannot be loaded: {reason(error)}. Fetch them again, or give a local "
                "checkpoint.",
                path=("weights",),
            ) from error
        raise creation_error(model, error, "img_size" in wanted and "img_size" not in options["model_args"]) from error
    if local and not arrays:
        load_checkpoint(backbone, weights)
    backbone.reset_classifier(0)  # type: ignore[operator]
    broken = not_finite(backbone) if local or weights == "hub" else []
    if broken:
        raise ConfigError(
            f"weights '{weights}' of '{model}': {len(broken)} tensors are not finite, the first is {broken[0]}.",
            path=("weights",),
        )
    if checkpoint is not None:
        backbone.load_state_dict(load_weights(checkpoint), strict=True)
    if options["model_args"].get("pre_relu", False):
        _drop_last_relu(backbone, model)
    return backbone


def _at_revision(model: str, weights: str, revision: str) -> tuple[str, dict[str, Any]]:
    """Return the model's name and arguments that ask for a revision of its weights."""
    from timm.models import get_pretrained_cfg

    if weights != "hub":
        raise ConfigError("'revision' goes with weights: hub; nothing comes from the hub here.", path=("revision",))
    if model.startswith(HUB):
        return f"{model.partition('@')[0]}@{revision}", {}
    place = getattr(get_pretrained_cfg(model), "hf_hub_id", None)
    if not place:
        raise ConfigError(f"'{model}' has no weights in the hub, and thus no revision.", path=("revision",))
    return model, {"pretrained_cfg_overlay": {"hf_hub_id": f"{place}@{revision}"}}


def _merge(layout: Layout, options: ImageOptions) -> int:
    """Return the side of the squares of regions that are averaged.

    Raises: ConfigError where they do not fill the grid.
    """
    merge = int(options["merge"] or 1)
    height, width = layout.grid
    if height % merge or width % merge:
        raise ConfigError(
            f"merge ({merge}) must divide the {height} × {width} regions of '{options['model']}'.", path=("merge",)
        )
    return merge


def _origin(backbone: Any, options: ImageOptions, component: str) -> dict[str, str] | None:
    """Return the repository and commit that the weights came from; of shipped ones their name and version."""
    if options["weights"] == EMBEDDED:
        return {"model": options["model"], "commit": version_of(shipped_file(options["model"], component))}
    from huggingface_hub import constants, try_to_load_from_cache

    place = str(backbone.pretrained_cfg.get("hf_hub_id") or "") if options["weights"] == "hub" else ""
    repository, _, revision = place.partition("@")
    names = ("model.safetensors", constants.SAFETENSORS_SINGLE_FILE, constants.PYTORCH_WEIGHTS_NAME)
    for name in dict.fromkeys((backbone.pretrained_cfg.get("hf_hub_filename"), *names)):
        file = (
            try_to_load_from_cache(repository, name, constants.HF_HUB_CACHE, revision=revision or None)
            if repository and name
            else None
        )
        if isinstance(file, str):
            return {"model": repository, "commit": Path(file).parent.name}
    return None


@torch.no_grad()
def _drop_last_relu(backbone: Any, model: str) -> None:
    """Take the ReLU away that the last map comes from. Whether it was that one shows in the maps: the old map is the
    ReLU of the new one, also through a maximum that follows.

    Raises: ConfigError for a model whose map does not come from a ReLU.
    """
    probe = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mode = backbone.training
    before = backbone.eval().forward_features(probe)
    for name in reversed([n for n, m in backbone.named_modules() if isinstance(m, nn.ReLU)]):
        owner, _, child = name.rpartition(".")
        relu = getattr(backbone.get_submodule(owner), child)
        setattr(backbone.get_submodule(owner), child, nn.Identity())
        after = backbone.forward_features(probe)
        if not torch.equal(after, before) and torch.equal(after.relu(), before):
            backbone.train(mode)
            return
        setattr(backbone.get_submodule(owner), child, relu)
        if not torch.equal(after, before):
            break  # an earlier one: those of a classifier change nothing
    raise ConfigError(f"pre_relu: the last map of '{model}' does not come from a ReLU.", path=("model_args",))


def _preprocessing(backbone: nn.Module, options: ImageOptions) -> Preprocessing:
    """Sizes and numbers of the weights' own, where the options do not say otherwise.

    Raises: ConfigError for weights that were evaluated in a way that is not known here.
    """
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(backbone)
    loaded = options["weights"] not in ("none", "pretrain")
    side = options["image_size"]
    height, width = (int(v) for v in ((side, side) if side else config["input_size"][-2:]))
    mean = options["mean"] or config["mean"]
    std = options["std"] or config["std"]
    interpolation = options["interpolation"] or (config["interpolation"] if loaded else "bicubic")
    if interpolation not in INTERPOLATIONS:
        raise ConfigError(
            f"the weights of '{options['model']}' were evaluated with interpolation '{interpolation}'; known: "
            f"{', '.join(INTERPOLATIONS)}. Choose one.",
            path=("interpolation",),
        )
    share = float(config["crop_pct"]) if loaded and options["fit"] == "crop" else 1.0
    if share != 1 and config.get("crop_mode", "center") != "center":
        raise ConfigError(
            f"the weights of '{options['model']}' were evaluated with crop_mode '{config['crop_mode']}', which is not "
            "done here; choose fit: stretch or pad.",
            path=("fit",),
        )
    return Preprocessing(
        (height, width), _three(mean, "mean"), _three(std, "std"), interpolation, options["fit"], share
    )


def _three(values: Sequence[float], option: str) -> tuple[float, float, float]:
    if len(values) != 3 or not all(math.isfinite(v) and (option == "mean" or v > 0) for v in values):
        what = "three numbers, one per channel" if option == "mean" else "three numbers > 0, one per channel"
        raise ConfigError(f"'{option}' must be {what}. Got {list(values)}.", path=(option,))
    return (float(values[0]), float(values[1]), float(values[2]))


def _frozen_parts(backbone: nn.Module, options: ImageOptions) -> list[nn.Module]:
    if options["finetune"] == "none":
        return [backbone]
    if options["finetune"] == "all":
        return []
    stages = _stages(backbone)
    count = options["stages"]
    if count >= len(stages):
        raise ConfigError(
            f"stages ({count}) must be fewer than the {len(stages)} that '{options['model']}' has; "
            "finetune: all trains them all.",
            path=("stages",),
        )
    trained = {id(m) for stage in stages[-count:] for m in stage.modules()}
    # The stem and everything before the last stages freeze; norms after the last stage train with it.
    after = {id(m) for m in _after_stages(backbone, stages)}
    return [m for m in _leaf_owners(backbone, stages) if id(m) not in trained | after]


def _stages(backbone: nn.Module) -> list[nn.Module]:
    for name in ("blocks", "stages", "layers"):
        result = getattr(backbone, name, None)
        if isinstance(result, nn.Sequential | nn.ModuleList) and len(result) > 1:
            return list(result)
    numbered = [getattr(backbone, f"layer{i}") for i in range(1, 9) if hasattr(backbone, f"layer{i}")]
    if len(numbered) > 1:
        return numbered
    children = [c for c in backbone.children() if any(True for _ in c.parameters())]
    return children


def _after_stages(backbone: nn.Module, stages: list[nn.Module]) -> list[nn.Module]:
    inside = {id(m) for stage in stages for m in stage.modules()}
    after, passed = [], False
    for child in backbone.children():
        owns = any(id(m) in inside for m in child.modules())
        if passed and not owns:
            after.append(child)
        passed = passed or owns
    return after


def _leaf_owners(backbone: nn.Module, stages: list[nn.Module]) -> list[nn.Module]:
    inside = {id(s) for s in stages}
    results: list[nn.Module] = []

    def visit(module: nn.Module) -> None:
        for child in module.children():
            holds = any(id(m) in inside for m in child.modules())
            if id(child) in inside or not holds:
                results.append(child)
            else:
                visit(child)

    visit(backbone)
    return results
