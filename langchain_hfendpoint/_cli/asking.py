"""Ask before something is lost or paid for."""

from __future__ import annotations

import sys

import click


def ask_first(question: str, *, yes: bool) -> None:
    """Ask a question on stderr, and leave unless the answer is yes.

    Args:
        question: The question.
        yes: Whether `--yes` has answered it already.

    Raises:
        click.UsageError: If there is nobody to ask (standard input is no terminal).
        click.exceptions.Exit: If the answer is no (exit code 1).
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is there to ask: say --yes.")
    if not click.confirm(question, err=True):
        click.echo("Nothing was done.", err=True)
        raise click.exceptions.Exit(1)
