"""`hfendpoint embed`: texts and their embeddings into a folder of Parquet files."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from langchain_hfendpoint._cli.options import endpoint_url_option, json_option, progress_option
from langchain_hfendpoint._cli.render import print_json, say
from langchain_hfendpoint._cli.services import open_endpoint

if TYPE_CHECKING:
    from langchain_hfendpoint._hub.encoding import Dtype
    from langchain_hfendpoint._indexing.vectors import OnError


@click.command()
@click.argument("source")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--column",
    default="hypothesis",
    show_default=True,
    help="What is embedded: hypothesis, premise, both, pair, or another column.",
)
@click.option("--split", help="Split to read.  [default: the source's own, or train]")
@click.option("--revision", help="Branch, tag or commit of a Hub data set.")
@click.option("--unique", is_flag=True, help="Keep only the first of equal texts.")
@click.option("--limit", type=click.IntRange(min=1), help="Texts to take.  [default: all]")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "int8"]),
    default="float32",
    show_default=True,
    help="How vectors are stored.",
)
@click.option(
    "--rows-per-shard",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Rows in a file: what a killed run may lose.",
)
@click.option(
    "--skip-errors", is_flag=True, help="Leave out texts that cannot be embedded, and list them."
)
@click.option("--license", "license_id", help="The source's license, such as cc-by-sa-4.0.")
@click.option(
    "--model",
    help="Model of the serverless API to embed with; with --endpoint-url, what it serves.",
)
@endpoint_url_option
@json_option
@progress_option
def embed(
    *,
    source: str,
    out: Path,
    column: str,
    split: str | None,
    revision: str | None,
    unique: bool,
    limit: int | None,
    dtype: Dtype,
    rows_per_shard: int,
    skip_errors: bool,
    license_id: str | None,
    model: str | None,
    endpoint_url: str | None,
    as_json: bool,
    progress: bool | None,
) -> None:
    """Embed SOURCE into the folder OUT.

    SOURCE is a Hub id, a local file (parquet, jsonl, csv, tsv), `sample`, or - for texts from
    stdin, one a line. Run it again and it continues where it stopped.

    Example: hfendpoint embed sample out --unique --limit 1000
    """
    from langchain_hfendpoint.document_loaders import SNLILoader
    from langchain_hfendpoint.embeddings import HFEndpointEmbeddings
    from langchain_hfendpoint.hub import EmbeddedDataset, Origin

    on_error: OnError = "skip" if skip_errors else "raise"
    with ExitStack() as resources:
        path = source
        if source == "-":
            source, column = "stdin", "text"
            path = str(_spool_stdin(Path(resources.enter_context(TemporaryDirectory()))))
        loader = SNLILoader(
            path, column=column, split=split, revision=revision, unique=unique, limit=limit
        )
        if model is not None and endpoint_url is None:
            embeddings = resources.enter_context(HFEndpointEmbeddings(model=model))
            say("Endpoint", f"{model}, serverless")
        else:
            named = {} if model is None else {"model": model}
            endpoint = resources.enter_context(open_endpoint(endpoint_url, **named))
            embeddings = endpoint.embeddings
            say("Endpoint", endpoint.description)
        embedded = EmbeddedDataset.create(
            loader,
            embeddings,
            out,
            dtype=dtype,
            rows_per_shard=rows_per_shard,
            origin=Origin(source, revision=revision, license=license_id),
            on_error=on_error,
            progress=progress,
        )
    failed = embedded.manifest.failed
    if as_json:
        print_json(
            {
                "path": str(out),
                "splits": embedded.splits,
                "dimension": embedded.provenance.dimension,
                "model": embedded.provenance.model,
                "dtype": dtype,
                "shards": len(embedded.manifest.shards),
                "bytes": sum(shard.bytes for shard in embedded.manifest.shards),
                "failed": [{"id": text.id, "reason": text.reason} for text in failed],
            }
        )
        return
    for text in failed:
        click.echo(f"Left out {text.id}: {text.reason}", err=True)
    click.echo(
        f"{len(embedded):,} texts with vectors of {embedded.provenance.dimension} numbers lie in "
        f"{out}. Share or index them:"
    )
    click.echo(f"  hfendpoint push {out} your-name/your-dataset")
    click.echo(f"  hfendpoint index {out}")


def _spool_stdin(folder: Path) -> Path:
    """Write the lines of stdin to a data file, which can be read like any other."""
    path = folder / "stdin.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for line in sys.stdin:
            file.write(json.dumps({"text": line.rstrip("\r\n")}) + "\n")
    return path
