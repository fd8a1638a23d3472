"""An embedding of one modality alone is that of the whole model, whatever the system."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from galleries import BASE, LSTM

from vsebench.config.resolve import resolve
from vsebench.data.dataset import Dataset
from vsebench.data.vocabulary import Vocabulary
from vsebench.engine.embed import embed, embedding_dim
from vsebench.engine.loader import Loader
from vsebench.engine.model import Model

BOTH = {**BASE, "text_encoder": LSTM}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": BOTH,
    "intra": {**BOTH, "attention": {"name": "intra"}},
    "inter": {**BOTH, "attention": {"name": "inter"}},
    "visual_semantic": {**BOTH, "pooling": "visual_semantic"},
    "self_attention": {**BOTH, "pooling": "self_attention"},
    "no projection": {**BOTH, "text_encoder": {**LSTM, "dim_hidden": 16}, "projection": "mlp"},
    "amir": {**BOTH, "fusion": "amir", "projection": "none", "head": "linear"},
    "trained": {**BOTH, "image_encoder": {**BASE["image_encoder"], "finetune": "all"}},
    "flipped": {**BOTH, "train": {"augment": "flip"}},
    "features": {**BOTH, "image_encoder": "features"},
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("modality", ["image", "text"])
def test_equals_the_whole_model(tiny_file: Any, name: str, modality: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dataset = Dataset.open(tiny_file)
    vocabulary = Vocabulary.build([t for texts in dataset.all_texts("train") for t in texts])
    block = {k: v for k, v in VARIANTS[name].items() if k != "system"}
    system = resolve(block)
    model = Model(
        system, num_classes=dataset.num_classes, vocabulary=vocabulary, feature_dims=dataset.feature_dims
    ).eval()
    loader = Loader(dataset, "test", system, model.encoders)
    batch = loader.batch(np.arange(5))
    with torch.inference_mode():
        wanted = model(batch).embeddings[modality]
    assert wanted.shape == (5, embedding_dim(model, modality))
    assert torch.allclose(embed(model, modality, batch.inputs[modality]), wanted, atol=1e-6)
    if modality == "text":
        encoder: Any = model.encoders["text"]
        raw = encoder.tokenizer([dataset.texts(int(p))[0] for p in loader.positions[:5]])
    elif name == "features":
        return
    else:
        image: Any = model.encoders["image"]
        raw = torch.stack([torch.from_numpy(dataset.image(int(p), image.preprocessing)) for p in loader.positions[:5]])
    assert torch.allclose(embed(model, modality, raw), wanted, atol=1e-5)
