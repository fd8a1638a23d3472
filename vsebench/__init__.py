"""vsebench: a benchmark suite for multimodal classification and cross-modal retrieval."""

__version__ = "0.1.0"
