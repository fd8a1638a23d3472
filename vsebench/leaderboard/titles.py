"""What components are called in tables."""

from __future__ import annotations

AXIS_TITLES = {
    "image_encoder": "Image encoder",
    "text_encoder": "Text encoder",
    "audio_encoder": "Audio encoder",
    "attention": "Attention",
    "pooling": "Pooling",
    "fusion": "Fusion",
    "head": "Head",
    "objective": "Objective",
    "fitter": "Method",
    "fitter.bits": "Bits",
}
