"""vsebench: a benchmark suite for multimodal classification and cross-modal retrieval.

    import vsebench as vb

Everything that scripts and plug-ins need is a name of this module, documented in ``docs/api.md``; the folders below it
may change. Importing it is quick: a name's own module, and torch with it, is imported when the name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vsebench.core.public_names import HOME_OF

if TYPE_CHECKING:
    from vsebench import metrics as metrics
    from vsebench.components.attention.base import Attention as Attention
    from vsebench.components.audio_encoder.base import AudioEncoder as AudioEncoder
    from vsebench.components.corruption.base import Corruption as Corruption
    from vsebench.components.fitter.base import FitData as FitData
    from vsebench.components.fitter.base import Fitter as Fitter
    from vsebench.components.fusion.base import Fusion as Fusion
    from vsebench.components.head.base import Head as Head
    from vsebench.components.image_encoder.base import ImageEncoder as ImageEncoder
    from vsebench.components.index.base import Index as Index
    from vsebench.components.metric.base import Predictions as Predictions
    from vsebench.components.objective.base import Objective as Objective
    from vsebench.components.pooling.base import Pooling as Pooling
    from vsebench.components.reranker.base import Ranked as Ranked
    from vsebench.components.reranker.base import Reranker as Reranker
    from vsebench.components.scorer.base import Scorer as Scorer
    from vsebench.components.text_encoder.base import TextEncoder as TextEncoder
    from vsebench.components.text_encoder.base import Tokenizer as Tokenizer
    from vsebench.core.catalogue import create as create
    from vsebench.core.catalogue import list_components as list_components
    from vsebench.core.display import Display as Display
    from vsebench.core.errors import ClusterError as ClusterError
    from vsebench.core.errors import ComponentError as ComponentError
    from vsebench.core.errors import ConfigError as ConfigError
    from vsebench.core.errors import DataError as DataError
    from vsebench.core.errors import DiskError as DiskError
    from vsebench.core.errors import DuplicateComponent as DuplicateComponent
    from vsebench.core.errors import MetricError as MetricError
    from vsebench.core.errors import PluginError as PluginError
    from vsebench.core.errors import QueryError as QueryError
    from vsebench.core.errors import RunFailed as RunFailed
    from vsebench.core.errors import TrainingError as TrainingError
    from vsebench.core.errors import UnknownComponent as UnknownComponent
    from vsebench.core.errors import UntrustedPlugin as UntrustedPlugin
    from vsebench.core.errors import VsebenchError as VsebenchError
    from vsebench.core.plugins import load_plugin as load_plugin
    from vsebench.core.registry import ATTENTIONS as ATTENTIONS
    from vsebench.core.registry import AUDIO_ENCODERS as AUDIO_ENCODERS
    from vsebench.core.registry import AUGMENTATIONS as AUGMENTATIONS
    from vsebench.core.registry import CORRUPTIONS as CORRUPTIONS
    from vsebench.core.registry import DATASETS as DATASETS
    from vsebench.core.registry import ENSEMBLES as ENSEMBLES
    from vsebench.core.registry import EXECUTORS as EXECUTORS
    from vsebench.core.registry import FITTERS as FITTERS
    from vsebench.core.registry import FUSIONS as FUSIONS
    from vsebench.core.registry import HEADS as HEADS
    from vsebench.core.registry import IMAGE_ENCODERS as IMAGE_ENCODERS
    from vsebench.core.registry import INDEXES as INDEXES
    from vsebench.core.registry import MEASUREMENTS as MEASUREMENTS
    from vsebench.core.registry import METRICS as METRICS
    from vsebench.core.registry import OBJECTIVES as OBJECTIVES
    from vsebench.core.registry import OPTIMIZERS as OPTIMIZERS
    from vsebench.core.registry import POOLINGS as POOLINGS
    from vsebench.core.registry import PROJECTIONS as PROJECTIONS
    from vsebench.core.registry import RERANKERS as RERANKERS
    from vsebench.core.registry import SCHEDULES as SCHEDULES
    from vsebench.core.registry import SCORERS as SCORERS
    from vsebench.core.registry import TEXT_ENCODERS as TEXT_ENCODERS
    from vsebench.core.types import AudioPreprocessing as AudioPreprocessing
    from vsebench.core.types import Batch as Batch
    from vsebench.core.types import DocumentAttention as DocumentAttention
    from vsebench.core.types import Output as Output
    from vsebench.core.types import Preprocessing as Preprocessing
    from vsebench.core.types import Result as Result
    from vsebench.core.types import TokenIds as TokenIds
    from vsebench.core.types import Tokens as Tokens
    from vsebench.core.types import Waveforms as Waveforms
    from vsebench.data.dataset import Dataset as Dataset
    from vsebench.data.item import Item as Item
    from vsebench.data.open import open_dataset as open_dataset
    from vsebench.data.writer import DatasetWriter as DatasetWriter
    from vsebench.leaderboard.measured import BoardColumn as BoardColumn
    from vsebench.measurements.base import Measurement as Measurement
    from vsebench.ops.masking import blank as blank
    from vsebench.ops.masking import masked_max as masked_max
    from vsebench.ops.masking import masked_mean as masked_mean
    from vsebench.ops.masking import masked_softmax as masked_softmax
    from vsebench.pipeline import sweep as sweep
    from vsebench.results.board import Board as Board
    from vsebench.results.board import load_board as load_board
    from vsebench.retrieval.searcher import Hit as Hit
    from vsebench.retrieval.searcher import Searcher as Searcher
    from vsebench.runs.run import Run as Run
    from vsebench.runs.run import load_run as load_run
    from vsebench.sweeps.executors.base import Executor as Executor
    from vsebench.sweeps.executors.base import Work as Work
    from vsebench.testing.kit import check_component as check_component

__version__ = "0.1.0"


__all__ = ["__version__", *sorted(HOME_OF)]


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in HOME_OF:
        raise AttributeError(f"module 'vsebench' has no attribute '{name}'")
    module = importlib.import_module(HOME_OF[name])
    value = module if name == module.__name__.rpartition(".")[2] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
