"""Read JSON as TEI's web framework does: typed fields, and axum's and serde's words when it fails.

Columns in messages are those of the end of the body, which is where serde gives up on an untagged
enum or a missing field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

_WRONG_SHAPE = "Failed to deserialize the JSON body into the target type: "
_BAD_SYNTAX = "Failed to parse the request body as JSON: "
_U32 = 1 << 32
_Choice = TypeVar("_Choice")

Text = str | tuple[int, ...]
"""A text, or the token ids of one."""


class UnreadableError(Exception):
    """A body that is no request; answered as plain text.

    Args:
        status: 400 for bad JSON, 422 for JSON of another shape.
        message: The body of the answer.
        reason: What is wrong, without where.
    """

    def __init__(self, status: int, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Inputs:
    """One text or several.

    Attributes:
        texts: The texts.
        batch: Whether they came in a list.
    """

    texts: tuple[Text, ...]
    batch: bool


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
                f"{_WRONG_SHAPE}invalid type: {kind(content)}, expected struct {what} "
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

    def items(self, name: str) -> Sequence[object]:
        """Read a required list."""
        value = self._required(name)
        if not isinstance(value, list):
            raise self._wrong_type(name, value, "a sequence")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a required list of texts."""
        texts = []
        for number, item in enumerate(self.items(name)):
            if not isinstance(item, str):
                raise self._wrong_type(f"{name}[{number}]", item, "a string")
            texts.append(item)
        return tuple(texts)

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
            raise self._error(self._path[:-1], f"missing field `{name}`")
        return self._content[name]

    def _wrong(self, name: str, what: str) -> UnreadableError:
        return self._error(self._path + name, what)

    def _error(self, path: str, what: str) -> UnreadableError:
        place = f"{path}: " if path else ""
        where = f"at line 1 column {self._size}"
        return UnreadableError(422, f"{_WRONG_SHAPE}{place}{what} {where}", reason=what)

    def _wrong_type(self, name: str, value: object, expected: str) -> UnreadableError:
        return self._wrong(name, f"invalid type: {kind(value)}, expected {expected}")


def _ids(value: object) -> tuple[int, ...] | None:
    if isinstance(value, list) and all(
        isinstance(item, int) and not isinstance(item, bool) and 0 <= item < _U32 for item in value
    ):
        return tuple(value)
    return None


def kind(value: object) -> str:
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
