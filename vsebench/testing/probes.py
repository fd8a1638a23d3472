"""Small random inputs for a component of each kind, as the model would call it. The conformance kit runs on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from vsebench.components.reranker.base import Ranked
from vsebench.core.component import Component
from vsebench.core.types import MODALITIES, Batch, DocumentAttention, Output, Tokens

ITEMS = 64
CLASSES = 5
#: The joint dimension; many numbers of heads and modalities divide it.
JOINT = 24
TOKEN_DIMS = {"image": 24, "text": 16, "audio": 8}
VECTOR_DIMS = {"image": 12, "text": 10, "audio": 8}
_COUNTS = {"image": 6, "text": 5, "audio": 4}


@dataclass(frozen=True)
class Case:
    """One way to call a component.

    Args:
        label: says which, for messages: ``image + text``.
        build: makes a new module with new random weights, or gives the function with its options.
        arguments: what it is called with, a batch of ``ITEMS`` items.
        pooled: for a pooling, the modality that it pools.
    """

    label: str
    build: Callable[[], Any]
    arguments: tuple[Any, ...]
    pooled: str | None = None


def map_tensors(change: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """Return the same structure of mappings, sequences and dataclasses with each tensor changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        return {k: map_tensors(change, v) for k, v in tree.items()}
    if isinstance(tree, list | tuple) and not hasattr(tree, "_fields"):
        return type(tree)(map_tensors(change, v) for v in tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        changed = {f.name: map_tensors(change, getattr(tree, f.name)) for f in dataclasses.fields(tree)}
        return type(tree)(**changed)
    return tree


def map_tokens(change: Callable[[Tokens], Tokens], tree: Any) -> Any:
    """Return the same structure of mappings and tuples with each set of tokens changed."""
    if isinstance(tree, Tokens):
        return change(tree)
    if isinstance(tree, Mapping):
        return {k: map_tokens(change, v) for k, v in tree.items()}
    if isinstance(tree, tuple):
        return tuple(map_tokens(change, v) for v in tree)
    return tree


def tensors(tree: Any, name: str = "") -> dict[str, Tensor]:
    """All tensors of a structure by their path, ``image.values``."""
    if isinstance(tree, Tensor):
        return {name: tree}
    parts: Mapping[Any, Any] = {}
    if isinstance(tree, Mapping):
        parts = tree
    elif isinstance(tree, list | tuple):
        parts = dict(enumerate(tree))
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        parts = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
    results: dict[str, Tensor] = {}
    for key, part in parts.items():
        results |= tensors(part, f"{name}.{key}" if name else str(key))
    return results


def random_tokens(modality: str, *, padded: bool) -> Tokens:
    """``ITEMS`` sets of a modality. Image regions lie on a grid unless ``padded``; then sets differ in size."""
    count = _COUNTS[modality]
    values = torch.randn(ITEMS, count, TOKEN_DIMS[modality])
    mask = torch.ones(ITEMS, count, dtype=torch.bool)
    if modality == "image" and not padded:
        return Tokens(values, mask, grid=(2, 3))
    lengths = torch.randint(1, count + 1, (ITEMS,))
    lengths[0], lengths[1] = 1, count
    return Tokens(values, torch.arange(count)[None] < lengths[:, None])


def padded_with(tokens: Tokens, value: float, extra: int = 2) -> Tokens:
    """``value`` at every padded position and, off a grid, ``extra`` padded positions more."""
    values, mask = tokens.values, tokens.mask
    if tokens.grid is None:
        values = torch.cat([values, values.new_zeros(len(values), extra, tokens.dim)], 1)
        mask = torch.cat([mask, mask.new_zeros(len(mask), extra)], 1)
    return replace(tokens, values=values.masked_fill(~mask[:, :, None], value), mask=mask)


def cases(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    """Every way in which a component of this kind is called: subsets of the modalities, with and without a grid.

    A kind that is not listed here has no cases; the kit then checks its documentation and options only.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield from CASES.get(component.kind, _no_cases)(component, options)


def _no_cases(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    return iter(())


def _subsets(component: Component, smallest: int) -> Iterator[tuple[str, ...]]:
    needs = set(component.facts.get("needs", ()))
    for subset in [("image",), ("text",), ("image", "text"), ("image", "audio"), MODALITIES]:
        if len(subset) >= smallest and needs <= set(subset):
            yield subset


def _attention(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    for subset in _subsets(component, 1):
        for padded in (False, True):
            tokens = {m: random_tokens(m, padded=padded) for m in subset}
            dims = {m: TOKEN_DIMS[m] for m in subset}
            yield Case(
                " + ".join(subset) + (", padded regions" if padded else ""),
                _builder(component, options, dims=dims, dim=JOINT),
                (tokens,),
            )


def _pooling(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    for subset in _subsets(component, 1):
        for modality in subset:
            others = [m for m in subset if m != modality]
            context = {m: random_tokens(m, padded=True) for m in others}
            build = _builder(
                component,
                options,
                modality=modality,
                dim=TOKEN_DIMS[modality],
                context={m: TOKEN_DIMS[m] for m in others},
            )
            pooled_tokens = random_tokens(modality, padded=True)
            label = f"{modality} of {' + '.join(subset)}"
            yield Case(label, build, (pooled_tokens, context), modality)
            final = replace(pooled_tokens, final=torch.randn(ITEMS, pooled_tokens.dim))
            yield Case(f"{label}, with a final state", build, (final, context), modality)


def _fusion(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    for subset in _subsets(component, 2):
        dims = {m: VECTOR_DIMS[m] for m in subset}
        vectors = {m: torch.randn(ITEMS, d) for m, d in dims.items()}
        tokens = {m: random_tokens(m, padded=True) for m in subset}
        build = _builder(component, options, dims=dims, dim_out=JOINT, token_dims={m: TOKEN_DIMS[m] for m in subset})
        seen: list[Any] = [tokens] if component.facts["needs_tokens"] else []
        everything = {m: torch.ones(ITEMS, dtype=torch.bool) for m in subset}
        for label, present in (("", everything), (", some absent", random_presence(subset))):
            if component.facts["compares"]:
                yield Case(" + ".join(subset) + label, build, (vectors, *seen, present))
            elif not label:
                yield Case(" + ".join(subset), build, (vectors, *seen))


def _head(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    reads = component.facts["reads"]
    subsets = list(_subsets(component, 1)) if "vectors" in reads else [()]
    for multi_label in (False, True) if "multi_label" in component.wired else (False,):
        for subset in subsets:
            dims = {m: VECTOR_DIMS[m] for m in subset}
            wired = {"dim_in": JOINT, "dims": dims, "num_classes": CLASSES, "multi_label": multi_label}
            seen: list[Any] = [torch.randn(ITEMS, JOINT)] if "joint" in reads else []
            if "vectors" in reads:
                seen += [{m: torch.randn(ITEMS, d) for m, d in dims.items()}, random_presence(subset)]
            label = ", ".join([*filter(None, [" + ".join(subset)]), "multi-label" if multi_label else "single-label"])
            yield Case(label, _builder(component, options, **wired), tuple(seen))


def _objective(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    for multi_label in (False, True):
        build = _builder(component, options, dims=VECTOR_DIMS, num_classes=CLASSES, multi_label=multi_label)
        yield Case(
            "multi-label" if multi_label else "single-label", build, (random_output(), random_batch(multi_label))
        )


def _scorer(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    dims = {m: TOKEN_DIMS[m] for m in ("image", "text")}
    for padded in (False, True):
        sets = (random_tokens("image", padded=padded), random_tokens("text", padded=True))
        label = "padded regions" if padded else "regions on a grid"
        yield Case(label, _builder(component, options, dims=dims, dim=JOINT), sets)


def _projection(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    for modality, size in VECTOR_DIMS.items():
        build = _builder(component, options, dim=size, dim_out=JOINT, dropout=0.1)
        yield Case(f"{modality}, {size} numbers", build, (torch.randn(ITEMS, size),))


def _reranker(component: Component, options: Mapping[str, Any]) -> Iterator[Case]:
    query, gallery = torch.randn(ITEMS, JOINT), torch.randn(ITEMS + 3, JOINT)
    scores = torch.nn.functional.cosine_similarity(query[:, None], gallery[None], dim=-1)
    ranked = Ranked(scores, query, gallery, torch.randn(ITEMS, CLASSES), torch.randn(CLASSES, JOINT))
    yield Case("a block of queries", _builder(component, options), (ranked,))


def random_presence(modalities: tuple[str, ...]) -> dict[str, Tensor]:
    """Return which items have which modality: most of them all, the first one none."""
    present = {m: torch.rand(ITEMS) < 0.8 for m in modalities}
    return {m: p & (torch.arange(ITEMS) > 0) for m, p in present.items()}


def random_output() -> Output:
    """Everything that a model of three modalities may say."""
    vectors = {m: torch.randn(ITEMS, d) for m, d in VECTOR_DIMS.items()}
    embeddings = {m: torch.randn(ITEMS, JOINT) for m in MODALITIES}
    output = Output(torch.randn(ITEMS, CLASSES), embeddings, vectors, torch.randn(ITEMS, JOINT))
    output.parts = {part: torch.randn(ITEMS, CLASSES) for part in (*MODALITIES, "joint")}
    output.present = random_presence(MODALITIES)
    keys = {m: torch.randn(ITEMS, JOINT) for m in ("image", "audio")}
    matrices = {name: torch.randn(ITEMS, JOINT) for name in ("query", "key")}
    has = random_presence(MODALITIES)
    asks = has.pop("text")
    output.document_attention = DocumentAttention(torch.randn(ITEMS, JOINT), asks, keys, has, matrices, JOINT**0.5)
    return output


def random_batch(multi_label: bool) -> Batch:
    """Labels, and groups of two items each."""
    labels = torch.randint(CLASSES, (ITEMS,))
    if multi_label:
        labels = (torch.rand(ITEMS, CLASSES) < 0.4).float()
    index = torch.arange(ITEMS)
    return Batch({}, labels, index, index // 2)


def _builder(component: Component, options: Mapping[str, Any], **wired: Any) -> Callable[[], Any]:
    return lambda: component.build(options, **wired)


#: Kind -> its cases. A further kind joins with a function here and its checks in ``kit.MODULE_CHECKS``.
CASES: dict[str, Callable[[Component, Mapping[str, Any]], Iterator[Case]]] = {
    "attention": _attention,
    "pooling": _pooling,
    "projection": _projection,
    "fusion": _fusion,
    "head": _head,
    "objective": _objective,
    "scorer": _scorer,
    "reranker": _reranker,
}
