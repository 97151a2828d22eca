"""A tiny random BERT as a sentence-transformers directory, and the same network in plain NumPy.

The arithmetic is written out a second time, text by text and in float64, so that the local endpoint
can be compared with something that shares no code, batching or padding with it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

TEXT = "a man woman dog cat is are running sleeping outside on the grass query : passage"
WORDS = TEXT.split()
HIDDEN, HEADS, LAYERS, INNER, POSITIONS = 16, 4, 2, 32, 24


@dataclass(frozen=True)
class TinyBert:
    """The directory, and what a text's vector should be."""

    directory: Path
    tensors: dict[str, np.ndarray]
    tokenizer: Tokenizer
    first_position: int
    pooling: str

    def embed(self, text: str) -> np.ndarray:
        """The text's vector, not normalized."""
        states = self.states(self.tokenizer.encode(text).ids)
        return states[0] if self.pooling == "cls" else states.mean(axis=0)

    def states(self, ids: list[int]) -> np.ndarray:
        """The vector of each token."""
        get = self.tensors.__getitem__
        places = np.arange(len(ids)) + self.first_position
        x = get("embeddings.word_embeddings.weight")[ids].astype(float)
        x = x + get("embeddings.position_embeddings.weight")[places]
        x = x + get("embeddings.token_type_embeddings.weight")[0]
        x = self._norm(x, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}"
            q, k, v = (
                self._linear(x, f"{name}.attention.self.{part}").reshape(len(ids), HEADS, -1)
                for part in ("query", "key", "value")
            )
            scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(HIDDEN // HEADS)
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
            mixed = np.einsum("hqk,khd->qhd", weights, v).reshape(len(ids), HIDDEN)
            attended = self._linear(mixed, f"{name}.attention.output.dense")
            x = self._norm(x + attended, f"{name}.attention.output.LayerNorm")
            inner = self._linear(x, f"{name}.intermediate.dense")
            inner = inner * 0.5 * (1 + _erf(inner / np.sqrt(2)))
            x = self._norm(
                x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"
            )
        return x

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.tensors[f"{name}.weight"].T.astype(float) + self.tensors[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centered = x - x.mean(axis=-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]


def make_tiny_bert(
    directory: Path,
    *,
    pooling: str = "mean",
    kind: str = "bert",
    prompts: dict[str, str] | None = None,
    normalizes: bool = False,
    dtype: type = np.float32,
) -> TinyBert:
    """Write a random model with the files that sentence-transformers writes."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    tokenizer = Tokenizer(
        models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    first_position = 0 if kind == "bert" else 1  # RoBERTa's rows begin after the padding's
    tensors = {k: v.astype(dtype) for k, v in _tensors(len(vocabulary), first_position).items()}
    prefix = "" if kind == "bert" else "roberta."
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    save_file(
        {prefix + name: tensor for name, tensor in tensors.items()}, directory / "model.safetensors"
    )
    _write(
        directory / "config.json",
        {
            "model_type": kind,
            "hidden_act": "gelu",
            "hidden_size": HIDDEN,
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": POSITIONS + first_position,
            "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS,
            "pad_token_id": 0,
            "vocab_size": len(vocabulary),
        },
    )
    modules = [{"type": "sentence_transformers.models.Transformer", "path": ""}]
    modules.append({"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"})
    if normalizes:
        modules.append({"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"})
    _write(directory / "modules.json", modules)
    _write(
        directory / "1_Pooling" / "config.json",
        {"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"},
    )
    if prompts is not None:
        _write(directory / "config_sentence_transformers.json", {"prompts": prompts})
    return TinyBert(directory, tensors, tokenizer, first_position, pooling)


def _tensors(words: int, first_position: int) -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(0)
    shapes = {
        "embeddings.word_embeddings.weight": (words, HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS + first_position, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{name}.attention.{part}.weight"] = (HIDDEN, HIDDEN)
        shapes[f"{name}.intermediate.dense.weight"] = (INNER, HIDDEN)
        shapes[f"{name}.output.dense.weight"] = (HIDDEN, INNER)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for name in [name for name in shapes if name.startswith("encoder")]:
        shapes[name.replace(".weight", ".bias")] = shapes[name][:1]
    for name in norms:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (HIDDEN,)
    return {name: numbers.normal(size=shape) * 0.4 for name, shape in shapes.items()}


def _erf(x: np.ndarray) -> np.ndarray:
    from math import erf

    return np.vectorize(erf)(x)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
