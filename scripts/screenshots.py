"""Make the pictures in docs/assets by running the commands they show.

    python scripts/screenshots.py

A terminal is drawn as SVG by the few lines below: text in one font and size needs no library. Rates
and times in the pictures are those of the machine that ran this.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "docs" / "assets"
COLUMNS, ROWS = 88, 50

_CHARACTER, _LINE, _MARGIN = 8.4, 19, 16
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_screen(output: str) -> list[str]:
    """Give the lines that a terminal shows in the end.

    Args:
        output: What was written to it; a carriage return goes back to the start of the line.

    Returns:
        The lines, without the empty ones at the end.
    """
    lines = []
    for written in _ESCAPES.sub("", output).replace("\r\n", "\n").split("\n"):
        shown = ""
        for overwrite in written.split("\r"):
            shown = overwrite + shown[len(overwrite) :]
        lines.append(shown.rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


def draw(lines: list[str]) -> str:
    """Draw a terminal.

    Args:
        lines: What it shows.

    Returns:
        An SVG picture, legible on light and dark pages.
    """
    width = max(map(len, lines)) * _CHARACTER + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    texts = "\n".join(
        f'<text x="{_MARGIN}" y="{_MARGIN + _LINE * number + 14}" xml:space="preserve"'
        f' textLength="{len(line) * _CHARACTER:.1f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>\n'
        f'<g fill="#e4e7ec" font-family="{_FONT}" font-size="14">\n{texts}\n</g>\n</svg>\n'
    )


def run(*arguments: str) -> str:
    """Run `hfendpoint` in a terminal of its own, with nobody's accounts and data.

    Args:
        arguments: What follows `hfendpoint`.

    Returns:
        Everything it wrote there.

    Raises:
        CalledProcessError: If it fails.
    """
    screen, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "PINECONE_"))
    }
    with tempfile.TemporaryDirectory() as home:
        command = [str(Path(sys.executable).with_name("hfendpoint")), *arguments]
        process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**kept, "HFENDPOINT_HOME": home, "COLUMNS": str(COLUMNS), "TERM": "xterm"},
        )
        os.close(inside)
        written = bytearray()
        try:
            while read := os.read(screen, 65_536):
                written += read
        except OSError:  # how Linux tells that the other side has been closed
            pass
        finally:
            os.close(screen)
        output = written.decode(errors="replace").replace(home, "~/.hfendpoint")
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, command, output)
    return output


def under_way(output: str, share: int) -> str:
    """Cut the output of a command where its progress bar has passed a share.

    Args:
        output: All that was written.
        share: Percent.

    Returns:
        The output up to the first state of the bar that is at least there.
    """
    states = re.finditer(r"(\d+)%\|[^\r\n]*", output)
    ends = [state.end() for state in states if share <= int(state[1]) < 100]
    return output[: ends[0]] if ends else output


def save(name: str, command: str, output: str) -> None:
    """Save the picture of a command and what it wrote."""
    lines = [f"$ {command}", *on_screen(output)]
    (ASSETS / name).write_text(draw(lines), encoding="utf-8")


def main() -> None:
    """Make all pictures."""
    save("help.svg", "hfendpoint --help", run("--help"))
    quickstart = "quickstart", "--data", "sample", "--limit", "5000"
    shown = run(*quickstart)
    save("quickstart.svg", " ".join(("hfendpoint", *quickstart)), shown)
    save("progress.svg", " ".join(("hfendpoint", *quickstart)), under_way(shown, 60))
    sys.path.insert(0, str(ROOT))
    from benchmarks.simulated_endpoint import SimulatedEndpoint

    with SimulatedEndpoint() as endpoint:
        run("bench", endpoint.url, "--plot", str(ASSETS / "bench.png"))


if __name__ == "__main__":
    main()
