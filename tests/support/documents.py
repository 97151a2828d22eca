"""Run what a page shows, in the order it shows it.

The convention, by the language of a fenced block:

* `python` runs; a page has one namespace. With `title="NAME"` the block is a file of that name
  instead; a page that shows tests has them run by pytest.
* `diff` is a change to make: what is left after it runs as Python.
* `bash`: `hfendpoint` commands run, and must end with 0; servers (`hfendpoint local ...`) start,
  and run until the page ends. `export NAME=VALUE` is done unless VALUE is a placeholder. What
  `ELSEWHERE` names is not run here, and why.
* `text` after one of these is its output; `...` stands for anything.
* `json`, `toml`, `yaml` and `ini` show data.

Anything else is an error, so that nothing is left out unnoticed.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.commands import Commands

ELSEWHERE = {
    "cd": "the tests have a folder of their own",
    "git": "there is no repository to clone",
    "make": "CI runs these targets",
    "pip": "the package is installed already",
    "pytest": "the page's tests run when all of it has been read",
    "python examples/": "tests/integration_tests/test_examples.py",
    "python benchmarks/": "minutes, on a machine with nothing else to do",
    "uv": "as pip",
    "eval": "for interactive shells",
}
"""Commands that are shown but not run here: how they begin, and why."""

_SMALLER = {
    "quickstart": "--data sample --limit 300",
    "endpoint deploy": "--yes --refresh-every 0.01",
    "endpoint wait": "--refresh-every 0.01",
    "endpoint resume": "--refresh-every 0.01",
    "endpoint delete": "--yes",
    "indexes delete": "--yes",
    "bench": "--batch-size 32 --in-flight 1 --seconds 0.1",
}
"""Options that make a command quick, or answer its question; the last one given counts."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    flags=re.MULTILINE | re.DOTALL,
)
_DATA = frozenset({"json", "toml", "yaml", "ini"})
_OUTPUT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str | None
    text: str
    line: int


def docstrings_of(module: Path) -> str:
    """Give all docstrings of a module as one page."""
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) for node in nodes if isinstance(node, documented))
    return "\n\n".join(text for text in found if text)


def blocks_of(content: str) -> list[Block]:
    """Read a page's fenced blocks."""
    return [
        Block(
            language=found["language"],
            title=title[1] if (title := re.search(r'title="([^"]+)"', found["info"])) else None,
            text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            line=content.count("\n", 0, found.start()) + 1,
        )
        for found in _FENCE.finditer(content)
    ]


@dataclass
class PageRunner:
    """Run the blocks of one page.

    Attributes:
        name: What the page is called.
        content: The page.
        folder: The folder to run it in.
        commands: Runs `hfendpoint` in this process.
        monkeypatch: Sets the environment until the page ends.
        replaced: What the page says, to what stands in for it here: addresses, sizes.
    """

    name: str
    content: str
    folder: Path
    commands: Commands
    monkeypatch: pytest.MonkeyPatch
    replaced: dict[str, str]
    _names: dict[str, object] = field(default_factory=lambda: {"__name__": "page"})
    _servers: list[subprocess.Popen[str]] = field(default_factory=list)
    _said: str | None = None

    def run(self) -> None:
        """Run all blocks, then the tests that the page has written."""
        try:
            for block in blocks_of(self.content):
                self._run(block)
            if list(self.folder.glob("test_*.py")):
                self._run_tests()
        finally:
            for server in self._servers:
                server.terminate()
                server.communicate()

    def _run(self, block: Block) -> None:
        text, where = self._here(block.text), f"{self.name}:{block.line}"
        if block.title is not None:
            (self.folder / block.title).write_text(text, encoding="utf-8")
        elif block.language == "python":
            self._python(text, where)
        elif block.language == "diff":
            kept = (line for line in text.splitlines() if not line.startswith("-"))
            self._python("\n".join(line[1:] for line in kept), where)
        elif block.language == "bash":
            # Line by line, since a server that is started here has its address from then on.
            lines = block.text.replace("\\\n", " ").splitlines()
            self._said = "".join(self._shell(self._here(line), where) for line in lines)
        elif block.language == "text":
            self._compare(text, where)
        elif block.language not in _DATA:
            pytest.fail(f"{where}: what is to be done with {block.language or 'no'} language?")

    def _here(self, text: str) -> str:
        for theirs, ours in self.replaced.items():
            text = text.replace(theirs, ours)
        return text

    def _python(self, code: str, where: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            exec(compile(code, where, "exec"), self._names)
        self._said = said.getvalue()

    def _shell(self, line: str, where: str) -> str:
        words = shlex.split(line, comments=True)
        if not words or any(line.startswith(each) for each in ELSEWHERE):
            return ""
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            if "<" not in value and "..." not in value:
                self.monkeypatch.setenv(name, value)
            return ""
        if {"|", "<", ">"} & set(words):
            return self._bash(line, where)
        if words[0] != "hfendpoint":
            pytest.fail(f"{where}: {words[0]!r} is neither ours nor in ELSEWHERE")
        if words[1] == "local" and "--dump" not in words and "--restore" not in words:
            return self._serve(words[1:], where)
        ran = self.commands(*words[1:], *_smaller(words[1:]))
        assert ran.code == 0, f"{where}: {line}\n{ran.err}"
        return ran.err + ran.out

    def _bash(self, line: str, where: str) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-c", line],
            env={**os.environ, "PATH": path},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, f"{where}: {line}\n{ran.stderr}"
        return ran.stderr + ran.stdout

    def _serve(self, words: list[str], where: str) -> str:
        command = [sys.executable, "-m", "langchain_hfendpoint", *words, "--port", "0"]
        server = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stderr is not None
        banner = server.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", banner)
        assert address is not None, f"{where}: {banner}{server.stderr.read()}"
        default = {"endpoint": "8080", "pinecone": "5081"}[words[1]]
        port = words[words.index("--port") + 1] if "--port" in words else default
        self.replaced[f"http://127.0.0.1:{port}"] = address[0]
        return banner

    def _compare(self, wanted: str, where: str) -> None:
        assert self._said is not None, f"{where}: an output of nothing"
        checker = doctest.OutputChecker()
        if not checker.check_output(wanted, self._said, _OUTPUT):
            example = doctest.Example("", wanted)
            pytest.fail(f"{where}\n{checker.output_difference(example, self._said, _OUTPUT)}")

    def _run_tests(self) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:recording", str(self.folder)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def _smaller(words: list[str]) -> list[str]:
    return (_SMALLER.get(words[0]) or _SMALLER.get(" ".join(words[:2]), "")).split()
