from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vsebench.components.fusion.amir import AMIR

DIMS = {"image": 6, "text": 5, "audio": 3}
PAIR, ALL, MUTE = ("image", "text"), ("image", "text", "audio"), ("image", "audio")
ITEMS = 7
#: Item 0 has everything; 1 lacks the image, 2 the text, 3 the sound, 4 has the text alone, 5 has no text and no sound.
PRESENT = {
    "image": [True, False, True, True, False, True, True],
    "text": [True, True, False, True, True, False, True],
    "audio": [True, True, True, False, False, False, True],
}


def build(modalities: tuple[str, ...] = ALL, **options: object) -> AMIR:
    torch.manual_seed(1)
    module = AMIR({m: DIMS[m] for m in modalities}, 4, **{"candidates": 4, **options}).eval()  # type: ignore[arg-type]
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)  # far from equal weights
    return module


def documents(modalities: tuple[str, ...] = ALL, empty: float = 0.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    torch.manual_seed(0)
    present = {m: torch.tensor(PRESENT[m]) for m in modalities}
    vectors = {m: torch.randn(ITEMS, DIMS[m]) for m in ALL}
    return {m: vectors[m].masked_fill(~present[m][:, None], empty) for m in modalities}, present


def slow(module: AMIR, vectors: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
    """H of every document by its definition, one at a time."""
    results = []
    for i in range(len(next(iter(vectors.values())))):
        parts = []
        for m, x in vectors.items():
            current = module.adaptors[m](x[i]) if present[m][i] else torch.zeros(4)
            if m == "text" or not module.asks or not present["text"][i]:
                parts.append(current)
                continue
            query = module.query(module.adaptors["text"](vectors["text"][i]))
            if module.training:
                candidates = {j: module.adaptors[m](x[j]) for j in range(len(x)) if present[m][j]}
            else:
                selected = getattr(module, f"kept_{m}")
                candidates = {-1 - j: module.adaptors[m](row) for j, row in enumerate(selected)}
                candidates |= {i: current} if present[m][i] else {}
            logits = {j: float(query @ module.key(h)) / module.temperature for j, h in candidates.items()}
            total = sum(math.exp(x) for x in logits.values())
            alpha = {j: math.exp(x) / total for j, x in logits.items()}
            if module.form == "aggregated":
                parts.append(sum((alpha[j] * h for j, h in candidates.items()), torch.zeros(4)))
            else:
                parts.append(alpha.get(i, 0.0) * (len(candidates) if module.rescale else 1) * current)
        results.append(module.join(torch.cat(parts)))
    return torch.stack(results)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("modalities", [PAIR, ("text", "audio"), ALL, MUTE])
@pytest.mark.parametrize("options", [{}, {"rescale": False, "temperature": 0.5}, {"form": "aggregated"}])
@torch.no_grad()
def test_equals_a_loop_over_documents_and_candidates(
    modalities: tuple[str, ...], options: dict, training: bool
) -> None:
    module = build(modalities, **options).train(training)
    vectors, present = documents(modalities)
    wanted = slow(module, vectors, present)
    torch.testing.assert_close(module(vectors, present), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("empty", [1e4, float("nan")])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("form", ["pair", "aggregated"])
def test_what_stands_in_an_empty_place_changes_nothing(empty: float, training: bool, form: str) -> None:
    results = []
    for value in (0.0, empty):
        module = build(form=form).train(training)
        vectors, present = documents(empty=value)
        joint = module(vectors, present)
        joint.sum().backward()
        grads = [p.grad for p in module.parameters()]
        document_attention = module.compare(vectors, present)
        assert document_attention is not None
        keys = [document_attention.query, *document_attention.keys.values()]
        results.append([joint, *module.buffers(), *keys, *[g for g in grads if g is not None]])
    assert len(results[0]) == len(results[1])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("form", ["pair", "aggregated"])
@torch.no_grad()
def test_in_evaluation_a_document_does_not_depend_on_the_others(form: str) -> None:
    module, (vectors, present) = build(form=form), documents()
    whole = module(vectors, present)
    order = torch.randperm(ITEMS)
    moved = module({m: v[order] for m, v in vectors.items()}, {m: p[order] for m, p in present.items()})
    torch.testing.assert_close(moved, whole[order])
    for i in range(ITEMS):
        alone = module({m: v[i : i + 1] for m, v in vectors.items()}, {m: p[i : i + 1] for m, p in present.items()})
        torch.testing.assert_close(alone[0], whole[i])
    assert torch.equal(module(vectors, present), whole), "evaluation keeps nothing"


@torch.no_grad()
def test_in_training_it_does() -> None:
    module, (vectors, present) = build().train(), documents()
    whole = module(vectors, present)
    some = module({m: v[:4] for m, v in vectors.items()}, {m: p[:4] for m, p in present.items()})
    assert not torch.allclose(some[0], whole[0])
    torch.testing.assert_close(some[2], whole[2])  # without text it asks nothing


@torch.no_grad()
def test_it_keeps_the_last_documents_that_had_the_modality() -> None:
    module, (vectors, present) = build().train(), documents()
    before = module.kept_image.clone()
    first = {m: v[:2] for m, v in vectors.items()}, {m: p[:2] for m, p in present.items()}
    module(*first)
    torch.testing.assert_close(module.kept_image, torch.cat([before[1:], vectors["image"][:1]]))  # 1 has no image
    module(vectors, present)
    torch.testing.assert_close(module.kept_image, vectors["image"][[3, 5, 6]])
    torch.testing.assert_close(module.kept_audio, vectors["audio"][[1, 2, 6]])
    nothing = {m: torch.zeros_like(p) for m, p in present.items()}
    module(vectors, nothing)
    torch.testing.assert_close(module.kept_image, vectors["image"][[3, 5, 6]])


@torch.no_grad()
def test_an_answer_as_good_as_the_others_counts_once() -> None:
    module = build(PAIR)
    image = torch.randn(1, 6).expand(ITEMS, 6)
    vectors = {"image": image, "text": torch.randn(ITEMS, 5)}
    module.kept_image.copy_(image[:3])
    everything = {m: torch.ones(ITEMS, dtype=torch.bool) for m in PAIR}
    h = {m: module.adaptors[m](vectors[m]) for m in PAIR}
    wanted = module.join(torch.cat([h["image"], h["text"]], 1))
    torch.testing.assert_close(module(vectors, everything), wanted)
    torch.testing.assert_close(module.train()(vectors, everything), wanted)


@torch.no_grad()
def test_retrieval_ranks_by_what_attention_compares() -> None:
    module, (vectors, present) = build(), documents()
    everything = {m: torch.ones_like(p) for m, p in present.items()}
    document_attention = module.compare(vectors, everything)
    assert document_attention is not None
    torch.testing.assert_close(module.embed("text", vectors["text"]), document_attention.query)
    torch.testing.assert_close(module.embed("image", vectors["image"]), document_attention.keys["image"])
    assert module.embedding_dim(6) == document_attention.query.shape[1] == 8
    assert torch.equal(document_attention.matrices["key"], module.key.weight)
    assert build(MUTE).compare(*documents(MUTE)) is None
    assert build(MUTE).embedding_dim(6) == 6
    assert torch.equal(build(MUTE).embed("image", vectors["image"]), vectors["image"])


def _joined(module: AMIR, present: dict[str, Tensor]) -> Callable[..., Tensor]:
    return lambda *x: module(dict(zip(ALL, x, strict=True)), present)


def test_gradient_of_a_training_step() -> None:
    for form in ("pair", "aggregated"):
        module, (vectors, present) = build(form=form).double().train(), documents()
        vectors = {m: v.double().requires_grad_() for m, v in vectors.items()}
        given = tuple(vectors.values())
        assert torch.autograd.gradcheck(_joined(module, present), given)


def test_sizes_that_do_not_grow_are_told() -> None:
    for options in ({"dim_shared": 4}, {"dim_joint": 8}, {"dim_shared": 9, "dim_joint": 12}):
        with pytest.warns(UserWarning, match="do not grow as in its source"):
            AMIR(DIMS, 4, **options)  # type: ignore[arg-type]
