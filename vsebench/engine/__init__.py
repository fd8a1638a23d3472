"""Model, loader, training, evaluation and the feature cache.

Imports components, config, core, data, distributed and ops.
"""
