"""Make the shipped encoders again, from nothing: ``python -m vsebench.engine.embedded [--out FOLDER]``.

Trains on one thread, so that the numbers do not depend on the machine's cores, and says how far the result agrees with
what is shipped.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from vsebench.core.files import file_digest
from vsebench.core.shipped import FOLDER, PROVENANCE, provenance

SCENES = 16_000
STANDARD = 2_000  # of them, over which tokens are standardised
PROBED = 1_500  # scenes of the linear probes, as many to learn from as to test on


def main() -> None:
    """Train, measure and write all of them."""
    parser = argparse.ArgumentParser(prog="python -m vsebench.engine.embedded", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="Where to write; the package's own folder by default.")
    out = parser.parse_args().out
    import torch

    torch.set_num_threads(1)
    before = provenance() if PROVENANCE.is_file() else {}
    out.mkdir(parents=True, exist_ok=True)
    made = {**_images(out), **_texts(out)}
    for name, facts in made.items():
        facts |= {"command": "python -m vsebench.engine.embedded", "seed": 0, "torch": torch.__version__}
        print(f"{name}: {facts['reached']}; shipped: {before.get(name, {}).get('reached', 'nothing')}")
        same = facts["sha256"] == before.get(name, {}).get("sha256")
        print(f"{name}: {'the same to the last bit' if same else 'other weights than those that are shipped'}")
    (out / PROVENANCE.name).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _images(out: Path) -> dict[str, dict[str, Any]]:
    import torch
    from safetensors.torch import save_file

    from vsebench.engine.embedded.images import MEAN, RECIPES, SIDE, STD, draw_pictures, probe, train

    pictures = draw_pictures(SCENES, "encoders")
    learn, test = draw_pictures(PROBED, "probe-train"), draw_pictures(PROBED, "probe-test")
    made: dict[str, dict[str, Any]] = {}
    for name, recipe in RECIPES.items():
        begun = time.perf_counter()
        trained = train(name, pictures)
        trained.backbone.half().float()  # what is stored is what is measured
        trained.standardise(pictures[:STANDARD])
        file = out / f"{name}.safetensors"
        options = {
            "model": recipe.model,
            "model_args": dict(recipe.model_args),
            "merge": recipe.merge,
            "image_size": SIDE,
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
            **{key: [round(v, 5) for v in getattr(trained, key).tolist()] for key in ("offset", "scale")},
        }
        state = {k: v.half() if v.is_floating_point() else v for k, v in trained.backbone.state_dict().items()}
        save_file({k: v.contiguous() for k, v in state.items()}, file, {"options": json.dumps(options)})
        made[name] = {
            "component": recipe.component,
            "what": "image encoder: silhouette, colour, pattern and place of every cell, and the setting",
            "scenes": SCENES,
            "epochs": recipe.epochs,
            "parameters": sum(p.numel() for p in trained.backbone.parameters()),
            "reached": {"probe accuracy": {k: round(v, 4) for k, v in probe(trained, learn, test).items()}},
            "seconds": round(time.perf_counter() - begun),
            "sha256": file_digest(file),
        }
        assert torch.isfinite(torch.tensor(trained.history)).all()
    return made


def _texts(out: Path) -> dict[str, dict[str, Any]]:
    from vsebench.engine.embedded.texts import draw_captions, train_bert, word_vectors, write_glove

    captions, held_out = draw_captions(SCENES, "encoders"), draw_captions(500, "probe-test")
    begun = time.perf_counter()
    model, tokenizer, accuracy = train_bert(captions, held_out)
    folder = out / "scenes_bert"
    model.bert.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    vectors = word_vectors(captions)
    file = out / "scenes_vectors.txt"
    write_glove(vectors, file)
    return {
        "scenes_bert": {
            "component": "bert",
            "what": "text encoder: a BERT that fills in masked words of captions",
            "captions": len(captions),
            "parameters": sum(p.numel() for p in model.bert.parameters()),
            "reached": {"masked words of held-out captions": round(accuracy, 4)},
            "seconds": round(time.perf_counter() - begun),
            "sha256": file_digest(folder / "model.safetensors"),
        },
        "scenes_vectors": {
            "component": "word vectors",
            "what": "word vectors in GloVe's format: mutual information of neighbouring words, decomposed",
            "captions": len(captions),
            "words": len(vectors),
            "dim": len(next(iter(vectors.values()))),
            "reached": {"nearest of 'striped'": _nearest(vectors, "striped")},
            "sha256": file_digest(file),
        },
    }


def _nearest(vectors: dict[str, np.ndarray], word: str, count: int = 3) -> list[str]:
    names = list(vectors)
    table = np.stack([vectors[name] / np.linalg.norm(vectors[name]) for name in names])
    order = np.argsort(-(table @ table[names.index(word)]), kind="stable")
    return [names[i] for i in order[1 : count + 1]]


if __name__ == "__main__":
    main()
