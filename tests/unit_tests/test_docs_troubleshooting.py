"""Troubleshooting: an entry for every error, real messages, and the right error for each answer."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from langchain_hfendpoint import errors
from langchain_hfendpoint._engine.explain import to_error
from langchain_hfendpoint._engine.failures import read_failure

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
TREE = re.findall(r"(\w+Error)\b(?: \(| {2}|$)", inspect.getdoc(errors) or "", flags=re.MULTILINE)


def _literals() -> list[str]:
    """All texts in the package's code; a replacement field in one is `…`."""
    found = []
    for module in (ROOT / "langchain_hfendpoint").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "…" for part in node.values
                )
                found.append("".join(map(str, parts)))
    return found


LITERALS = _literals()


def test_the_tree_names_every_error_of_the_module() -> None:
    defined = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    assert defined - {"Sequence"} == set(TREE) - {"DeletionError"}


@pytest.mark.parametrize("error", [name for name in TREE if name != "HFEndpointError"])
def test_every_error_has_an_entry(error: str) -> None:
    assert f"\n### {error}\n" in PAGE


@pytest.mark.parametrize("message", re.findall(r"^> (.+)$", PAGE, flags=re.MULTILINE))
def test_messages_that_are_quoted_are_those_of_the_code(message: str) -> None:
    pattern = re.compile("…".join(re.escape(part) for part in message.rstrip("…").split("…")))
    assert any(pattern.search(text) for text in LITERALS)


SAID = re.findall(r"^\| (`+)(.+?)\1 \| ([\d, ]+) \| .* \| `(\w+)` \|$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("message", "status", "error"),
    [(said, int(status), error) for _, said, codes, error in SAID for status in codes.split(",")],
)
def test_what_a_server_says_becomes_the_error_that_is_named(
    message: str, status: int, error: str
) -> None:
    failure = read_failure(status, message.encode())
    raised = to_error(failure, endpoint="https://x", name=None, with_token=True, indices=[0])
    assert type(raised).__name__ == error


def test_all_rows_of_the_table_are_checked() -> None:
    table = PAGE.partition("## By what the server says")[2].partition("\n## ")[0]
    assert len(SAID) == table.count("\n| ") - 2
