"""Read TEI's requests (`router/src/http/types.rs`): JSON in, typed requests or TEI's own words out.

TEI leaves this to axum and serde, whose errors are plain text; so are these. Columns are those of
the end of the body, which is where serde gives up on an untagged enum or a missing field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import orjson

_WRONG_SHAPE = "Failed to deserialize the JSON body into the target type: "
_BAD_SYNTAX = "Failed to parse the request body as JSON: "
_U32 = 1 << 32

Text = str | tuple[int, ...]
"""A text, or the token ids of one."""

Encoding = Literal["float", "base64"]
_Choice = TypeVar("_Choice")


class UnreadableError(Exception):
    """A body that is no request; answered as plain text.

    Args:
        status: 400 for bad JSON, 422 for JSON of another shape.
        message: The body of the answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Inputs:
    """One text or several.

    Attributes:
        texts: The texts.
        batch: Whether they came in a list.
    """

    texts: tuple[Text, ...]
    batch: bool


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


class Fields:
    """The fields of a JSON object, read as serde reads a struct: unknown ones are ignored.

    Args:
        content: The object.
        size: Bytes of the body, which serde's messages end with.
        path: Where the object stands in the body.
    """

    def __init__(self, content: Mapping[str, object], *, size: int, path: str = "") -> None:
        self._content = content
        self._size = size
        self._path = path

    @classmethod
    def read(cls, body: bytes, *, what: str) -> Fields:
        """Read a body.

        Args:
            body: The body.
            what: Name of the struct it should be.

        Returns:
            Its fields.

        Raises:
            UnreadableError: If it is no JSON object.
        """
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            reason = "EOF while parsing a value" if not body.strip() else error.msg
            where = f"line {error.lineno} column {max(0, error.colno - 1)}"
            raise UnreadableError(400, f"{_BAD_SYNTAX}{reason} at {where}") from None
        if not isinstance(content, dict):
            raise UnreadableError(
                422,
                f"{_WRONG_SHAPE}invalid type: {_kind(content)}, expected struct {what} "
                f"at line 1 column {len(body)}",
            )
        return cls(content, size=len(body))

    def inputs(self, name: str) -> Inputs:
        """Read TEI's `Input`: a text, the ids of one, or a list of such."""
        value = self._required(name)
        if isinstance(value, str):
            return Inputs((value,), batch=False)
        # An empty list reads as the token ids of one text, since that variant comes first.
        if (ids := _ids(value)) is not None:
            return Inputs((ids,), batch=False)
        if isinstance(value, list):
            texts = [item if isinstance(item, str) else _ids(item) for item in value]
            if all(text is not None for text in texts):
                return Inputs(tuple(text for text in texts if text is not None), batch=True)
        raise self._wrong(name, "data did not match any variant of untagged enum Input")

    def text_inputs(self, name: str) -> Inputs:
        """Read a text or a list of texts."""
        value = self._required(name)
        if isinstance(value, str):
            return Inputs((value,), batch=False)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return Inputs(tuple(value), batch=True)
        raise self._wrong(name, "data did not match any variant of untagged enum TokenizeInput")

    def id_sequences(self, name: str) -> tuple[tuple[int, ...], ...]:
        """Read token ids of one text or of several."""
        value = self._required(name)
        if (ids := _ids(value)) is not None:
            return (ids,)
        if isinstance(value, list):
            sequences = [_ids(item) for item in value]
            if all(ids is not None for ids in sequences):
                return tuple(ids for ids in sequences if ids is not None)
        raise self._wrong(name, "data did not match any variant of untagged enum InputIds")

    def text(self, name: str) -> str:
        """Read a required text."""
        value = self._required(name)
        if not isinstance(value, str):
            raise self._wrong_type(name, value, "a string")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a required list of texts."""
        value = self._required(name)
        if not isinstance(value, list):
            raise self._wrong_type(name, value, "a sequence")
        for number, item in enumerate(value):
            if not isinstance(item, str):
                raise self._wrong_type(f"{name}[{number}]", item, "a string")
        return tuple(value)

    def optional_text(self, name: str) -> str | None:
        """Read a text that may be missing or null."""
        value = self._content.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong_type(name, value, "a string")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Read a boolean that may be missing, but not null."""
        value = self._content.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong_type(name, value, "a boolean")
        return value

    def optional_flag(self, name: str) -> bool | None:
        """Read a boolean that may be missing or null."""
        value = self._content.get(name)
        return None if value is None else self.flag(name, default=False)

    def optional_count(self, name: str) -> int | None:
        """Read a number from 0 that may be missing or null."""
        value = self._content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong_type(name, value, "usize")
        if value < 0:
            raise self._wrong(name, f"invalid value: integer `{value}`, expected usize")
        return value

    def choice(self, name: str, values: Mapping[str, _Choice], *, default: _Choice) -> _Choice:
        """Read one of several words, which may be missing but not null."""
        if name not in self._content:
            return default
        value = self._content[name]
        if not isinstance(value, str):
            raise self._wrong_type(name, value, "string or map")
        if value not in values:
            expected = ", ".join(f"`{word}`" for word in values)
            choice = "one of " if len(values) > 2 else ""
            expected = expected if choice else expected.replace(", ", " or ")
            raise self._wrong(name, f"unknown variant `{value}`, expected {choice}{expected}")
        return values[value]

    def inner(self, name: str, *, what: str) -> Fields:
        """Read a required object."""
        value = self._required(name)
        if not isinstance(value, dict):
            raise self._wrong_type(name, value, f"struct {what}")
        return Fields(value, size=self._size, path=f"{self._path}{name}.")

    def optional_inner(self, name: str, *, what: str) -> Fields:
        """Read an object that may be missing or null, which is an empty one."""
        if self._content.get(name) is None:
            return Fields({}, size=self._size, path=f"{self._path}{name}.")
        return self.inner(name, what=what)

    def _required(self, name: str) -> object:
        if name not in self._content:
            where = f"at line 1 column {self._size}"
            prefix = f"{self._path[:-1]}: " if self._path else ""
            raise UnreadableError(422, f"{_WRONG_SHAPE}{prefix}missing field `{name}` {where}")
        return self._content[name]

    def _wrong(self, name: str, what: str) -> UnreadableError:
        where = f"at line 1 column {self._size}"
        return UnreadableError(422, f"{_WRONG_SHAPE}{self._path}{name}: {what} {where}")

    def _wrong_type(self, name: str, value: object, expected: str) -> UnreadableError:
        return self._wrong(name, f"invalid type: {_kind(value)}, expected {expected}")


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
    fields = Fields.read(body, what="EmbedRequest")
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


def _ids(value: object) -> tuple[int, ...] | None:
    if isinstance(value, list) and all(
        isinstance(item, int) and not isinstance(item, bool) and 0 <= item < _U32 for item in value
    ):
        return tuple(value)
    return None


def _kind(value: object) -> str:
    """Name a JSON value as serde does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {orjson.dumps(value).decode()}"
    return "sequence" if isinstance(value, list) else "map"
