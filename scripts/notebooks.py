"""Make the notebooks in examples/ from the guides of the same tutorials.

    python scripts/notebooks.py             # make them and run them (needs nbclient and ipykernel)
    python scripts/notebooks.py --check     # end with 1 if they are not what the guides say
    python scripts/notebooks.py --run       # run them as they are, and keep nothing

Text becomes text cells, Python becomes code, and `text` blocks are left out, since a notebook shows
its own output. A block after `<!-- notebook: skip ... -->` needs an account, and becomes text.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = {
    "inference_endpoint_to_pinecone.ipynb": "guides/endpoint-to-pinecone.md",
    "embedding_as_a_service.ipynb": "guides/share-embeddings.md",
}
_BLOCK = re.compile(
    r"(?P<skip><!-- notebook: skip[^\n]*-->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```\n",
    flags=re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\((?!http)([\w./-]+)\.md(#[\w-]*)?\)")


def cells(page: str) -> list[tuple[str, str]]:
    """Divide a page into cells.

    Args:
        page: The page, as Markdown.

    Returns:
        Pairs of a cell's kind (`"markdown"` or `"code"`) and its content.
    """
    found: list[tuple[str, str]] = []
    start = 0
    for block in _BLOCK.finditer(page):
        found.append(("markdown", page[start : block.start()]))
        start = block.end()
        if block["language"] == "python" and not block["skip"]:
            found.append(("code", block["code"]))
        elif block["language"] != "text":
            found.append(("markdown", f"```{block['language']}\n{block['code']}```"))
    found.append(("markdown", page[start:]))
    return [(kind, _without_links(text).strip()) for kind, text in found if text.strip()]


def notebook(page: str) -> dict[str, Any]:
    """Make a notebook of a page.

    Args:
        page: The page, as Markdown.

    Returns:
        The notebook in nbformat 4.5, without outputs.
    """
    made = []
    for number, (kind, text) in enumerate(cells(page)):
        name = hashlib.sha256(f"{number}{text}".encode()).hexdigest()[:8]
        cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": text}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def sources(book: dict[str, Any]) -> list[tuple[str, str]]:
    """Give the cells of a notebook, whatever their outputs."""
    return [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]


def run(book: dict[str, Any]) -> dict[str, Any]:
    """Run a notebook in an empty folder, and give it with its outputs."""
    import nbformat
    from nbclient import NotebookClient

    opened = nbformat.from_dict(book)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(opened, timeout=600, resources=resources, coalesce_streams=True).execute()
    for cell in opened.cells:
        cell.metadata.pop("execution", None)  # when it ran is of no interest
        if cell.cell_type == "code":  # nor are progress bars and this machine's warnings
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    done: dict[str, Any] = opened
    return done


def _as_saved(book: dict[str, Any]) -> str:
    return json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _without_links(text: str) -> str:
    """Links to other pages lead nowhere from a notebook."""
    return re.sub(r"\[([^\]]+)" + _LINK.pattern, r"\1", text)


def main() -> None:
    """Make, check or run all notebooks."""
    for name, guide in NOTEBOOKS.items():
        path = ROOT / "examples" / name
        wanted = notebook((ROOT / "docs" / guide).read_text(encoding="utf-8"))
        if "--check" in sys.argv[1:]:
            if sources(json.loads(path.read_text(encoding="utf-8"))) != sources(wanted):
                sys.exit(f"{name} is not what {guide} says. Make it: python scripts/notebooks.py")
            continue
        done = run(wanted)
        if "--run" not in sys.argv[1:]:
            path.write_text(_as_saved(done), encoding="utf-8")


if __name__ == "__main__":
    main()
