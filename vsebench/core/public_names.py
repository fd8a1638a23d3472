"""Which module each public name of ``vsebench`` is defined in; the package imports it on the name's first use."""

from __future__ import annotations

#: Module -> its public names, or its own name where all of it is public.
#: ``vsebench/__init__.py`` says the same to type checkers.
NAMES_OF = {
    "vsebench.components.attention.base": "Attention",
    "vsebench.components.audio_encoder.base": "AudioEncoder",
    "vsebench.components.corruption.base": "Corruption",
    "vsebench.components.fitter.base": "Fitter FitData",
    "vsebench.components.fusion.base": "Fusion",
    "vsebench.components.head.base": "Head",
    "vsebench.components.image_encoder.base": "ImageEncoder",
    "vsebench.components.index.base": "Index",
    "vsebench.components.metric.base": "Predictions",
    "vsebench.components.objective.base": "Objective",
    "vsebench.components.pooling.base": "Pooling",
    "vsebench.components.reranker.base": "Ranked Reranker",
    "vsebench.components.scorer.base": "Scorer",
    "vsebench.components.text_encoder.base": "TextEncoder Tokenizer",
    "vsebench.core.catalogue": "create list_components",
    "vsebench.core.errors": (
        "ClusterError ComponentError ConfigError DataError DiskError DuplicateComponent MetricError PluginError "
        "QueryError RunFailed TrainingError UnknownComponent UntrustedPlugin VsebenchError"
    ),
    "vsebench.core.display": "Display",
    "vsebench.core.plugins": "load_plugin",
    "vsebench.core.registry": (
        "ATTENTIONS AUDIO_ENCODERS AUGMENTATIONS CORRUPTIONS DATASETS ENSEMBLES EXECUTORS FITTERS FUSIONS HEADS "
        "IMAGE_ENCODERS INDEXES MEASUREMENTS METRICS OBJECTIVES OPTIMIZERS POOLINGS PROJECTIONS RERANKERS SCHEDULES "
        "SCORERS TEXT_ENCODERS"
    ),
    "vsebench.core.types": (
        "AudioPreprocessing Batch DocumentAttention Output Preprocessing Result TokenIds Tokens Waveforms"
    ),
    "vsebench.data.dataset": "Dataset",
    "vsebench.data.item": "Item",
    "vsebench.data.open": "open_dataset",
    "vsebench.data.writer": "DatasetWriter",
    "vsebench.leaderboard.measured": "BoardColumn",
    "vsebench.measurements.base": "Measurement",
    "vsebench.metrics": "metrics",
    "vsebench.ops.masking": "blank masked_max masked_mean masked_softmax",
    "vsebench.pipeline": "sweep",
    "vsebench.results.board": "Board load_board",
    "vsebench.retrieval.searcher": "Hit Searcher",
    "vsebench.runs.run": "Run load_run",
    "vsebench.sweeps.executors.base": "Executor Work",
    "vsebench.testing.kit": "check_component",
}
#: Public name -> the module that defines it.
HOME_OF = {name: module for module, names in NAMES_OF.items() for name in names.split()}
