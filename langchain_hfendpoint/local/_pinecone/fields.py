"""Reading JSON bodies: fields of a known type, with an error that names the one that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import orjson

from langchain_hfendpoint.local._pinecone.wire import WireError, invalid, shown


class Fields:
    """A decoded JSON object.

    `null` counts as absent, and every field is also found under its snake_case name, as in the
    JSON form of protocol buffers.

    Args:
        values: The object.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    @classmethod
    def parse(cls, body: bytes) -> Fields:
        """Decode a body.

        Raises:
            WireError: If it is no JSON object.
        """
        try:
            values = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise invalid(f"Invalid JSON payload: {error}") from error
        if not isinstance(values, dict):
            raise invalid("Invalid JSON payload: an object was expected")
        return cls(values)

    def get(self, name: str) -> object | None:
        """Give a field as it is, `None` if it is absent."""
        value = self._values.get(name)
        return self._values.get(_snake(name)) if value is None else value

    def text(self, name: str, *, default: str = "") -> str:
        """Give a string."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "a string", value)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Give a boolean."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise _wrong(name, "a boolean", value)
        return value

    def number(self, name: str) -> int | None:
        """Give an integer, `None` if it is absent."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(name, "an integer", value)
        return value

    def items(self, name: str) -> list[object] | None:
        """Give a list, `None` if it is absent."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise _wrong(name, "a list", value)
        return value

    def inner(self, name: str) -> Fields | None:
        """Give an object, `None` if it is absent."""
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _wrong(name, "an object", value)
        return Fields(value)

    def strings(self, name: str) -> dict[str, str]:
        """Give an object of strings."""
        value = self.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise _wrong(name, "an object of strings", value)
        return value


@lru_cache(maxsize=128)
def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _wrong(name: str, wanted: str, value: object) -> WireError:
    return invalid(f"Invalid value for field '{name}': expected {wanted}, got '{shown(value)}'")
