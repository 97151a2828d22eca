"""Run `hfendpoint` as its users do: in this process, or in a terminal of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from langchain_hfendpoint._cli import main

_REDIRECTED = """
import sys
import huggingface_hub.constants
huggingface_hub.constants.INFERENCE_ENDPOINTS_ENDPOINT = sys.argv.pop(1) + "/v2"
from langchain_hfendpoint._cli import main
main()
"""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its outcome."""
        return json.loads(self.out)


class Commands:
    """Runs commands in this process, where loopback stand-ins can be put in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ran:
        self._monkeypatch.setattr(sys, "argv", ["hfendpoint", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)


class Terminal:
    """A command in a pseudo-terminal.

    Args:
        arguments: What follows `hfendpoint`.
        hugging_face: Base URL of the stand-in for Hugging Face.
        environment: What to add to the environment.
    """

    def __init__(self, *arguments: str, hugging_face: str, environment: Mapping[str, str]) -> None:
        self._screen, inside = pty.openpty()
        self.seen = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _REDIRECTED, hugging_face, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "HF_ENDPOINT": hugging_face, "TERM": "xterm", **environment},
            start_new_session=True,
        )
        os.close(inside)

    def wait_for(self, text: str, *, seconds: float = 60.0) -> None:
        """Read the screen until a text has come."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            if not self._read(deadline):
                pytest.fail(f"{text!r} did not come; the screen shows:\n{self.seen}")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._screen, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self, *, seconds: float = 60.0) -> int:
        """Read the screen until the command ends; give its exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        os.close(self._screen)
        return self._process.wait(timeout=seconds)

    def _read(self, deadline: float) -> bool:
        if not select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))[0]:
            self._process.kill()
            return False
        try:
            read = os.read(self._screen, 4096)
        except OSError:  # how Linux tells that the other side has been closed
            return False
        self.seen += read.decode(errors="replace")
        return bool(read)
