"""Make the shipped encoders again, from nothing: ``python -m vsebench.engine.embedded [--out FOLDER] [--only NAME]``.

Trains on one thread, so that the numbers do not depend on the machine's cores, and says how far the result agrees with
what is shipped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
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
    parser.add_argument("--only", choices=MAKERS, help="Which to make; all by default.")
    arguments = parser.parse_args()
    out, chosen = arguments.out, [arguments.only] if arguments.only else list(MAKERS)
    import torch

    torch.set_num_threads(1)
    before = provenance() if PROVENANCE.is_file() else {}
    out.mkdir(parents=True, exist_ok=True)
    made: dict[str, dict[str, Any]] = {}
    for name in chosen:
        begun = time.perf_counter()
        made[name] = facts = MAKERS[name](name, out)
        facts["seconds"] = round(time.perf_counter() - begun)
        facts |= {"command": "python -m vsebench.engine.embedded", "seed": 0, "torch": torch.__version__}
        print(f"{name}: {facts['reached']}; shipped: {before.get(name, {}).get('reached', 'nothing')}")
        same = facts["sha256"] == before.get(name, {}).get("sha256")
        print(f"{name}: {'the same to the last bit' if same else 'other weights than those that are shipped'}")
    present = before if out == FOLDER else {}
    together = {name: made.get(name) or present[name] for name in MAKERS if name in made or name in present}
    (out / PROVENANCE.name).write_text(json.dumps(together, indent=1) + "\n", encoding="utf-8")


def _image_encoder(name: str, out: Path) -> dict[str, Any]:
    import torch
    from safetensors.torch import save_file

    from vsebench.engine.embedded.images import MEAN, RECIPES, SIDE, STD, draw_pictures, probe, train

    recipe, pictures = RECIPES[name], draw_pictures(SCENES, "encoders")
    learn, test = draw_pictures(PROBED, "probe-train"), draw_pictures(PROBED, "probe-test")
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
    assert torch.isfinite(torch.tensor(trained.history)).all()
    return {
        "component": recipe.component,
        "what": "image encoder: silhouette, colour, pattern and place of every cell, and the setting",
        "scenes": SCENES,
        "epochs": recipe.epochs,
        "parameters": sum(p.numel() for p in trained.backbone.parameters()),
        "reached": {"probe accuracy": _rounded(probe(trained, learn, test))},
        "sha256": file_digest(file),
    }


def _bert(name: str, out: Path) -> dict[str, Any]:
    from vsebench.engine.embedded.texts import draw_captions, filled_in, probe, train_bert

    captions = draw_captions(SCENES, "encoders")
    learn, test = draw_captions(PROBED, "probe-train"), draw_captions(PROBED, "probe-test")
    model, tokenizer = train_bert(captions)
    model.bert.half().save_pretrained(out / name)
    tokenizer.save_pretrained(out / name)
    model.float()  # what is stored is what is measured
    return {
        "component": "bert",
        "what": "text encoder: a BERT that fills in masked words of captions and tells what each word is about",
        "captions": len(captions),
        "parameters": sum(p.numel() for p in model.bert.parameters()),
        "reached": {
            "masked words of held-out captions": round(filled_in(model, tokenizer, test), 4),
            "probe accuracy": _rounded(probe(model.bert, tokenizer, learn, test)),
        },
        "sha256": file_digest(out / name / "model.safetensors"),
    }


def _vectors(name: str, out: Path) -> dict[str, Any]:
    from vsebench.engine.embedded.texts import draw_captions, word_vectors, write_glove

    captions = draw_captions(SCENES, "encoders")
    vectors = word_vectors([caption.text for caption in captions])
    file = out / f"{name}.txt"
    write_glove(vectors, file)
    return {
        "component": "word vectors",
        "what": "word vectors in GloVe's format: mutual information of neighbouring words, decomposed",
        "captions": len(captions),
        "words": len(vectors),
        "dim": len(next(iter(vectors.values()))),
        "reached": {"nearest of 'striped'": _nearest(vectors, "striped")},
        "sha256": file_digest(file),
    }


MAKERS: Mapping[str, Callable[[str, Path], dict[str, Any]]] = {
    "scenes_cnn": _image_encoder,
    "scenes_vit": _image_encoder,
    "scenes_bert": _bert,
    "scenes_vectors": _vectors,
}


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in numbers.items()}


def _nearest(vectors: dict[str, np.ndarray], word: str, count: int = 3) -> list[str]:
    names = list(vectors)
    table = np.stack([vectors[name] / np.linalg.norm(vectors[name]) for name in names])
    order = np.argsort(-(table @ table[names.index(word)]), kind="stable")
    return [names[i] for i in order[1 : count + 1]]


if __name__ == "__main__":
    main()
