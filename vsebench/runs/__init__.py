"""Finished runs on disk: results, predictions, provenance, W&B. Imports engine only to load a model."""
