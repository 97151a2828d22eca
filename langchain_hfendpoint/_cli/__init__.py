"""The `hfendpoint` command: parses, calls the library, renders.

Commands are imported when they are used, so that `hfendpoint local endpoint` starts as fast as
the server does, and a command whose extra is missing does not break the others.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import click

from langchain_hfendpoint.errors import HFEndpointError


class LazyGroup(click.Group):
    """A group whose commands are imported on first use.

    Args:
        commands: Name of each command to the dotted path of its click object.
    """

    def __init__(self, *, lazy: Mapping[str, str], **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self._lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of declaration."""
        return [*super().list_commands(ctx), *self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command if it is one of the lazy ones."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name].rpartition(".")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(
    cls=LazyGroup,
    lazy={
        "quickstart": "langchain_hfendpoint._cli.quickstart.quickstart",
        "search": "langchain_hfendpoint._cli.search.search",
        "embed": "langchain_hfendpoint._cli.embed.embed",
        "push": "langchain_hfendpoint._cli.push.push",
        "index": "langchain_hfendpoint._cli.index.index",
        "endpoint": "langchain_hfendpoint._cli.endpoint.endpoint",
        "indexes": "langchain_hfendpoint._cli.indexes.indexes",
        "local": "langchain_hfendpoint._cli.local.local",
        "doctor": "langchain_hfendpoint._cli.doctor.doctor",
        "bench": "langchain_hfendpoint._cli.bench.bench",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="langchain-hfendpoint")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def cli(*, debug: bool) -> None:
    """Embed with Hugging Face Inference Endpoints, search in Pinecone."""


def main() -> None:
    """Run the command.

    Exit codes: 0 done, 1 an error (in one sentence; `--debug` shows the traceback), 2 wrong usage,
    130 interrupted by Ctrl-C.
    """
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The same command continues where it stopped.", err=True)
        sys.exit(130)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"Error: {_sentence(error)}", err=True)
        sys.exit(1)


def _sentence(error: Exception) -> str:
    if isinstance(error, HFEndpointError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    said = str(error).strip().partition("\n")[0]
    return (
        f"{type(error).__name__}{': ' if said else ''}{said} (unexpected; "
        "`hfendpoint --debug ...` shows where)"
    )
