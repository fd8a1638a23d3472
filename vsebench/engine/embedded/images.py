"""The shipped image encoders: a CNN and a vision transformer that tell silhouette, colour, pattern and place of every
cell of a scene.

A linear classifier of each attribute on every token is trained with the encoder and thrown away. A token is asked for
the garment in whose box its cell's centre lies, and for the setting everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vsebench.core.shipped import FOLDER
from vsebench.data.scenes.model import (
    COLOURS,
    PATTERNS,
    PLACES,
    SETTINGS,
    SILHOUETTES,
    draw_scene,
    draw_statements,
)
from vsebench.data.scenes.render import render

SIDE = 96
MEAN, STD = 0.5, 0.25  # of every channel
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "silhouette": SILHOUETTES,
    "colour": COLOURS,
    "pattern": PATTERNS,
    "place": PLACES,
}
EMPTY = 0  # class of a cell without a garment


@dataclass(frozen=True)
class Recipe:
    """How an encoder is made.

    Args:
        component: the image encoder that reads it.
        model: timm name.
        model_args: passed on to ``timm.create_model``.
        merge: tokens of merge × merge neighbours are averaged.
        lr: largest learning rate (AdamW, one cycle).
        epochs: passes over the scenes.
    """

    component: str
    model: str
    model_args: Mapping[str, Any]
    merge: int
    lr: float
    epochs: int


RECIPES = {
    "scenes_cnn": Recipe(
        "timm_cnn",
        "resnet10t",
        {"channels": [24, 48, 96, 128], "stem_width": 16, "output_stride": 32},
        1,
        2e-3,
        8,
    ),
    "scenes_vit": Recipe(
        "timm_vit",
        "vit_tiny_patch16_224",
        {"img_size": SIDE, "patch_size": 16, "embed_dim": 96, "depth": 4, "num_heads": 3, "class_token": False},
        2,
        1e-3,
        24,
    ),
}


@dataclass
class Pictures:
    """Scenes as pictures with what stands where.

    Args:
        pixels: uint8 (n, 3, side, side).
        classes: int64 (n, 3, 3, 4), of each cell: the class of each attribute plus one; 0 without a garment.
        settings: int64 (n,).
    """

    pixels: Tensor
    classes: Tensor
    settings: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: slice) -> Pictures:
        return Pictures(self.pixels[rows], self.classes[rows], self.settings[rows])


def draw_pictures(count: int, seed: str, cells: int = 3) -> Pictures:
    """Draw scenes that are in no dataset: datasets have whole numbers as seeds."""
    pixels = np.empty((count, SIDE, SIDE, 3), np.uint8)
    classes = np.full((count, cells, cells, len(ATTRIBUTES)), EMPTY, np.int64)
    settings = np.empty(count, np.int64)
    for i in range(count):
        rng = Random(f"scene-{seed}-{i}")
        scene = draw_scene(rng)
        draw_statements(scene, rng)
        pixels[i], _, boxes = render(scene, rng, SIDE)
        settings[i] = SETTINGS.index(scene.setting)
        for garment, box in zip(scene.garments, boxes, strict=True):
            rows, columns = (_cells(box[k], box[k + 2], cells) for k in (1, 0))
            values = [names.index(getattr(garment, name)) + 1 for name, names in ATTRIBUTES.items()]
            classes[i, rows[:, None], columns[None, :]] = values
    return Pictures(torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(classes), torch.from_numpy(settings))


def _cells(first: float, last: float, cells: int) -> np.ndarray:
    """Return the cells whose centres lie between two pixels, or else the one in the middle of them."""
    centres = (np.arange(cells) + 0.5) * SIDE / cells
    inside = np.flatnonzero((first <= centres) & (centres < last))
    return inside if len(inside) else np.array([min(cells - 1, int((first + last) / 2 / SIDE * cells))])


@dataclass
class Trained:
    """A trained encoder.

    Args:
        backbone: the network, without its classifiers.
        recipe: how it was made.
        history: mean loss of each epoch.
        offset, scale: of each number of a token, so that its mean is 0 and its standard deviation 1 over the cells of
            scenes. Without them the empty cells, which differ by their setting alone, outweigh the garments in a mean.
    """

    backbone: nn.Module
    recipe: Recipe
    history: list[float] = field(default_factory=list)
    offset: Tensor = field(default_factory=lambda: torch.zeros(()))
    scale: Tensor = field(default_factory=lambda: torch.ones(()))

    def tokens(self, pixels: Tensor) -> Tensor:
        """Encode. Shape: uint8 (B, 3, side, side) -> float32 (B, cells², D)."""
        return (_tokens(self.backbone, self.recipe, pixels) - self.offset) / self.scale

    def standardise(self, pictures: Pictures) -> None:
        """Set offset and scale, rounded to what is written."""
        with torch.no_grad():
            tokens = torch.cat([_tokens(self.backbone, self.recipe, part) for part in pictures.pixels.split(256)])
        flat = tokens.flatten(0, 1).double()
        self.offset, self.scale = (values.float().round(decimals=5) for values in (flat.mean(0), flat.std(0)))


def train(
    name: str, pictures: Pictures, *, seed: int = 0, batch_size: int = 128, say: Callable[[str], None] = print
) -> Trained:
    """Train one of :data:`RECIPES`.

    Args:
        name: of the recipe.
        pictures: what it learns from.
        seed: of weights and order.
        batch_size: pictures a step.
        say: told of every epoch.
    """
    recipe = RECIPES[name]
    torch.manual_seed(seed)
    trained = Trained(_backbone(recipe), recipe)
    backbone = trained.backbone
    dim = trained.tokens(pictures.pixels[:2]).shape[-1]
    heads = nn.ModuleList(nn.Linear(dim, len(names) + 1) for names in ATTRIBUTES.values())
    heads.append(nn.Linear(dim, len(SETTINGS)))
    parameters = [*backbone.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=0.05)
    steps = len(pictures) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=recipe.lr, total_steps=steps * recipe.epochs, pct_start=0.1
    )
    for epoch in range(recipe.epochs):
        backbone.train()
        order, total = torch.randperm(len(pictures)), 0.0
        for step in range(steps):
            rows = order[step * batch_size : (step + 1) * batch_size]
            loss = _loss(trained.tokens(pictures.pixels[rows]), heads, pictures.classes[rows], pictures.settings[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        trained.history.append(total / steps)
        say(f"{name}: epoch {epoch + 1}/{recipe.epochs}, loss {total / steps:.3f}")
    backbone.eval()
    return trained


def shipped(name: str) -> Trained:
    """Load one of :data:`RECIPES` with the weights that ship with the package, in float32."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    recipe, file = RECIPES[name], FOLDER / f"{name}.safetensors"
    backbone = _backbone(recipe)
    state = load_file(file)
    backbone.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    with safe_open(file, framework="pt") as stored:
        options = json.loads(stored.metadata()["options"])
    return Trained(
        backbone.eval(), recipe, offset=torch.tensor(options["offset"]), scale=torch.tensor(options["scale"])
    )


def _backbone(recipe: Recipe) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(
        recipe.model, pretrained=False, num_classes=0, global_pool="", **dict(recipe.model_args)
    )
    return model


def probe(trained: Trained, train_on: Pictures, test_on: Pictures) -> dict[str, float]:
    """Return the accuracy of linear classifiers on frozen tokens: in a garment's box, and of the setting elsewhere."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    tokens = [_all_tokens(trained, pictures) for pictures in (train_on, test_on)]
    scaler = StandardScaler().fit(tokens[0].reshape(-1, tokens[0].shape[-1]))
    features = [scaler.transform(t.reshape(-1, t.shape[-1])) for t in tokens]
    result = {}
    classes = [p.classes.flatten(0, 2).numpy() for p in (train_on, test_on)]
    settings = [
        p.settings[:, None].expand(-1, p.classes[0, ..., 0].numel()).flatten().numpy() for p in (train_on, test_on)
    ]
    for k, name in enumerate([*ATTRIBUTES, "setting"]):
        inside = [c[:, 0] > EMPTY if name != "setting" else c[:, 0] == EMPTY for c in classes]
        target = settings if name == "setting" else [c[:, k] for c in classes]
        model = LogisticRegression(max_iter=300).fit(features[0][inside[0]], target[0][inside[0]])
        result[name] = float(model.score(features[1][inside[1]], target[1][inside[1]]))
    return result


def _all_tokens(trained: Trained, pictures: Pictures) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([trained.tokens(part) for part in pictures.pixels.split(256)]).numpy()


def _tokens(backbone: nn.Module, recipe: Recipe, pixels: Tensor) -> Tensor:
    values = (pixels.float() / 255 - MEAN) / STD
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.is_grad_enabled()):
        values = backbone(values)
    values = values.float()
    if values.ndim == 3:  # (B, h·w, D)
        side = round(values.shape[1] ** 0.5)
        values = values.transpose(1, 2).unflatten(2, (side, side))
    if recipe.merge > 1:
        values = nn.functional.avg_pool2d(values, recipe.merge)
    return values.flatten(2).transpose(1, 2)


def _loss(tokens: Tensor, heads: nn.ModuleList, classes: Tensor, settings: Tensor) -> Tensor:
    """Return the sum of the classifiers' losses; cells without a garment, which are most, weigh less."""
    target = classes.flatten(1, 2)
    loss = tokens.new_zeros(())
    for k, head in enumerate(list(heads)[:-1]):
        logits = head(tokens).flatten(0, 1)
        weight = torch.ones(logits.shape[1])
        weight[EMPTY] = 0.3
        loss = loss + nn.functional.cross_entropy(logits, target[..., k].flatten(), weight=weight)
    everywhere = settings[:, None].expand(-1, tokens.shape[1]).flatten()
    return loss + 0.5 * nn.functional.cross_entropy(heads[-1](tokens).flatten(0, 1), everywhere)
