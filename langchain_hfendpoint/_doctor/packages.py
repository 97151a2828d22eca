"""Python and the packages: do they fit each other, and do they bring a known trouble?

The generic check is `pip check` for the packages that matter here. The known troubles are those
whose consequence a version conflict does not tell.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from langchain_hfendpoint._doctor.verdicts import Verdict, ok, problem, warning

OURS = "langchain-hfendpoint"
_MATTERING = (
    OURS,
    "langchain-core",
    "huggingface-hub",
    "langchain-pinecone",
    "pinecone",
    "datasets",
    "langchain-huggingface",
)
# Not used here, but often beside: a conflict hurts only whoever imports it.
_BESIDE = frozenset({"langchain-huggingface"})
_EXTRAS = ("pinecone", "datasets", "local", "bench")
_OLDEST, _FIRST_UNTESTED = (3, 10), (3, 14)


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What is installed.

    Attributes:
        python: Version of Python.
        installed: Version of each distribution, by normalized name.
        requirements: What the distributions that matter require, by normalized name.
    """

    python: tuple[int, int, int]
    installed: Mapping[str, str]
    requirements: Mapping[str, tuple[str, ...]]


def gather_packages() -> PackageFacts:
    """Read what is installed beside this package."""
    installed: dict[str, str] = {}
    requirements: dict[str, tuple[str, ...]] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        # A broken installation can leave a folder without metadata behind.
        if name and canonicalize_name(name) not in installed:
            installed[canonicalize_name(name)] = distribution.version
            if canonicalize_name(name) in _MATTERING:
                requirements[canonicalize_name(name)] = tuple(distribution.requires or ())
    return PackageFacts(sys.version_info[:3], installed, requirements)


def judge_packages(facts: PackageFacts) -> Iterator[Verdict]:
    """Judge Python and the packages."""
    yield _judge_python(facts.python)
    troubles = [*_known_troubles(facts.installed), *_conflicts(facts)]
    yield from troubles
    if not troubles:
        versions = (
            f"{name} {facts.installed[name]}" for name in _MATTERING if name in facts.installed
        )
        yield ok("Packages", ", ".join(versions))
    yield _judge_extras(facts)


def _judge_python(python: tuple[int, int, int]) -> Verdict:
    version = ".".join(map(str, python))
    if python < _OLDEST:
        return problem("Python", f"{version} is too old", "Use Python 3.10 to 3.13.")
    if python >= _FIRST_UNTESTED:
        return warning(
            "Python",
            f"{version} is newer than what this package and langchain-pinecone are tested with",
            "Use Python 3.10 to 3.13.",
        )
    return ok("Python", version)


def _known_troubles(installed: Mapping[str, str]) -> Iterator[Verdict]:
    pinecone = Version(installed["pinecone"]) if "pinecone" in installed else None
    if pinecone is not None and "langchain-pinecone" in installed:
        if pinecone >= Version("9"):
            yield problem(
                "Packages",
                f"pinecone {pinecone} cannot be imported by langchain-pinecone "
                f"{installed['langchain-pinecone']}, which needs a version below 8",
                "pip install 'pinecone>=7,<8'",
            )
        elif pinecone >= Version("8"):
            yield warning(
                "Packages",
                f"pinecone {pinecone} is beyond what langchain-pinecone allows, and slower than 7",
                "pip install 'pinecone>=7,<8'",
            )
    for plugin in ("pinecone-plugin-inference", "pinecone-plugin-records"):
        if plugin in installed and pinecone is not None and pinecone >= Version("6"):
            yield problem(
                "Packages",
                f"pinecone {pinecone} refuses to start beside {plugin} {installed[plugin]}",
                f"pip uninstall {plugin}",
            )
    if "pinecone-client" in installed:
        yield problem(
            "Packages",
            "pinecone-client is the old name of pinecone, and writes over the same files",
            "pip uninstall pinecone-client pinecone && "
            "pip install 'langchain-hfendpoint[pinecone]'",
        )


def _conflicts(facts: PackageFacts) -> Iterator[Verdict]:
    for name, requirements in facts.requirements.items():
        for requirement in map(Requirement, requirements):
            conflict = _conflict(requirement, facts.installed)
            # Already told by its consequence.
            if conflict is not None and (name, requirement.name) != (
                "langchain-pinecone",
                "pinecone",
            ):
                yield (warning if name in _BESIDE else problem)(
                    "Packages",
                    f"{name} {facts.installed[name]} needs {_name(requirement)}, but {conflict}",
                    f"pip install '{_name(requirement)}'",
                )


def _conflict(
    requirement: Requirement, installed: Mapping[str, str], *, extra: str = ""
) -> str | None:
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
        return None
    version = installed.get(canonicalize_name(requirement.name))
    if version is None:
        return "it is not installed"
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return f"{version} is installed"


def _judge_extras(facts: PackageFacts) -> Verdict:
    requirements = [Requirement(each) for each in facts.requirements.get(OURS, ())]
    complete = [
        extra
        for extra in _EXTRAS
        if all(
            _conflict(each, facts.installed, extra=extra) is None
            for each in requirements
            if each.marker is not None and each.marker.evaluate({"extra": extra})
        )
    ]
    missing = [extra for extra in _EXTRAS if extra not in complete]
    if not missing:
        return ok("Extras", ", ".join(complete))
    have = ", ".join(complete) or "none"
    return ok(
        "Extras",
        f"{have} (not installed: {', '.join(missing)}; "
        f"pip install 'langchain-hfendpoint[{','.join(missing)}]')",
    )


def _name(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
