from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.mcb import MCB

DIMS = {"image": 4, "text": 3, "audio": 2}


def identity(module: MCB) -> MCB:
    """The sketch itself is the result."""
    with torch.no_grad():
        module.out.weight.copy_(torch.eye(module.size))
        module.out.bias.zero_()
    return module


@pytest.mark.parametrize("modalities", [("image", "text"), ("image", "text", "audio")])
@torch.no_grad()
def test_equals_the_sketch_of_the_outer_product_by_a_loop(modalities: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    dims = {m: DIMS[m] for m in modalities}
    module = identity(MCB(dims, 7, size=7, normalize=False))
    vectors = {m: torch.randn(2, d) for m, d in dims.items()}
    result = module(vectors)
    for b in range(2):
        # An entry of the outer product falls on the sum of its places, modulo the size, with the product of its signs.
        entries = [(0, 1.0)]
        for m, v in vectors.items():
            place, sign = module.get_buffer(f"place_{m}").tolist(), module.get_buffer(f"sign_{m}").tolist()
            entries = [(p + place[i], x * sign[i] * float(v[b, i])) for p, x in entries for i in range(dims[m])]
        wanted = [0.0] * 7
        for place_sum, value in entries:
            wanted[place_sum % 7] += value
        torch.testing.assert_close(result[b], torch.tensor(wanted), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_count_sketch_equals_a_loop() -> None:
    module = MCB(DIMS, 5, size=6)
    vector = torch.randn(2, 4)
    wanted = torch.zeros(2, 6)
    for b in range(2):
        for i in range(4):
            wanted[b, int(module.get_buffer("place_image")[i])] += module.get_buffer("sign_image")[i] * vector[b, i]
    torch.testing.assert_close(module.sketch("image", vector), wanted)


@torch.no_grad()
def test_inner_products_are_kept_in_expectation() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 4, generator=generator), torch.randn(2, 3, generator=generator)
    wanted = float((x[0] @ x[1]) * (y[0] @ y[1]))
    products = []
    for seed in range(1500):
        module = MCB({"image": 4, "text": 3}, 1, size=16, normalize=False, seed=seed)
        spectra = [torch.fft.rfft(module.sketch(m, v)) for m, v in (("image", x), ("text", y))]
        first, second = torch.fft.irfft(spectra[0] * spectra[1], n=16)
        products.append(float((first * second).sum()))
    mean = sum(products) / len(products)
    spread = math.sqrt(sum((p - mean) ** 2 for p in products) / len(products) ** 2)
    assert abs(mean - wanted) < 4 * spread
    assert spread < 0.2 * abs(wanted)


@torch.no_grad()
def test_normalisation_is_signed_root_and_unit_length() -> None:
    module = identity(MCB({"image": 4, "text": 3}, 8, size=8))
    raw = identity(MCB({"image": 4, "text": 3}, 8, size=8, normalize=False))
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    plain = raw(vectors)
    roots = plain.sign() * plain.abs().sqrt()
    torch.testing.assert_close(module(vectors), roots / roots.norm(dim=1, keepdim=True), atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_without_normalisation_and_bias_it_is_linear_in_each_modality() -> None:
    module = MCB({"image": 4, "text": 3}, 5, size=9, normalize=False)
    module.out.bias.zero_()
    a, b, text = torch.randn(2, 4), torch.randn(2, 4), torch.randn(2, 3)
    both = module({"image": a + 2 * b, "text": text})
    torch.testing.assert_close(both, module({"image": a, "text": text}) + 2 * module({"image": b, "text": text}))


def test_the_sketch_comes_from_its_seed_and_is_saved() -> None:
    torch.manual_seed(0)
    first = MCB(DIMS, 5, size=100, seed=3)
    torch.manual_seed(1)
    again, other = MCB(DIMS, 5, size=100, seed=3), MCB(DIMS, 5, size=100, seed=4)
    assert torch.equal(first.get_buffer("place_image"), again.get_buffer("place_image"))
    assert torch.equal(first.get_buffer("sign_text"), again.get_buffer("sign_text"))
    assert not torch.equal(first.get_buffer("place_image"), other.get_buffer("place_image"))
    other.load_state_dict(first.state_dict())
    vectors = {m: torch.randn(2, d) for m, d in DIMS.items()}
    assert torch.equal(other(vectors), first(vectors))
    assert set(first.get_buffer("sign_image").tolist()) <= {-1, 1}
