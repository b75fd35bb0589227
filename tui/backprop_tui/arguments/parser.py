"""Parsers of the command line: what all commands have in common."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Collection, Sequence
from itertools import groupby, islice
from math import inf
from typing import TYPE_CHECKING, NoReturn, TypeVar

from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import SHORTHAND_NAME, STANDARD_INPUT, Source

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_INPUT_HELP = """\
in place of a file, - is standard input: YAML where the text begins with a key (`inputs:`),
a PyTorch program where a line imports or writes a tensor out (`torch.tensor(`), else one line
as with -e.
"""


def scenario_parser(
    command: str, scenario: str, about: str, examples: str
) -> argparse.ArgumentParser:
    """A parser of scenarios: files, or `-e TEXT`."""
    parser = Parser(command, f"[options] {scenario}", about, f"{examples}\n{_INPUT_HELP}")
    parser.set_defaults(targets=[])
    parser.add_argument(
        "-e",
        "--expression",
        metavar="TEXT",
        dest="targets",
        action="append",
        type=lambda text: text[1:] if text[:1] == "@" else Source(SHORTHAND_NAME, text),
        help="a scenario in one line, such as 'x=2, y=x**2+3x+1', or @FILE.py, a PyTorch snippet",
    )
    # Filled by `in_order`, which keeps files and expressions in the order they were given.
    parser.add_argument("--scenario", dest="targets", action="append", help=argparse.SUPPRESS)
    return parser


_VALUED = {
    "-e": "--expression",
    **{option: option for option in ("--expression", "--junit", "--yours", "--broken")},
}
"""Options that take the next word, by how they may be written."""


def in_order(arguments: Sequence[str], with_value: Collection[str] = ()) -> list[str]:
    """The same arguments with each bare one as a `--scenario`, but for the values of options."""
    ordered: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in _VALUED:
            text = next(rest, None)
            # Joined, so that a text may start with a minus sign.
            ordered.append(argument if text is None else f"{_VALUED[argument]}={text}")
        elif argument in with_value:
            ordered += [argument, *islice(rest, 1)]
        elif argument == "--":
            ordered.extend(f"--scenario={path}" for path in rest)
        elif argument.startswith("-") and argument != STANDARD_INPUT:
            ordered.append(argument)
        else:
            ordered.append(f"--scenario={argument}")
    return ordered


class _Help(argparse.HelpFormatter):
    """Sentences fill the width of the terminal; what is indented stays as it is written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        told: list[str] = []
        for is_prose, block in groupby(text.splitlines(), lambda line: line[:1].strip() != ""):
            lines = list(block)
            told += textwrap.wrap(" ".join(lines), width) if is_prose else lines
        return "".join(f"{indent}{line}\n" for line in told)


class Parser(argparse.ArgumentParser):
    """argparse, whose errors repeat what was typed, on terms a terminal can bear."""

    def __init__(self, command: str, usage: str, description: str, epilog: str) -> None:
        program = f"backprop-tui {command}".strip()
        super().__init__(
            prog=program,
            usage=f"{program} {usage}",
            description=description,
            epilog=epilog,
            formatter_class=_Help,
            allow_abbrev=False,
        )

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; OSError where that fails, which argparse itself keeps silent about."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Print a usage message and exit with 2."""
        super().error(printable(message))


class Version(argparse.Action):
    """Reading the metadata takes its time, and is done only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and exit with 0."""
        from importlib.metadata import version

        sys.stdout.write(f"backprop-tui {version('backprop-tui')}\n")
        parser.exit(0)


_Number = TypeVar("_Number", int, float)


def _from(
    name: str, kind: type[_Number], least: float, most: float = inf
) -> Callable[[str], _Number]:
    """What reads a number from `least` to `most`; by its name argparse tells what is none."""

    def read(text: str) -> _Number:
        number = kind(text)
        if not least <= number <= most:
            raise ValueError
        return number

    read.__name__ = name
    return read


whole = _from("whole", int, 0)
positive = _from("positive", int, 1)
count = _from("count", int, 1, 1000)
port = _from("port", int, 0, 2**16 - 1)
gigabytes = _from("gigabytes", float, 0)


def megabytes(text: str) -> float:
    """A number of megabytes, or `all`."""
    return inf if text == "all" else gigabytes(text)
