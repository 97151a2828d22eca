"""TEI's requests (`router/src/http/types.rs`): the body of each route in, a typed request out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from langchain_hfendpoint.local._endpoint import refusals
from langchain_hfendpoint.local._endpoint.refusals import RefusalError
from langchain_hfendpoint.local._endpoint.serde import Fields, Inputs, UnreadableError, kind

Encoding = Literal["float", "base64"]


@dataclass(frozen=True, slots=True)
class Cutting:
    """What a request says about long texts and prompts; `None` leaves it to the server."""

    truncate: bool | None = None
    from_left: bool = False
    prompt_name: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """`POST /embed`."""

    inputs: Inputs
    cutting: Cutting
    normalize: bool = True
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class OpenAIRequest:
    """`POST /v1/embeddings`."""

    inputs: Inputs
    encoding: Encoding = "float"
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class SimilarityRequest:
    """`POST /similarity`."""

    source: str
    sentences: tuple[str, ...]
    cutting: Cutting


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """`POST /tokenize`."""

    inputs: Inputs
    add_special_tokens: bool = True
    prompt_name: str | None = None


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """`POST /decode`."""

    sequences: tuple[tuple[int, ...], ...]
    skip_special_tokens: bool = True


def read_embed(body: bytes, *, lower_case: bool) -> EmbedRequest:
    """Read the body of `POST /embed`.

    Args:
        body: The body.
        lower_case: Whether directions may be written in lower case.

    Returns:
        The request.

    Raises:
        UnreadableError: If it is none.
    """
    return _embed(Fields.read(body, what="EmbedRequest"), lower_case=lower_case)


def read_vertex(body: bytes, *, lower_case: bool) -> list[EmbedRequest]:
    """Read the body of `POST /vertex`.

    Args:
        body: The body.
        lower_case: Whether directions may be written in lower case.

    Returns:
        The requests in it.

    Raises:
        UnreadableError: If it is none.
        RefusalError: If one of its instances is none, or asks for a ranking.
    """
    fields = Fields.read(body, what="VertexRequest")
    instances = []
    for instance in fields.items("instances"):
        if isinstance(instance, dict) and {"query", "texts"} <= instance.keys():
            raise refusals.backend_failed("model is not a re-ranker model")
        try:
            if not isinstance(instance, dict):
                reason = f"invalid type: {kind(instance)}, expected struct EmbedRequest"
                raise UnreadableError(422, reason, reason=reason)
            instances.append(_embed(Fields(instance, size=len(body)), lower_case=lower_case))
        except UnreadableError as error:
            raise RefusalError("Validation", error.reason) from None
    return instances


def _embed(fields: Fields, *, lower_case: bool) -> EmbedRequest:
    return EmbedRequest(
        inputs=fields.inputs("inputs"),
        cutting=_cutting(fields, lower_case=lower_case),
        normalize=fields.flag("normalize", default=True),
        dimensions=fields.optional_count("dimensions"),
    )


def read_openai(body: bytes) -> OpenAIRequest:
    """Read the body of `POST /v1/embeddings`; raises `UnreadableError` if it is none."""
    fields = Fields.read(body, what="OpenAICompatRequest")
    fields.optional_text("model")
    fields.optional_text("user")
    encodings: dict[str, Encoding] = {"float": "float", "base64": "base64"}
    return OpenAIRequest(
        inputs=fields.inputs("input"),
        encoding=fields.choice("encoding_format", encodings, default="float"),
        dimensions=fields.optional_count("dimensions"),
    )


def read_similarity(body: bytes, *, lower_case: bool) -> SimilarityRequest:
    """Read the body of `POST /similarity`; raises `UnreadableError` if it is none."""
    fields = Fields.read(body, what="SimilarityRequest")
    inputs = fields.inner("inputs", what="SimilarityInput")
    parameters = fields.optional_inner("parameters", what="SimilarityParameters")
    return SimilarityRequest(
        source=inputs.text("source_sentence"),
        sentences=inputs.texts("sentences"),
        cutting=_cutting(parameters, lower_case=lower_case),
    )


def read_tokenize(body: bytes) -> TokenizeRequest:
    """Read the body of `POST /tokenize`; raises `UnreadableError` if it is none."""
    fields = Fields.read(body, what="TokenizeRequest")
    return TokenizeRequest(
        inputs=fields.text_inputs("inputs"),
        add_special_tokens=fields.flag("add_special_tokens", default=True),
        prompt_name=fields.optional_text("prompt_name"),
    )


def read_decode(body: bytes) -> DecodeRequest:
    """Read the body of `POST /decode`; raises `UnreadableError` if it is none."""
    fields = Fields.read(body, what="DecodeRequest")
    return DecodeRequest(
        sequences=fields.id_sequences("ids"),
        skip_special_tokens=fields.flag("skip_special_tokens", default=True),
    )


def _cutting(fields: Fields, *, lower_case: bool) -> Cutting:
    directions = {"Left": True, "Right": False}
    if lower_case:
        directions |= {"left": True, "right": False}
    return Cutting(
        truncate=fields.optional_flag("truncate"),
        from_left=fields.choice("truncation_direction", directions, default=False),
        prompt_name=fields.optional_text("prompt_name"),
    )
