"""Word embeddings and recurrent networks that several text encoders share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from vsebench.components.encoder._local import check_file
from vsebench.components.encoder._recurrent import join_directions, run_recurrent
from vsebench.components.text_encoder.base import TextEncoder
from vsebench.core.errors import ConfigError
from vsebench.core.shared_options import SharedOptions
from vsebench.core.shipped import EMBEDDED, VECTORS
from vsebench.core.types import TokenIds, Tokens
from vsebench.ops.freezing import freeze
from vsebench.ops.word_vectors import SCALE, is_fasttext, load_vectors


@dataclass(frozen=True)
class WordOptions(SharedOptions):
    """How encoders over a vocabulary's words make vectors of them.

    Args:
        dim_word: size of a word vector; the file's with ``vectors``, else 300.
        scale: standard deviation of the numbers of a random vector, > 0. Small ones leave a recurrent network's states
            near zero at the start, where attention can hardly tell words apart.
        vectors: file of GloVe, word2vec or FastText vectors (text, ``.gz`` or ``.bin``), or ``embedded``: those of the
            words of rendered scenes, which ship with the package; random without it.
        freeze_vectors: keep the file's vectors as they are.
        min_count: rarer words become the unknown word.
        max_length: words after it are cut.
        dropout: rate in [0, 0.95) on the word vectors.
    """

    dim_word: Annotated[int, Gt(0)] | None = None
    scale: Annotated[float, Gt(0)] = SCALE
    vectors: str | None = None
    freeze_vectors: bool = False
    min_count: Annotated[int, Gt(0)] = 1
    max_length: Annotated[int, Gt(0)] = 64
    dropout: Annotated[float, Ge(0), Le(0.95)] = 0.0


class WordEncoder(TextEncoder):
    """An encoder over a vocabulary's words: tokenizer, embedding table, dropout.

    Args:
        vocabulary: the training split's words.
        words: how words become vectors.

    Raises: ConfigError if ``dim_word`` differs from the file's, or vectors are frozen without a file.
    """

    def __init__(self, vocabulary: Any, words: WordOptions) -> None:
        super().__init__()
        if vocabulary is None:
            raise ValueError("a word encoder needs a vocabulary")
        dim_word, vectors = words.dim_word, words.vectors
        if words.freeze_vectors and vectors is None:
            raise ConfigError("freeze_vectors needs 'vectors'; random vectors must train.", path=("freeze_vectors",))
        vocabulary = vocabulary.restrict(words.min_count)
        self.tokenizer = vocabulary.tokenizer(words.max_length)
        self._report: dict[str, float | int] = {}
        table = torch.zeros(len(vocabulary), dim_word or 300)
        if vectors is not None:
            loaded = load_vectors(VECTORS if vectors == EMBEDDED else vectors, vocabulary.words)
            dim = int(loaded.values.shape[1])
            if dim_word is not None and dim_word != dim:
                raise ConfigError(f"dim_word ({dim_word}) differs from the file's {dim}.", path=("dim_word",))
            if len(loaded.has_vector) and not loaded.coverage:
                raise ConfigError(
                    f"vectors '{vectors}' have none of the training split's {len(loaded.has_vector):,} words, such as "
                    f"'{vocabulary.words[0]}': every vector would be random. Is it a file of another language, or of "
                    "words in another form?",
                    path=("vectors",),
                )
            table = torch.zeros(len(vocabulary), dim)
            table[2:] = torch.from_numpy(loaded.values)
            self._report = {
                "words": len(loaded.has_vector),
                "found": int(loaded.has_vector.sum()),
                "subword": int(loaded.subword.sum()),
                "random": int((~(loaded.has_vector | loaded.subword)).sum()),
                "coverage": loaded.coverage,
            }
        else:
            table[2:] = words.scale * torch.randn(len(vocabulary) - 2, table.shape[1])
        self.dim_word = int(table.shape[1])
        self.embedding = nn.Embedding(len(vocabulary), self.dim_word, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight.copy_(table)
        if words.freeze_vectors:
            freeze([self.embedding])
        self.drop = nn.Dropout(words.dropout)
        self.frozen = False
        self.dim_out = self.dim_word

    @classmethod
    def check_files(cls, options: Mapping[str, Any]) -> None:
        """Refuse a file of vectors that is not there, or that gensim must read and cannot.

        Raises: ConfigError.
        """
        check_file(options, "vectors", EMBEDDED)
        file = options["vectors"]
        if file not in (None, EMBEDDED) and is_fasttext(file) and find_spec("gensim") is None:
            message = f"vectors '{file}' are a FastText model, which needs gensim: pip install 'vsebench[fasttext]'."
            raise ConfigError(message, path=("vectors",))

    def notes(self) -> list[str]:
        """Return a line on where the vectors come from."""
        report = self._report
        if not report:
            return []
        return [
            f"word vectors: {100 * report['coverage']:.1f} % of {report['words']:,} training words"
            f" ({report['found']:,} listed, {report['subword']:,} from subwords, {report['random']:,} random)"
        ]

    def embed(self, words: TokenIds) -> Tensor:
        """Word vectors, zeros at padding. Shape: (B, N) -> (B, N, dim_word)."""
        vectors: Tensor = self.drop(self.embedding(words.ids))
        return vectors.masked_fill(~words.mask[:, :, None], 0.0)


@dataclass(frozen=True)
class RecurrentOptions(SharedOptions):
    """Sizes of a recurrent network.

    Args:
        dim_hidden: H, size of a state of one direction, > 0.
        layers: stacked layers, > 0.
    """

    dim_hidden: Annotated[int, Gt(0)] = 512
    layers: Annotated[int, Gt(0)] = 1


class RecurrentEncoder(WordEncoder):
    """A recurrent network over the words.

    Args:
        vocabulary: the training split's words.
        words: how words become vectors.
        cell: ``nn.GRU`` or ``nn.LSTM``.
        sizes: of the network.
        merge: how the directions of a bidirectional network are joined; None of one direction.
    """

    def __init__(
        self,
        vocabulary: Any,
        words: WordOptions,
        cell: type[nn.GRU | nn.LSTM],
        sizes: RecurrentOptions,
        merge: Literal["concat", "sum", "mean"] | None = None,
    ) -> None:
        super().__init__(vocabulary, words)
        dim_hidden, layers = sizes.dim_hidden, sizes.layers
        between, both = words.dropout if layers > 1 else 0.0, merge is not None
        self.network = cell(self.dim_word, dim_hidden, layers, batch_first=True, dropout=between, bidirectional=both)
        self.merge: Literal["concat", "sum", "mean"] = merge or "concat"
        self.dim_out = 2 * dim_hidden if merge == "concat" else dim_hidden

    def forward(self, words: TokenIds) -> Tokens:
        """Encode. ``final`` is the state after the last real word and, backwards, after the first."""
        values, final = run_recurrent(self.network, self.embed(words), words.mask)
        values, final = (join_directions(states, self.merge) for states in (values, final))
        values = values.masked_fill(~words.mask[:, :, None], 0.0)
        return Tokens(values, words.mask, final.masked_fill(~words.mask.any(1, keepdim=True), 0.0))
