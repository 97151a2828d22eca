"""`hfendpoint local pinecone`: a Pinecone on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import click

from langchain_hfendpoint.local import pinecone as local
from langchain_hfendpoint.local._process import (
    api_key_from_environment,
    require_key_beyond_loopback,
    serve,
)

_BANNER = """\
The local Pinecone listens on {{url}} and {does} {folder}.
  export PINECONE_CONTROLLER_HOST={{url}}
  export PINECONE_API_KEY={key}
Stop it with Ctrl-C."""
_FILE = click.Path(dir_okay=False, path_type=Path)


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
    show_envvar=True,
    help="Key that clients must send; any key will do if there is none.",
)
@click.option("--read-only", is_flag=True, help="Change nothing; the folder may be in use.")
@click.option(
    "--consistency-delay",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds until a write can be read, as in the cloud.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="STATUS=SHARE",
    help="Let a share of the data plane's requests fail, such as 429=0.05; repeatable.",
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds that every request of the data plane takes longer.",
)
@click.option("--dump", "dump_file", type=_FILE, help="Write the folder to a Parquet file; end.")
@click.option("--restore", "restore_file", type=_FILE, help="Fill the folder from one; end.")
@click.option("--supervised", is_flag=True, hidden=True)
def pinecone(
    *,
    folder: Path,
    host: str,
    port: int,
    api_key: str | None,
    read_only: bool,
    consistency_delay: float,
    faults: tuple[str, ...],
    latency: float,
    dump_file: Path | None,
    restore_file: Path | None,
    supervised: bool,
) -> None:
    """Run a persistent Pinecone-compatible server on this machine.

    Example: hfendpoint local pinecone --dir ./pinecone --port 5080
    """
    if restore_file is not None:
        click.echo(f"Restored {local.restore(restore_file, folder):,} records.", err=True)
    if dump_file is not None:
        click.echo(f"Dumped {local.dump(folder, dump_file):,} records.", err=True)
    if restore_file is not None or dump_file is not None:
        return

    # NumPy reads this once, when it is imported: the search has threads of its own.
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from langchain_hfendpoint.local._pinecone.app import build_app
    from langchain_hfendpoint.local._pinecone.directory import Directory
    from langchain_hfendpoint.local._pinecone.faults import Faults

    key = (api_key_from_environment() if supervised else None) or api_key
    require_key_beyond_loopback(host, key)
    misfortune = Faults.parse(faults, latency=latency)
    with Directory(folder, consistency_delay=consistency_delay, read_only=read_only) as directory:
        serve(
            build_app(directory, api_key=key, faults=misfortune),
            host=host,
            port=port,
            supervised=supervised,
            banner=_BANNER.format(
                folder=folder,
                does="reads" if read_only else "keeps its data in",
                key="the-key-you-chose" if key else "any",
            ),
        )
