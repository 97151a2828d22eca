"""Every command and option is in docs/command-line.md, as it is in the code."""

import importlib.util
from pathlib import Path
from types import ModuleType

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]


def _script() -> ModuleType:
    path = ROOT / "scripts" / "cli_reference.py"
    spec = importlib.util.spec_from_file_location("cli_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
PAGE: str = SCRIPT.PAGE.read_text(encoding="utf-8")
COMMANDS = [pytest.param(path, command, id=" ".join(path)) for path, command in SCRIPT.commands()]
LEAVES = [each for each in COMMANDS if not isinstance(each.values[1], click.Group)]


def _section(path: tuple[str, ...]) -> str:
    heading = f"## {' '.join(path)}\n"
    assert heading in PAGE, "write the page: python scripts/cli_reference.py"
    return PAGE.partition(heading)[2].partition("\n##")[0]


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_a_command_and_its_options_are_documented(
    path: tuple[str, ...], command: click.Command
) -> None:
    section = _section(path)
    assert command.help
    for option in SCRIPT.options(command):
        for spelling in (*option.opts, *option.secondary_opts):
            assert f"`{spelling}`" in section
        assert option.help, f"{option.opts[-1]} says nothing about itself"
        assert not option.envvar or f"`{option.envvar}`" in section


@pytest.mark.parametrize(("path", "command"), LEAVES)
def test_a_command_has_an_example_of_itself(path: tuple[str, ...], command: click.Command) -> None:
    assert f"Example: {' '.join(path)}" in (command.help or "")


def test_the_page_is_what_the_commands_say() -> None:
    assert SCRIPT.page(PAGE) == PAGE, "write the page: python scripts/cli_reference.py"
