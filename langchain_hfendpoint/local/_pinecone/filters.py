"""The filter language of Pinecone: compiled once, then decided for one record or for many at once.

A filter becomes a tree of `AllOf`, `AnyOf` and `Condition`. A condition looks at one field; a
list-valued field satisfies it if any element does, and the negative operators (`$ne`, `$nin`) are
the negations of the positive ones, as in MongoDB, so that a record without the field satisfies
them. Error texts are those of Pinecone's service where its users quote them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from langchain_hfendpoint.local._pinecone.metadata import Value
from langchain_hfendpoint.local._pinecone.wire import WireError, invalid, shown

_ORDER: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Condition:
    """What one field must be.

    Attributes:
        field: Name of the metadata field.
        operator: `$eq`, `$in`, `$exists`, or one of `$gt`, `$gte`, `$lt`, `$lte`.
        operands: What it is compared with: for `$in` all alternatives, else one value.
        negated: Whether the outcome is turned round (`$ne`, `$nin`, `$exists: false`).
    """

    field: str
    operator: str
    operands: tuple[str | float | bool, ...]
    negated: bool = False

    def accepts(self, value: Value | None) -> bool:
        """Decide for one value.

        Args:
            value: The field's value, or `None` if the record does not have the field.

        Returns:
            Whether the condition holds.
        """
        return self.holds(value) is not self.negated

    def holds(self, value: Value | None) -> bool:
        """Decide for one value, apart from the negation."""
        if value is None:
            return False
        if self.operator == "$exists":
            return True
        if isinstance(value, list):
            return any(self.holds(item) for item in value)
        if self.operator in _ORDER:
            return is_number(value) and _ORDER[self.operator](value, self.operands[0])  # type: ignore[arg-type]
        return any(same(value, operand) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class AllOf:
    """A conjunction; true if it is empty."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A disjunction; false if it is empty."""

    parts: tuple[Filter, ...]


Filter = Condition | AllOf | AnyOf


def is_number(value: object) -> bool:
    """Tell numbers from booleans, which Python counts among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(value: object, operand: object) -> bool:
    """Compare as JSON does: `1` is `1.0`, but neither is `true` or `"1"`."""
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    return value == operand


def matches(filter_: Filter, metadata: Mapping[str, Value]) -> bool:
    """Decide a filter for one record.

    Args:
        filter_: The compiled filter.
        metadata: The record's metadata.

    Returns:
        Whether the record satisfies the filter.
    """
    if isinstance(filter_, Condition):
        return filter_.accepts(metadata.get(filter_.field))
    if isinstance(filter_, AllOf):
        return all(matches(part, metadata) for part in filter_.parts)
    return any(matches(part, metadata) for part in filter_.parts)


def fields_of(filter_: Filter) -> frozenset[str]:
    """Name the metadata fields a filter looks at."""
    if isinstance(filter_, Condition):
        return frozenset({filter_.field})
    return frozenset().union(*(fields_of(part) for part in filter_.parts))


def compile_filter(raw: object) -> Filter:
    """Check a filter and compile it.

    Args:
        raw: The decoded JSON value of a request.

    Returns:
        The compiled filter; `AllOf(())`, which every record satisfies, for `{}`.

    Raises:
        WireError: If it is no filter.
    """
    return _compile(raw, depth=0)


def _compile(raw: object, *, depth: int) -> Filter:
    if not isinstance(raw, dict):
        raise invalid(f"Filter must be an object, got '{shown(raw)}'")
    if depth > _MAX_DEPTH:
        raise invalid(f"Filter is nested deeper than {_MAX_DEPTH} levels")
    parts: list[Filter] = []
    for key, value in raw.items():
        if key in ("$and", "$or"):
            if not isinstance(value, list) or not value:
                raise invalid(f"the {key} operator must be followed by a list of filters")
            inner = tuple(_compile(item, depth=depth + 1) for item in value)
            parts.append(AllOf(inner) if key == "$and" else AnyOf(inner))
        elif key.startswith("$"):
            raise invalid(
                f"{key} is not a valid operator at this position: only $and and $or may stand "
                "without a field"
            )
        elif isinstance(value, dict):
            if not all(name.startswith("$") for name in value):
                raise invalid(f"illegal condition for field {key}, got {shown(value, limit=64)}")
            parts.extend(_condition(key, name, operand) for name, operand in value.items())
        else:
            parts.append(_condition(key, "$eq", value))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _condition(field: str, name: str, operand: object) -> Condition:
    if name in ("$eq", "$ne"):
        if not isinstance(operand, str | int | float):
            raise _wrong_operand(name, "a string, boolean or a number", operand)
        return Condition(field, "$eq", (_operand(operand),), negated=name == "$ne")
    if name in ("$in", "$nin"):
        if not isinstance(operand, list) or not (
            all(isinstance(item, str) for item in operand) or all(map(is_number, operand))
        ):
            raise _wrong_operand(name, "a list of strings or a list of numbers", operand)
        return Condition(field, "$in", tuple(map(_operand, operand)), negated=name == "$nin")
    if name in _ORDER:
        if not is_number(operand):
            raise _wrong_operand(name, "a number", operand)
        return Condition(field, name, (_operand(operand),))
    if name == "$exists":
        if not isinstance(operand, bool):
            raise _wrong_operand(name, "a boolean", operand)
        return Condition(field, "$exists", (), negated=not operand)
    raise invalid(f"{name} is not a valid operator")


def _wrong_operand(name: str, wanted: str, operand: object) -> WireError:
    return invalid(
        f"the {name} operator must be followed by {wanted}, got {shown(operand, limit=64)} instead"
    )


def _operand(value: object) -> str | float | bool:
    """Bring an operand into the form metadata are stored in: numbers are 64-bit floats."""
    return float(value) if is_number(value) else value  # type: ignore[arg-type,return-value]
