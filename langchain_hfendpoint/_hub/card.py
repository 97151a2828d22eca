"""The dataset card: for people a page, for `load_dataset` the list of splits.

The template is filled by `string.Template`: that of huggingface_hub needs jinja2, for no more.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template

from huggingface_hub import DatasetCardData

from langchain_hfendpoint._hub.layout import CARD, DATA, write_atomically
from langchain_hfendpoint._hub.manifest import Manifest

REPO_PLACEHOLDER = "your-name/your-dataset"
"""Stands in a card for the repository, until it is pushed to one."""

_SIZES = {1_000: "1K", 10_000: "10K", 100_000: "100K", 1_000_000: "1M", 10_000_000: "10M"}
_SIZES |= {100_000_000: "100M", 1_000_000_000: "1B", 10_000_000_000: "10B"}
_SIZES |= {100_000_000_000: "100B", 1_000_000_000_000: "1T"}


def size_category(rows: int) -> str:
    """Name the Hub's size category of a data set."""
    lower = None
    for limit, name in _SIZES.items():
        if rows < limit:
            return f"n<{name}" if lower is None else f"{lower}<n<{name}"
        lower = name
    return f"n>{lower}"


def card_text(manifest: Manifest) -> str:
    """Write the card of a data set.

    Args:
        manifest: Its manifest.

    Returns:
        Markdown with a YAML head.
    """
    head = DatasetCardData(
        license=manifest.origin.license,
        size_categories=[size_category(sum(manifest.splits.values()))],
        configs=[
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"{DATA}/{split}-*.parquet"}
                    for split in manifest.splits
                ],
            }
        ],
        tags=["embeddings", "langchain-hfendpoint"],
    )
    template = resources.files(__package__).joinpath("card.md").read_text(encoding="utf-8")
    return f"---\n{head.to_yaml()}\n---\n\n{Template(template).substitute(_words(manifest))}"


def write_card(folder: Path, manifest: Manifest) -> None:
    """Write the card into the folder."""
    text = card_text(manifest)
    write_atomically(folder / CARD, lambda path: _write(path, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _words(manifest: Manifest) -> dict[str, str]:
    provenance, origin = manifest.provenance, manifest.origin
    split, split_rows = next(iter(manifest.splits.items()))
    scaled = manifest.dtype == "int8"
    name = origin.name or "Texts"
    return {
        "title": _plain(
            f"{name}, embedded" + (f" by {provenance.model}" if provenance.model else "")
        ),
        "rows": f"{sum(manifest.splits.values()):,}",
        "source": _cell(origin.name)
        + (f", revision `{origin.revision}`" if origin.revision else ""),
        "model": _cell(provenance.model),
        "revision": _cell(provenance.revision),
        "dimension": str(provenance.dimension),
        "normalized": {None: "not known", True: "yes", False: "no"}[provenance.normalized],
        "document_prompt": _prompt(provenance.document_prompt),
        "query_prompt": _prompt(provenance.query_prompt),
        "dtype": "int8, to be multiplied by `embedding_scale`" if scaled else manifest.dtype,
        "embedded_with": _cell(manifest.embedded_with),
        "failed": f"{len(manifest.failed):,} (listed in `embedding.json`)",
        "splits": ", ".join(f"`{name}` ({rows:,} rows)" for name, rows in manifest.splits.items()),
        "repo_id": REPO_PLACEHOLDER,
        "split": split,
        "split_rows": str(split_rows),
        "first_shard": manifest.shards[0].path,
        "decode_row": '  # int8; times rows[0]["embedding_scale"]' if scaled else "",
        "decode_frame": '  # int8; times frame["embedding_scale"]' if scaled else "",
        "license": (
            f"`{origin.license}`, as the source: the texts are in here."
            if origin.license
            else "Not known. The texts are in here, so the source's license holds for this too."
        ),
    }


def _plain(text: str) -> str:
    return " ".join(text.split())


def _cell(value: str | None) -> str:
    return "not known" if not value else f"`{_plain(value)}`".replace("|", "\\|")


def _prompt(value: str | None) -> str:
    return "none" if value == "" else _cell(value)
