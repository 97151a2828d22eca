"""What the files of a sentence-transformers directory say about the model.

Reads `config.json`, `modules.json` with the pooling's own file, `sentence_bert_config.json` and
`config_sentence_transformers.json`; nothing here touches the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import orjson

from langchain_hfendpoint.errors import LocalServerError
from langchain_hfendpoint.local._endpoint.locating import ModelSource

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a BERT-family encoder.

    Attributes:
        layers: Number of layers.
        heads: Number of attention heads.
        activation: Name of the feed-forward activation, as `config.json` has it.
        epsilon: Of the layer normalization.
        vocabulary: Number of token ids.
        first_position: Row of the position table that the first token uses.
    """

    layers: int
    heads: int
    activation: str
    epsilon: float
    vocabulary: int
    first_position: int


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A sentence-embedding model, as its files describe it.

    Attributes:
        source: Where it is.
        architecture: Shape of the encoder.
        dimension: Numbers in an embedding.
        max_input_length: Tokens it takes, special tokens included.
        pooling: How token vectors become a text's vector.
        normalizes: Whether its last module normalizes.
        prompts: Named texts to put before an input.
    """

    source: ModelSource
    architecture: Architecture
    dimension: int
    max_input_length: int
    pooling: Pooling
    normalizes: bool
    prompts: Mapping[str, str] = field(default_factory=dict)


def describe(source: ModelSource) -> ModelDescription:
    """Read what a model's files say.

    Args:
        source: Where the model is.

    Returns:
        Its description.

    Raises:
        LocalServerError: If a file is missing or broken, or the model is of a kind that the local
            endpoint cannot run.
    """
    config = _read(source.directory / "config.json")
    kind = config.get("model_type")
    if kind not in {"bert", "roberta", "xlm-roberta", "camembert"}:
        raise LocalServerError(
            f"{source.model_id} is a model of type {kind!r}: the local endpoint runs BERT and "
            "RoBERTa encoders only."
        )
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise LocalServerError(
            f"{source.model_id} has {config['position_embedding_type']!r} positions: the local "
            "endpoint runs models with absolute positions only."
        )
    # RoBERTa counts positions from the row after the padding token's.
    first_position = 0 if kind == "bert" else _number(config, "pad_token_id") + 1
    pooling, normalizes = _modules(source)
    positions = _number(config, "max_position_embeddings") - first_position
    sentence_config = _read_optional(source.directory / "sentence_bert_config.json")
    limit = sentence_config.get("max_seq_length")
    prompts = _read_optional(source.directory / "config_sentence_transformers.json").get("prompts")
    return ModelDescription(
        source=source,
        architecture=Architecture(
            layers=_number(config, "num_hidden_layers"),
            heads=_number(config, "num_attention_heads"),
            activation=str(config.get("hidden_act")),
            epsilon=float(cast("float", config.get("layer_norm_eps", 1e-12))),
            vocabulary=_number(config, "vocab_size"),
            first_position=first_position,
        ),
        dimension=_number(config, "hidden_size"),
        max_input_length=min(limit, positions) if isinstance(limit, int) else positions,
        pooling=pooling,
        normalizes=normalizes,
        prompts=cast("dict[str, str]", prompts) if isinstance(prompts, dict) else {},
    )


def _modules(source: ModelSource) -> tuple[Pooling, bool]:
    path = source.directory / "modules.json"
    if not path.is_file():
        return "mean", False  # what sentence-transformers does with a plain encoder
    modules = orjson.loads(path.read_bytes())
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    if "Dense" in kinds:
        raise LocalServerError(f"{source.model_id} has a Dense module, which is not supported.")
    if "Pooling" not in kinds:
        return "mean", "Normalize" in kinds
    pooling = _read(source.directory / modules[kinds.index("Pooling")]["path"] / "config.json")
    chosen = [key for key, value in pooling.items() if key.startswith("pooling_mode_") and value]
    known: dict[str, Pooling] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
    }
    if len(chosen) != 1 or chosen[0] not in known:
        raise LocalServerError(
            f"{source.model_id} pools by {', '.join(chosen) or 'nothing'}: the local endpoint can "
            "take the mean or the CLS token."
        )
    return known[chosen[0]], "Normalize" in kinds


def _read(path: Path) -> dict[str, object]:
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise LocalServerError(
            f"The model's file {path} cannot be read: {error.strerror}."
        ) from error
    except orjson.JSONDecodeError as error:
        raise LocalServerError(f"The model's file {path} is no JSON: {error}.") from error
    if not isinstance(content, dict):
        raise LocalServerError(f"The model's file {path} holds no JSON object.")
    return content


def _read_optional(path: Path) -> dict[str, object]:
    return _read(path) if path.is_file() else {}


def _number(config: Mapping[str, object], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int):
        raise LocalServerError(f"The model's config.json has no number {key!r}.")
    return value
