"""Write the command reference in docs/command-line.md from the commands themselves.

python scripts/cli_reference.py           # write it
python scripts/cli_reference.py --check   # end with 1 if it is not up to date
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from langchain_hfendpoint._cli import cli

PAGE = Path(__file__).resolve().parents[1] / "docs" / "command-line.md"
BEGIN = "<!-- Below this line: written by scripts/cli_reference.py from the commands. -->\n"


def commands(
    command: click.Command = cli, path: tuple[str, ...] = ("hfendpoint",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Walk the commands.

    Args:
        command: Where to start.
        path: How it is called.

    Yields:
        What to type, word by word, and the command; groups before their members.
    """
    yield path, command
    if isinstance(command, click.Group):
        for name in _members(command):
            member = command.get_command(click.Context(command), name)
            if member is not None:
                yield from commands(member, (*path, name))


def options(command: click.Command) -> list[click.Option]:
    """Give a command's options, but for hidden ones and `--help`."""
    return [each for each in command.params if isinstance(each, click.Option) and not each.hidden]


def reference() -> str:
    """Write the reference of all commands, as Markdown."""
    return "\n".join(_section(path, command) for path, command in commands())


def page(existing: str) -> str:
    """Give the page with an up-to-date reference.

    Args:
        existing: The page as it is.

    Returns:
        The same above the mark, the reference below it.
    """
    return f"{existing.partition(BEGIN)[0]}{BEGIN}\n{reference()}"


def _section(path: tuple[str, ...], command: click.Command) -> str:
    about, _, example = inspect.cleandoc(command.help or "").partition("Example: ")
    usage = " ".join([*path, *command.collect_usage_pieces(click.Context(command))])
    parts = [f"{'##' if len(path) == 1 else '###'} {' '.join(path)}\n", f"{about.strip()}\n"]
    parts.append(f"Usage: `{usage}`\n")
    if example:
        parts.append(f"```bash\n{' '.join(example.split())}\n```\n")
    rows = [_row(command, option) for option in options(command)]
    if rows:
        parts += ["| option | meaning |", "| --- | --- |", *rows, ""]
    if isinstance(command, click.Group):
        links = (f"[`{name}`](#{'-'.join((*path, name))})" for name in _members(command))
        parts.append(f"Commands: {', '.join(links)}\n")
    return "\n".join(parts)


def _members(group: click.Group) -> list[str]:
    """Name a group's commands as they were declared: click sorts them."""
    return list(dict.fromkeys([*group.commands, *group.list_commands(click.Context(group))]))


def _row(command: click.Command, option: click.Option) -> str:
    spelled = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if not option.is_flag:
        spelled += f" {_takes(option)}"
    about, _, default = (option.help or "").partition("  [default: ")
    facts = [about]
    if default or (default := _default(command, option)):
        facts.append(f"Default: {default.rstrip(']')}.")
    if isinstance(option.type, (click.IntRange, click.FloatRange)):
        facts.append(_range(option.type))
    if option.envvar:
        facts.append(f"Environment: `{option.envvar}`.")
    return f"| {spelled} | {' '.join(facts)} |"


def _takes(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return " or ".join(map(str, option.type.choices))
    return option.type.name.split()[0].upper()


def _default(command: click.Command, option: click.Option) -> str:
    shown = option.show_default
    if shown is None:
        shown = command.context_settings.get("show_default", False)
    value = option.default
    if not shown or isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(numbers: click.IntRange | click.FloatRange) -> str:
    parts = []
    if numbers.min is not None:
        parts.append(f"{'more than' if numbers.min_open else 'at least'} {numbers.min:g}")
    if numbers.max is not None:
        parts.append(f"at most {numbers.max:g}")
    return f"{', '.join(parts).capitalize()}."


def main() -> None:
    """Write the page, or check it."""
    existing = PAGE.read_text(encoding="utf-8")
    wanted = page(existing)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
    elif wanted != existing:
        sys.exit(f"{PAGE.name} is not up to date. Write it: python scripts/cli_reference.py")


if __name__ == "__main__":
    main()
