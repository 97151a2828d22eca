"""Requests and answers of every server kind that embeds: pure.

Wire formats as read in, and where said seen from: huggingface/text-embeddings-inference (TEI)
`router/src/http`, huggingface/huggingface-inference-toolkit `handler.py` (seen),
huggingface/hf-serve `routers/predict.py` and `openai/schemas/embeddings.py` (seen),
vllm `entrypoints/pooling`, sglang `srt/entrypoints/openai`, llama.cpp `tools/server`,
michaelfeil/infinity `fastapi_schemas`, and huggingface_hub `_providers/hf_inference.py`.

Always a list goes out, even for one text: the answers to a bare string differ most. Keys without a
value stay away: TEI answers 422 to a null `normalize`, `truncation_direction`, `encoding_format`.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import orjson

from langchain_hfendpoint._engine.failures import Failure, Kind, read_message
from langchain_hfendpoint._engine.results import Vectors
from langchain_hfendpoint.errors import ConfigurationError

WireProtocol: TypeAlias = Literal["tei", "openai", "inference-toolkit", "hf-inference"]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What an endpoint tells about itself; `None` where it does not.

    Attributes:
        protocol: How it is spoken to.
        software: What serves the model, such as `"text-embeddings-inference"` or `"vllm"`.
        version: Version of that software.
        model: Model id, as the server names it.
        revision: Commit of the model.
        max_batch: Texts a request may have.
        permits: Texts that may be in flight.
        max_tokens: Tokens a text may have.
        openai_path: Where the OpenAI-compatible route is.
    """

    protocol: WireProtocol
    software: str | None = None
    version: str | None = None
    model: str | None = None
    revision: str | None = None
    max_batch: int | None = None
    permits: int | None = None
    max_tokens: int | None = None
    openai_path: str = "/v1/embeddings"

    def is_at_least(self, *version: int) -> bool:
        """Compare the version; an unknown one is taken for the newest."""
        if self.version is None:
            return True
        parts = [int(part) for part in self.version.split("-")[0].split(".") if part.isdecimal()]
        return tuple(parts) >= version


@dataclass(frozen=True, slots=True)
class WireOptions:
    """What is asked of the server besides the texts.

    Attributes:
        normalize: Whether vectors of length 1 are wanted.
        truncate: Whether over-long texts are cut; `None` leaves it to the server.
        truncation_direction: Which end is cut.
        dimensions: Numbers a vector shall have, if not the model's own.
        prompt_name: Name of a prompt in the model's configuration.
        model: Model name to send where a server wants one.
    """

    normalize: bool = True
    truncate: bool | None = None
    truncation_direction: Literal["left", "right"] | None = None
    dimensions: int | None = None
    prompt_name: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class WireForm:
    """A request without its texts: the body is `head + b",".join(texts) + tail`.

    Attributes:
        path: Path below the endpoint's base URL.
        head: What comes before the first text.
        tail: What comes after the last.
    """

    path: str
    head: bytes
    tail: bytes

    def body(self, texts: Sequence[bytes]) -> bytes:
        """Put texts, encoded as JSON, into a request body."""
        return self.head + b",".join(texts) + self.tail


def wire_form(server: ServerInfo, options: WireOptions) -> WireForm:
    """Choose how to ask this server for these embeddings, the cheapest way to decode.

    Args:
        server: The endpoint.
        options: What is wanted.

    Returns:
        The request.

    Raises:
        ConfigurationError: If the server has no way to do what is asked.
    """
    if server.protocol in ("tei", "hf-inference"):
        return _tei_form(server, options)
    if server.software == "hf-serve" and (options.prompt_name or not options.normalize):
        _refuse(server, options, "truncate", "truncation_direction")
        return _form("", "inputs", prompt_name=options.prompt_name)
    if server.protocol == "inference-toolkit":
        _refuse(server, options, "truncate", "truncation_direction", "prompt_name")
        return _form("", "inputs")
    return _openai_form(server, options)


def _tei_form(server: ServerInfo, options: WireOptions) -> WireForm:
    dimensions = options.dimensions if server.is_at_least(1, 8) else None
    # Only `/v1/embeddings` has base64, which decodes three times as fast as TEI's numbers do. It
    # always normalizes, and has neither prompts nor truncation.
    plain = options.normalize and not options.prompt_name and options.truncation_direction is None
    if server.protocol == "tei" and plain and options.truncate is None and server.is_at_least(1, 3):
        return _form(server.openai_path, "input", encoding_format="base64", dimensions=dimensions)
    direction = options.truncation_direction
    return _form(
        "/embed" if server.protocol == "tei" else "",
        "inputs",
        normalize=options.normalize,
        truncate=options.truncate,
        # Lower case is understood since TEI 1.9.0 only.
        truncation_direction=direction.capitalize() if direction else None,
        prompt_name=options.prompt_name,
        dimensions=dimensions,
    )


def _openai_form(server: ServerInfo, options: WireOptions) -> WireForm:
    _refuse(server, options, "prompt_name")
    vllm = server.software == "vllm"
    model = options.model or server.model
    if model is None and server.software == "hf-serve":
        # It wants a name and echoes any; it knows none itself when it serves a mounted folder.
        model = "default"
    if not vllm or options.truncate is False:
        _refuse(server, options, "truncate", "truncation_direction")
    return _form(
        server.openai_path,
        "input",
        model=model,
        encoding_format="base64",
        truncate_prompt_tokens=-1 if vllm and options.truncate else None,
        truncation_side=options.truncation_direction if vllm else None,
    )


def _form(path: str, key: str, **fields: object) -> WireForm:
    rest = orjson.dumps({name: value for name, value in fields.items() if value is not None})
    tail = b"]}" if rest == b"{}" else b"]," + rest[1:]
    return WireForm(path, b'{"%s":[' % key.encode(), tail)


_REMEDIES = {
    "prompt_name": "put the words themselves into `query_prefix` and `document_prefix`",
    "truncate": "leave `truncate` out and cut the texts yourself if need be",
    "truncation_direction": "leave `truncation_direction` out",
}


def _refuse(server: ServerInfo, options: WireOptions, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        # The toolkit and hf-serve always cut over-long texts: asking for it is no contradiction.
        truncates = server.protocol == "inference-toolkit" or server.software == "hf-serve"
        if value is None or (name == "truncate" and value and truncates):
            continue
        raise ConfigurationError(
            f"This endpoint ({server.software or server.protocol}) has no `{name}`: "
            f"{_REMEDIES[name]}."
        )


class BadAnswer(Exception):  # noqa: N818 (it carries a Failure to the one place that handles it)
    """An answer with status 200 that is no embedding of the texts."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


_NOT_POOLED = Failure(Kind.NOT_POOLED, "", status=200)


def parse_vectors(body: bytes, count: int) -> Vectors:
    """Read the vectors out of any server's answer, and check their shape.

    Args:
        body: The whole body of a 200.
        count: Number of texts that were sent.

    Returns:
        float32 (count, dimension), finite.

    Raises:
        BadAnswer: If it is anything else.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        message, _ = read_message(body[:2000])
        raise _bad(f"it is no JSON: {message[:200]!r}") from None
    rows = _rows(data, body)
    try:
        vectors = _matrix(rows, count)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise BadAnswer(_wrong_shape(rows)) from None
    if vectors.shape[0] != count:
        if count == 1 and vectors.shape[0] > 1:
            raise BadAnswer(_NOT_POOLED)
        raise _bad(f"it has {vectors.shape[0]} vectors for {count} texts")
    if vectors.shape[1] == 0:
        raise _bad("its vectors are empty")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        bad = tuple(int(row) for row in np.flatnonzero(~finite))
        raise _bad("it has numbers that are not finite", rows=bad)
    return vectors


def _rows(data: Any, body: bytes) -> Any:
    if isinstance(data, dict):
        if "embeddings" in data:
            return data["embeddings"]
        if isinstance(data.get("data"), list):
            return _in_order(data["data"])
        message, error_type = read_message(body)
        if message:
            failure = Failure(Kind.BAD_ANSWER, f"it says {message!r}", 200, error_type)
            raise BadAnswer(failure)
        raise _bad(f"it has the keys {sorted(map(str, data))[:8]}")
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return _in_order(data)
    return data


def _in_order(items: list[Any]) -> list[Any]:
    try:
        places = [item["index"] for item in items]
        if places != list(range(len(items))):
            items = sorted(items, key=lambda item: int(item["index"]))
            places = [item["index"] for item in items]
        rows = [item["embedding"] for item in items]
    except (KeyError, TypeError, ValueError):
        raise _bad("its items have no `index` and `embedding`") from None
    if places != list(range(len(places))):
        raise _bad("its items are not numbered from 0 without a gap")
    if rows and isinstance(rows[0], str):
        return rows
    # llama.cpp's own route gives a list of one vector where others give the vector.
    return [
        row[0] if isinstance(row, list) and len(row) == 1 and isinstance(row[0], list) else row
        for row in rows
    ]


def _matrix(rows: Any, count: int) -> Vectors:
    if not isinstance(rows, list) or not rows:
        raise ValueError
    if isinstance(rows[0], str):
        return _from_base64(rows)
    if isinstance(rows[0], list):
        sample = rows[0]
        if sample and not isinstance(sample[0], (int, float)) and sample[0] is not None:
            raise TypeError
        with np.errstate(over="ignore"):  # too large for float32: found as infinite
            vectors = np.array(rows, dtype=np.float32)
        if vectors.ndim != 2:
            raise ValueError
        return vectors
    if count == 1:
        return np.array([rows], dtype=np.float32).reshape(1, -1)
    raise ValueError


def _from_base64(rows: list[str]) -> Vectors:
    raw = [binascii.a2b_base64(row) for row in rows]
    length = len(raw[0])
    # The decoder drops characters that are not base64; the length gives them away.
    encoded = 4 * -(-length // 3)
    if length % 4 or {length} != set(map(len, raw)) or {encoded} != set(map(len, rows)):
        raise ValueError
    flat = np.frombuffer(b"".join(raw), dtype="<f4")
    return flat.reshape(len(rows), length // 4).astype(np.float32, copy=False)


def _wrong_shape(rows: Any) -> Failure:
    depth, inner = 0, rows
    while isinstance(inner, list) and inner:
        depth, inner = depth + 1, inner[0]
    if depth >= 3 and isinstance(inner, (int, float)):
        return _NOT_POOLED
    if isinstance(inner, str) and depth == 1:
        return _bad("its base64 is broken or of unequal lengths").failure
    return _bad("it is not one list of numbers, all of one length, for each text").failure


def _bad(message: str, *, rows: tuple[int, ...] = ()) -> BadAnswer:
    return BadAnswer(Failure(Kind.BAD_ANSWER, message, status=200, rows=rows))
