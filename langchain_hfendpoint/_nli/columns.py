"""Which column is what: the layouts in which NLI and sentence-pair sets are published.

Pure. Names are compared without regard to case. What fits two layouts is an error, not a guess.
The layouts are those of SNLI, MultiNLI, ANLI, SICK, XNLI, SciTail, GLUE and sentence-transformers'
AllNLI and STS sets, as their files and Hub pages show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from langchain_hfendpoint.errors import ConfigurationError, DataError

ROLES = ("premise", "hypothesis", "label", "score")

TWO_WAY = ("entailment", "not_entailment")
"""GLUE's names behind 0 and 1 in its two-way sets."""

ENTAILMENT, CONTRADICTION = "entailment", "contradiction"


class Hypothesis(NamedTuple):
    """A column of hypotheses, and the label that the column itself implies (AllNLI), if any."""

    column: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a source keeps what.

    Attributes:
        premise: Column of premises.
        hypotheses: Columns of hypotheses: one, or one a label in sets of triplets.
        label: Column of labels.
        score: Column of similarity scores.
        label_names: Names behind label numbers that this layout is known for.
    """

    premise: str | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    label: str | None = None
    score: str | None = None
    label_names: tuple[str, ...] | None = None

    @property
    def wanted(self) -> list[str]:
        """Every column to read, each once."""
        names = [self.premise, *(h.column for h in self.hypotheses), self.label, self.score]
        return list(dict.fromkeys(name for name in names if name is not None))


@dataclass(frozen=True, slots=True)
class _Known:
    premise: str
    hypotheses: tuple[Hypothesis, ...]
    label_names: tuple[str, ...] | None = None


def _pair(premise: str, hypothesis: str, label_names: tuple[str, ...] | None = None) -> _Known:
    return _Known(premise, (Hypothesis(hypothesis),), label_names)


_KNOWN = (
    _pair("premise", "hypothesis"),
    _pair("sentence1", "sentence2"),
    _pair("sentence_1", "sentence_2"),
    _pair("sentence_a", "sentence_b"),
    _pair("text1", "text2"),
    _pair("context", "hypothesis"),
    # In QNLI the sentence does or does not entail the answer to the question.
    _pair("sentence", "question", TWO_WAY),
    _Known("anchor", (Hypothesis("positive", ENTAILMENT), Hypothesis("negative", CONTRADICTION))),
)
_LABELS = ("gold_label", "label", "entailment_judgment")
_SCORES = ("score", "similarity_score", "relatedness_score")


@dataclass(slots=True)
class _Found:
    """The columns of one source, looked up without regard to case."""

    origin: str
    names: Sequence[str]
    by_key: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            self.by_key.setdefault(name.strip().lower(), []).append(name)

    def one(self, key: str) -> str | None:
        found = self.by_key.get(key, [])
        if len(found) > 1:
            raise DataError(f"{self.origin}: the column {found[0]!r} is there {len(found)} times.")
        return found[0] if found else None

    def one_of(self, keys: Iterable[str], role: str) -> str | None:
        found = [name for key in keys if (name := self.one(key)) is not None]
        if len(found) > 1:
            raise DataError(
                f"{self.origin}: {' and '.join(map(repr, found))} could each be the {role}. "
                f"Say which: columns={{{role!r}: {found[0]!r}}}."
            )
        return found[0] if found else None

    def exactly(self, name: str) -> str:
        if name not in self.names:
            raise self.missing(f"has no column {name!r}", name)
        return name

    def missing(self, what: str, role: str) -> DataError:
        return DataError(
            f"{self.origin} {what}. Its columns: {', '.join(map(repr, self.names)) or 'none'}. "
            f"Say which to use, for example columns={{{role!r}: '...'}}."
        )


def recognize(
    names: Sequence[str],
    *,
    origin: str,
    needed: Iterable[str],
    given: Mapping[str, str] | None = None,
) -> Layout:
    """Decide which column is the premise, the hypothesis, the label and the score.

    Args:
        names: Columns of the source.
        origin: The source, for messages.
        needed: Roles that must be there: of `"premise"` and `"hypothesis"`.
        given: Columns that the caller names for roles; these win.

    Returns:
        The layout. Premise and hypothesis are in it if needed, label and score if found.

    Raises:
        ConfigurationError: If `given` names something that is no role.
        DataError: If a needed role is not found, or found twice; the message lists the columns.
    """
    given, needed = dict(given or {}), set(needed)
    if unknown := sorted(set(given) - set(ROLES)):
        raise ConfigurationError(f"columns: {unknown[0]!r} is no role; roles are {ROLES}.")
    found = _Found(origin, names)
    chosen = {role: found.exactly(name) for role, name in given.items()}
    known = _known_layout(found, needed - set(chosen), chosen)
    for role in sorted(needed):
        if role not in chosen and (known is None or not getattr(known, _FIELD[role])):
            raise found.missing(f"has no column known as {role}", role)
    known = known or Layout()
    hypotheses = known.hypotheses
    if "hypothesis" in chosen:
        hypotheses = (Hypothesis(chosen["hypothesis"]),)
    implied = any(hypothesis.label for hypothesis in hypotheses)
    return Layout(
        premise=chosen.get("premise", known.premise) if "premise" in needed else None,
        hypotheses=hypotheses if "hypothesis" in needed else (),
        label=None if implied else chosen.get("label") or found.one_of(_LABELS, "label"),
        score=chosen.get("score") or found.one_of(_SCORES, "score"),
        label_names=known.label_names,
    )


_FIELD = {"premise": "premise", "hypothesis": "hypotheses"}


def _known_layout(found: _Found, open_roles: set[str], chosen: Mapping[str, str]) -> Layout | None:
    """Find the one published layout that the columns fit."""
    fits = []
    for known in _KNOWN:
        premise = found.one(known.premise)
        hypotheses = tuple(
            Hypothesis(name, hypothesis.label)
            for hypothesis in known.hypotheses
            if (name := found.one(hypothesis.column)) is not None
        )
        layout = Layout(premise=premise, hypotheses=hypotheses, label_names=known.label_names)
        if premise and hypotheses:
            fits.append((2, layout))
        elif (premise and "hypothesis" not in open_roles and "premise" in open_roles) or (
            hypotheses and "premise" not in open_roles and "hypothesis" in open_roles
        ):
            fits.append((1, layout))
    best = [layout for rank, layout in fits if rank == max(rank for rank, _ in fits)]
    distinct = list({(la.premise, la.hypotheses): la for la in best}.values())
    if "premise" in chosen and "hypothesis" in chosen:
        return None
    if len(distinct) > 1 and open_roles:
        options = " or ".join(
            f"({la.premise!r}, {'/'.join(repr(h.column) for h in la.hypotheses)})"
            for la in distinct
        )
        raise DataError(
            f"{found.origin}: premise and hypothesis could be {options}. "
            "Say which: columns={'premise': '...', 'hypothesis': '...'}."
        )
    return distinct[0] if distinct else None
