"""What a label means: the words, letters and numbers that data sets use for it.

Pure. A label is told as a number and a name. Known names always get SNLI's numbers, whatever
numbers the source gives them, so that one filter works over all sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_hfendpoint.errors import BrokenRowError, ConfigurationError

SNLI_NAMES = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, slots=True)
class Label:
    """A label: SNLI's number and the name."""

    number: int
    name: str


UNLABELLED = Label(-1, "-")
"""No gold label: the annotators did not agree, or the labels are withheld."""

_NUMBERS = {"entailment": 0, "neutral": 1, "contradiction": 2, "not_entailment": 1}
_SYNONYMS = {
    "e": "entailment",
    "entails": "entailment",
    "entailed": "entailment",
    "n": "neutral",
    "neutrals": "neutral",
    "c": "contradiction",
    "contradicts": "contradiction",
    "not entailment": "not_entailment",
    "not-entailment": "not_entailment",
    "non-entailment": "not_entailment",
    "non_entailment": "not_entailment",
    "not_entails": "not_entailment",
}
_NONE = frozenset({"", "-", "-1", "hidden", "none", "unlabelled", "unlabeled"})


class LabelReader:
    """Reads the labels of one source, remembering each value it has seen.

    Args:
        names: What the numbers 0, 1, ... mean in this source; SNLI's order if not given.
        words: The caller's own meaning of raw values, before all else.
    """

    def __init__(
        self, names: Sequence[str] | None = None, words: Mapping[str | int, str] | None = None
    ) -> None:
        self._names = tuple(names or SNLI_NAMES)
        self._own = names is not None
        self._words = {str(key): value for key, value in (words or {}).items()}
        self._seen: dict[object, Label] = {None: UNLABELLED}

    def read(self, value: object) -> Label:
        """Tell what a raw label means.

        Args:
            value: As the source has it: a number, a word, a letter, or nothing.

        Returns:
            The label.

        Raises:
            BrokenRowError: If it means nothing known; the message has no place in it yet.
        """
        try:
            return self._seen[value]
        except KeyError:
            label = self._seen[value] = self._read(value)
            return label
        except TypeError:
            raise BrokenRowError(f"label {value!r} is neither a word nor a number") from None

    def _read(self, value: object) -> Label:
        word = str(value).strip()
        if word in self._words:
            return named(self._words[word])
        if word.lower() in _NONE or value == -1:
            return UNLABELLED
        number = _whole(word)
        if number is not None:
            if 0 <= number < len(self._names):
                name = self._names[number]
                return named(name, number)
            raise BrokenRowError(
                f"label {value!r} is outside 0..{len(self._names) - 1} ({', '.join(self._names)}); "
                "say what the numbers mean: labels=['...', ...]"
            )
        name = _SYNONYMS.get(word.lower(), word.lower())
        if name in _NUMBERS or (self._own and name in self._names):
            return named(name, self._names.index(name) if name in self._names else 0)
        raise BrokenRowError(
            f"label {value!r} is not known; say what it means: labels={{{word!r}: 'entailment'}}, "
            "or, if it is a similarity score, columns={'score': '...'}"
        )


def named(name: str, number: int = 0) -> Label:
    """Make the label of a name: SNLI's number for a known one, else the number given."""
    known = _SYNONYMS.get(name.strip().lower(), name.strip().lower())
    return UNLABELLED if known in _NONE else Label(_NUMBERS.get(known, number), known)


def label_reader(
    labels: Sequence[str] | Mapping[str | int, str] | None,
    told: Sequence[str] | None,
    usual: Sequence[str] | None,
) -> LabelReader:
    """Make the reader for a source.

    Args:
        labels: The caller's option: names in the order of the numbers, or meanings of raw values.
        told: The names the source itself tells.
        usual: The names that the source's layout is known for.

    Returns:
        The reader; the caller's word goes before the source's, and that before the usual.

    Raises:
        ConfigurationError: If `labels` is a single string.
    """
    if isinstance(labels, str):
        raise ConfigurationError(f"labels must be names or a mapping, not the string {labels!r}.")
    if isinstance(labels, Mapping):
        return LabelReader(told or usual, labels)
    return LabelReader(labels or told or usual)


def _whole(word: str) -> int | None:
    """Read `1`, `"1"` and `1.0`, but not `1.5`."""
    try:
        number = float(word)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None
