"""`hfendpoint push`: an embedded data set to the Hub."""

from __future__ import annotations

from pathlib import Path

import click

from langchain_hfendpoint._cli.options import json_option
from langchain_hfendpoint._cli.render import print_json


@click.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("repo")
@click.option(
    "--public", is_flag=True, help="Let everybody see it.  [default: a private repository]"
)
@click.option(
    "--message",
    default="Upload texts with their embeddings",
    show_default=True,
    help="Commit message.",
)
@json_option
def push(*, out: Path, repo: str, public: bool, message: str, as_json: bool) -> None:
    """Push the folder OUT to the Hub.

    OUT was made by `embed`; it becomes the data set REPO (owner/name), with the token of
    `hf auth login` or HF_TOKEN. Run it again and only what is missing is sent.

    Example: hfendpoint push out my-name/snli-embedded
    """
    from huggingface_hub import HfApi

    from langchain_hfendpoint.hub import EmbeddedDataset

    embedded = EmbeddedDataset.load(out, verify_checksums=False)  # pushing verifies them
    commit = embedded.push_to_hub(repo, private=not public, commit_message=message)
    url = f"{HfApi().endpoint}/datasets/{repo}"
    if as_json:
        print_json({"repo": repo, "url": url, "commit": commit, "rows": len(embedded)})
        return
    click.echo(f"{len(embedded):,} texts with their embeddings are at {url} (commit {commit[:7]}).")
