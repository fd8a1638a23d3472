"""Model, loader, training, evaluation and the feature cache. Imports components, config, data, distributed."""
