"""`hfendpoint local pinecone`: a Pinecone on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from langchain_hfendpoint.local._process import (
    api_key_from_environment,
    require_key_beyond_loopback,
    serve,
)

_BANNER = """\
The local Pinecone listens on {{url}} and keeps its data in {folder}.
  export PINECONE_CONTROLLER_HOST={{url}}
  export PINECONE_API_KEY={key}
Stop it with Ctrl-C."""


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to keep the data in; made if it is missing.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5081, show_default=True, help="Port to listen on; 0 takes any.")
@click.option(
    "--api-key",
    envvar="PINECONE_LOCAL_API_KEY",
    help="Key that clients must send; any key will do if there is none.",
)
@click.option("--supervised", is_flag=True, hidden=True)
def pinecone(*, folder: Path, host: str, port: int, api_key: str | None, supervised: bool) -> None:
    """Run a persistent Pinecone-compatible server on this machine."""
    from langchain_hfendpoint.local._pinecone.app import build_app
    from langchain_hfendpoint.local._pinecone.directory import Directory

    key = (api_key_from_environment() if supervised else None) or api_key
    require_key_beyond_loopback(host, key)
    shown = "the key you chose" if key else "any"
    serve(
        build_app(Directory(folder), api_key=key),
        host=host,
        port=port,
        supervised=supervised,
        banner=_BANNER.format(folder=folder, key=shown),
    )
