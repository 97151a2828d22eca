"""The language in which the sample's scenes are written, and how a scene becomes triples. Pure.

A scene is a premise and what follows from it, may be so, and cannot be so:

    = $adult leads a [brown|white] horse along [a muddy path|a quiet lane].
    @ is <1>
    + <1> is outside with a <2> horse.
    ? <the 1> is taking the horse back to [its stable|the farm].
    - <1> is asleep on a train.

`[a|b]` is a choice; the choices of the premise are numbered, and `<1>` says the first again,
`<the 1>` says it with "the", `<his 1>` gives its possessive. `$adult` and `$child` are choices.
`@` names the verb and the people of the scene, of whom more can be said when its own lines run out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import NamedTuple

from langchain_hfendpoint._nli.digests import digest

_PEOPLE = {
    "$adult": "[a man|a woman|an old man|a young woman]",
    "$child": "[a boy|a girl|a toddler|a small child]",
}
_SPARE = {
    "?": (
        "[a little tired|thinking about lunch|new to this town|saving up for a car|in a hurry"
        "|looking forward to the weekend|known to everyone nearby|hoping for a day off"
        "|about to hear good news|worried about money]"
    ),
    "-": (
        "[stuck in an elevator|scuba diving near a reef|locked in a cellar|hiding in a closet"
        "|watching a film in a dark theater|riding a camel in the desert|sitting in a courtroom"
        "|crossing the sea on a ship|exploring a cave|robbing a bank|at the bottom of a coal mine"
        "|in a spaceship above the clouds]"
    ),
}
"""What can be said of any people without following from the scene, or against it."""

_CHOICE = re.compile(r"\[([^\]]*)\]")
_BACK = re.compile(r"<(?:(the|his) )?(\d)>")
_ARTICLE = re.compile(r"^(?:an?|the) ")
_MARKS = "+?-"
"""How the lines of entailed, neutral and contradicting hypotheses begin: in SNLI's label order."""


class Triple(NamedTuple):
    """A premise with a hypothesis of each label."""

    premise: str
    entailment: str
    neutral: str
    contradiction: str


@dataclass(slots=True)
class Scene:
    """A scene as it is written.

    Attributes:
        premise: The pattern of its premises.
        hypotheses: The patterns of its hypotheses, by the mark of their label.
        spare: Patterns for when those run out.
    """

    premise: str
    hypotheses: dict[str, list[str]] = field(default_factory=lambda: {mark: [] for mark in _MARKS})
    spare: dict[str, list[str]] = field(default_factory=lambda: {mark: [] for mark in _MARKS})


def parse(text: str) -> list[Scene]:
    """Read scenes.

    Args:
        text: Scenes as written; lines that begin with `#` say something to people.

    Returns:
        The scenes in order.

    Raises:
        ValueError: If a line begins with no known mark.
    """
    scenes: list[Scene] = []
    for line in text.splitlines():
        mark, pattern = line[:1], line[2:].strip()
        for name, choice in _PEOPLE.items():
            pattern = pattern.replace(name, choice)
        if mark == "=":
            scenes.append(Scene(pattern))
        elif mark == "@":
            verb, people = pattern.split(" ", maxsplit=1)
            for label, sayings in _SPARE.items():
                scenes[-1].spare[label].append(f"{people} {verb} {sayings}.")
        elif mark and mark in _MARKS:
            scenes[-1].hypotheses[mark].append(pattern)
        elif mark not in {"", "#"}:
            raise ValueError(f"a scene's line cannot begin with {mark!r}: {line}")
    return scenes


def triples(scenes: Sequence[Scene], *, each: int) -> list[Triple]:
    """Make triples of all scenes, mixed.

    Args:
        scenes: The scenes.
        each: How many triples a scene gives at most.

    Returns:
        The triples, in an order that depends on nothing but their texts. A hypothesis comes
        twice only where its scene has no other to offer.
    """
    used: set[str] = set()
    made = [triple for scene in scenes for triple in _triples(scene, each, used)]
    return sorted(made, key=lambda triple: digest(triple.premise))


def _triples(scene: Scene, each: int, used: set[str]) -> Iterator[Triple]:
    premises = sorted(_expand(scene.premise), key=lambda made: digest(made[0]))
    for premise, chosen in islice(premises, each):
        said = dict(enumerate(chosen, start=1))
        yield Triple(premise, *(_pick(scene, mark, premise, said, used) for mark in _MARKS))


def _pick(scene: Scene, mark: str, premise: str, said: Mapping[int, str], used: set[str]) -> str:
    """Choose a hypothesis, one not used yet if there is one."""
    own = [made for made in _possible(scene.hypotheses[mark], premise, said) if made != premise]
    picked = next((made for made in own if made not in used), None)
    if picked is None:
        spare = _possible(scene.spare[mark], premise, said)
        picked = next((made for made in spare if made not in used), own[0])
    used.add(picked)
    return picked


def _possible(patterns: Sequence[str], premise: str, said: Mapping[int, str]) -> list[str]:
    told = (_BACK.sub(lambda back: _again(back, said), pattern) for pattern in patterns)
    made = [sentence for pattern in told for sentence, _ in _expand(pattern)]
    return sorted(made, key=lambda sentence: digest(premise + sentence))


def _expand(pattern: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give every sentence of a pattern, with what was chosen in it."""
    fixed = _CHOICE.sub("\0", pattern).split("\0")
    for chosen in product(*(choice.split("|") for choice in _CHOICE.findall(pattern))):
        parts = [part for pair in zip(fixed, (*chosen, ""), strict=True) for part in pair]
        sentence = "".join(parts)
        yield sentence[:1].upper() + sentence[1:], chosen


def _again(back: re.Match[str], said: Mapping[int, str]) -> str:
    how, value = back[1], said[int(back[2])]
    if how == "the":
        return "the " + _ARTICLE.sub("", value)
    return _possessive(value) if how == "his" else value


def _possessive(person: str) -> str:
    words = set(person.split())
    if words & {"woman", "girl", "mother", "grandmother", "waitress"}:
        return "her"
    return "his" if words & {"man", "boy", "father", "grandfather", "waiter"} else "their"
