"""Finished runs on disk: results, predictions, provenance, boards' files, W&B.

Imports components, config, core, data and ops; engine only to load a model.
"""
