"""What every command promises: help with an example that can be copied, and JSON on demand."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from langchain_hfendpoint._cli import cli
from langchain_hfendpoint._cli.render import print_fields, print_table

_SERVERS = {"local endpoint", "local pinecone"}


def commands(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        full = f"{path} {name}".strip()
        yield from (
            commands(command, full) if isinstance(command, click.Group) else [(full, command)]
        )


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_an_example_on_one_line(name: str) -> None:
    shown = CliRunner().invoke(cli, [*name.split(), "--help"], prog_name="hfendpoint")
    assert shown.exit_code == 0
    (example,) = [line for line in shown.output.splitlines() if line.startswith("  Example: ")]
    words = example.split()[1:]
    assert words[: 1 + len(name.split())] == ["hfendpoint", *name.split()]
    # What click wraps cannot be copied.
    written = COMMANDS[name].help or ""
    assert example.strip() in written


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    silent = [
        option.name
        for option in COMMANDS[name].params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert silent == []


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - _SERVERS))
def test_every_command_but_the_servers_gives_json(name: str) -> None:
    assert any("--json" in option.opts for option in COMMANDS[name].params)


def test_completion_knows_the_commands() -> None:
    environment = {
        "_HFENDPOINT_COMPLETE": "bash_complete",
        "COMP_WORDS": "hfendpoint endpoint de",
        "COMP_CWORD": "2",
    }
    completed = CliRunner().invoke(cli, [], prog_name="hfendpoint", env=environment)
    assert completed.output.split() == ["plain,delete", "plain,deploy", "plain,describe"]


def test_a_table_puts_numbers_to_the_right_and_leaves_gaps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(["NAME", "COUNT"], [["a", "1,000"], ["long", "7"], [None, None]])
    assert capsys.readouterr().out.splitlines() == ["NAME  COUNT", "a     1,000", "long      7", ""]


def test_fields_that_are_not_known_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"Name": "a", "Dimension": 3, "Model": None})
    assert capsys.readouterr().out.splitlines() == ["Name       a", "Dimension  3"]
