"""A parser and a help text for each command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, Literal

from backprop_tui.arguments.parser import (
    Parser,
    Version,
    count,
    gigabytes,
    megabytes,
    port,
    positive,
    scenario_parser,
    whole,
)

_OPEN_HELP = """\
commands:
  backprop-tui [SCENARIO]           step through it; also a recording, FILE.bp
  backprop-tui run SCRIPT [ARG...]  record a PyTorch script, step through that
  backprop-tui autopsy FILE.bp      where its first nan or inf was born
  backprop-tui check SCENARIO...    against torch, differences and formulas
  backprop-tui trace SCENARIO       every step as text
  backprop-tui practice [FOLDER]    exercises that train what is due
  backprop-tui exercise SCENARIO    a sheet of questions, by --seed N
  backprop-tui grade SHEET...       what the answers are worth
  backprop-tui export SCENARIO      a lesson in one file, -o FILE.html
  backprop-tui serve [FOLDER]       the debugger in a browser, for a class
  backprop-tui ops [NAME]           what can be computed, with examples
  backprop-tui config               where settings are kept

examples:
  backprop-tui                                pick one of the bundled scenarios
  backprop-tui my/lesson.yaml                 open a scenario file
  backprop-tui my/                            pick one from a folder
  backprop-tui -e 'x=2, y=x**2+3x+1'          open an expression
  backprop-tui --broken sign my/lesson.yaml   beside an engine with a mistake
  backprop-tui -e @snippet.py                 open a few lines of PyTorch
  pbpaste | backprop-tui -                    open standard input
  backprop-tui check -e 'x=2, y=x**2+3x+1'    7, four times over
  backprop-tui trace -e 'x=2, y=x**2+3x+1'    the chain rule, step by step
"""

_CHECK_HELP = """\
examples:
  backprop-tui check scenarios/                 a folder and all below it
  backprop-tui check -e 'x=2, y=x**2+3x+1'
  backprop-tui check --json a.yaml b.yaml       one JSON object a line
  backprop-tui check - < snippet.py             what comes from standard input
  backprop-tui check --no-torch a.yaml          without starting torch
  backprop-tui check --github --junit report.xml scenarios/    in a workflow
  backprop-tui check --yours engine.py          where does my engine go wrong?
  backprop-tui check --yours engine.py:Value lesson.yaml
  backprop-tui check --broken overwrite scenarios/basic.yaml
  backprop-tui check --broken list              what can be forgotten there

--yours: a class with `backward` is an engine; `affine_forward` with `affine_backward(dout, cache)`,
and `softmax_loss`, are layers; `dlogits = ...` is an answer to a scenario that is named. FILE is
run, in a process with limits of time, memory and output that may start no other and write no file:
it is as safe as running it yourself.

exit code: 0 all right, 1 a gradient or expectation is off or an oracle could not run,
2 a scenario is bad or the file cannot be judged, 130 interrupted
"""

_RUN_HELP = """\
examples:
  backprop-tui run train.py --lr 0.1       as Python would; 3 iterations
  backprop-tui run --until-nan train.py    up to the first nan or inf
  backprop-tui run -o a.bp --no-open -m package.train

The recording holds the script's source and its numbers. An iteration ends with an optimiser's step,
or with a backward pass where there is no optimiser. Compiled code runs eagerly. exit code: that of
the script; 0 where it was ended because enough was recorded.
"""

_AUTOPSY_HELP = """\
examples:
  backprop-tui autopsy run.bp
  backprop-tui autopsy --json run.bp

exit code: 0 all is finite, 1 something is nan or inf, 2 the recording cannot be read
"""

_SERVE_HELP = """\
examples:
  backprop-tui serve                       the bundled scenarios
  backprop-tui serve lessons/              scenarios and recordings of a folder
  backprop-tui serve --host 192.168.1.20 lessons/    for the same network

Visitors step through what is served and do nothing else on this machine: no editor, no program, no
file. What each of them has set is forgotten when the page is closed. The address holds a secret;
who has it may come in.
"""

_CONFIG_HELP = """\
examples:
  backprop-tui config                    the path, and the defaults as TOML
  $EDITOR "$(backprop-tui config --path)"
"""

_TRACE_HELP = """\
examples:
  backprop-tui trace lesson.yaml
  backprop-tui trace -e 'x=2, y=x**2+3x+1'
  backprop-tui trace --json lesson.yaml | jq .contribution
  backprop-tui trace - < lesson.yaml
"""

_EXERCISE_HELP = """\
examples:
  backprop-tui exercise 05-neuron --seed 7 > anna.yaml    a bundled exercise
  backprop-tui exercise my/lesson.yaml --seed 7 -n 8        eight questions
  backprop-tui exercise 05-neuron --seed 7 --solution     with the answers

The same seed gives the same sheet, and each seed values of its own, chosen so that mistakes can
be told from one another.
"""

_GRADE_HELP = """\
examples:
  backprop-tui grade anna.yaml
  backprop-tui grade sheets/                  every sheet in a folder
  backprop-tui grade --csv sheets/ > grades.csv
  backprop-tui grade --junit report.xml sheets/

A right answer is a point. A wrong number that is right, given what was answered before, is half of
one. Nothing in a sheet is run. The scenario is looked for by its name in this folder, among the
bundled ones and beside the sheet, and has to be the one that the sheet was made from.
exit code: 0 all points, 1 not all, 2 a sheet is none, or its scenario is not there
"""

_EXPORT_HELP = """\
what is written, by the ending of FILE:
  .html  a page to step through, which works without a network
  .json  all numbers, for other programs
  .md    a worked solution; .tex the same for LaTeX
  .svg   the debugger's screen before step K, as --from says

examples:
  backprop-tui export lesson.yaml -o lesson.html
  backprop-tui export -e 'x=2, y=x**2+3x+1' -o solution.tex
  backprop-tui export lesson.yaml --quiz -o quiz.html
  backprop-tui export run.bp --from 100 --to 200 -o pass.html

exit code: 0 written, 1 the file cannot be written, 2 there is nothing to write
"""

_PRACTICE_HELP = """\
examples:
  backprop-tui practice                       the bundled exercises
  backprop-tui practice my/                   those of a folder

Each kind of mistake lies in one of five boxes. What you avoid rests for 1, 2, 4, 8, then 16 days;
what you make is due again the next day. The exercise that is drawn trains what is due first, with
values of its own. The boxes are kept beside breakpoints and layout.
exit code: 0, also where nothing is due; 2 there is nothing to practise
"""

_OPS_HELP = """\
examples:
  backprop-tui ops                     every operation, by group
  backprop-tui ops softmax             one of them, with an example
  backprop-tui ops --json | jq .name
"""


def open_parser() -> argparse.ArgumentParser:
    """To open a scenario or a recording on the screen."""
    about = "Step through the backward pass of a small program."
    parser = scenario_parser("", "[SCENARIO]", about, _OPEN_HELP)
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="begin without the breakpoints, watches and layout of the last time",
    )
    add_engines(parser)
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    return parser


def add_engines(parser: argparse.ArgumentParser) -> None:
    """The options that name another engine than ours."""
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--broken", metavar="KIND", help="judge an engine of ours with this mistake")
    whose.add_argument(
        "--yours",
        metavar="FILE[:NAME]",
        help="judge your own engine, layers or answers in FILE; runs it, in a limited process",
    )


def check_parser() -> argparse.ArgumentParser:
    """To check scenarios and recordings."""
    parser = scenario_parser(
        "check",
        "SCENARIO...",
        "Compare every gradient with torch, finite differences and formulas, and check `expect`.",
        _CHECK_HELP,
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON object a scenario")
    how.add_argument("--github", action="store_true", help="say what is off as GitHub marks it")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write a report for JUnit, too")
    add_engines(parser)
    parser.add_argument("--no-torch", action="store_true", help="do without torch")
    parser.add_argument("--no-symbolic", action="store_true", help="do without formulas (sympy)")
    return parser


def config_parser() -> argparse.ArgumentParser:
    """To look up the settings."""
    about = (
        "Print where the configuration file is, and all settings as they are without one. Mistakes "
        "in the file are told, and make the exit code 2."
    )
    parser = Parser("config", "[--path]", about, _CONFIG_HELP)
    parser.add_argument("--path", action="store_true", help="print the path alone")
    return parser


def trace_parser() -> argparse.ArgumentParser:
    """To print every step."""
    about = "Print every step, forward and backward."
    parser = scenario_parser("trace", "SCENARIO", about, _TRACE_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON object a step")
    return parser


WITH_VALUE: Final = ("-o", "--from", "--to")
"""Options of `export`."""


def export_parser() -> argparse.ArgumentParser:
    """To write a run into one file."""
    about = "Write a run into one file to hand on."
    parser = scenario_parser("export", "SCENARIO -o FILE", about, _EXPORT_HELP)
    add = parser.add_argument
    add("-o", metavar="FILE", dest="output", required=True, help="the file to write")
    add("--from", metavar="K", type=whole, dest="first", default=0, help="begin before step K")
    add("--to", metavar="K", type=whole, dest="last", help="end before step K")
    add("--quiz", action="store_true", help="a page that asks before it shows")
    add("--source", action="store_true", help="with the source that a recording holds")
    return parser


class Run(argparse.Namespace):
    """What `run` is asked for; `iterations` is None where nothing is said."""

    script: str
    arguments: list[str]
    is_module: bool
    output: str | None
    iterations: int | None
    first: int
    until_nan: bool
    keep: int
    values: float
    """Megabytes."""
    stats: Literal["norm", "range"]
    most: float | None
    """Gigabytes."""
    deep: bool
    check_functions: bool
    keep_going: bool
    no_source: bool
    no_open: bool


def run_parser() -> argparse.ArgumentParser:
    """To record what a script does."""
    about = "Run a Python script as Python does, and record what PyTorch does in it."
    parser = Parser("run", "[options] (SCRIPT | -m MODULE) [ARG...]", about, _RUN_HELP)
    add = parser.add_argument
    add("-o", metavar="FILE", dest="output", help="the recording; SCRIPT.PID.bp by default")
    add("--iterations", metavar="N", type=whole, help="how many to record, 3 by default")
    add("--from", metavar="N", type=whole, dest="first", default=0, help="let the first N pass")
    add("--until-nan", action="store_true", help="record up to the first nan or inf")
    add("--keep", metavar="N", type=whole, default=3, help="with it, how many iterations to keep")
    add(
        "--values", metavar="MB", type=megabytes, default=64.0,
        help="megabytes of values that are kept whole, none of them larger than a 256th of that, "
        "or `all`; 64 by default",
    )  # fmt: skip
    add(
        "--stats", choices=("norm", "range"), default="norm",
        help="what is kept of others: the norm, or the least and the greatest as well",
    )  # fmt: skip
    add("--deep", action="store_true", help="look inside of calls too; many times slower")
    add(
        "--check-functions", action="store_true",
        help="check the backward of custom Functions by finite differences, at the end",
    )  # fmt: skip
    add("--most", metavar="GB", type=gigabytes, help="end the recording before it is larger")
    add("--keep-going", action="store_true", help="let the script go on afterwards, unrecorded")
    add("--no-source", action="store_true", help="leave the source out of the recording")
    add("--no-open", action="store_true", help="do not open the debugger afterwards")
    add("-m", action="store_true", dest="is_module", help="SCRIPT is a module's name")
    add("script", metavar="SCRIPT")
    add("arguments", metavar="ARG", nargs=argparse.REMAINDER)
    return parser


def autopsy_parser() -> argparse.ArgumentParser:
    """To find the first nan or inf of a recording."""
    about = "Tell where the first nan or inf of a recording was born."
    parser = Parser("autopsy", "[options] FILE.bp", about, _AUTOPSY_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("recording", metavar="FILE.bp")
    return parser


def serve_parser() -> argparse.ArgumentParser:
    """To serve the screen to browsers."""
    about = "Let people step through scenarios and recordings in a browser."
    parser = Parser("serve", "[options] [SCENARIO | FOLDER | RECORDING]", about, _SERVE_HELP)
    add = parser.add_argument
    add("--port", metavar="N", type=port, default=8000, help="8000 by default; 0 is any")
    add("--host", metavar="H", default="127.0.0.1", help="for others: this machine's address")
    add("--most", metavar="N", type=positive, default=8, help="people at once, 8 by default")
    add("--torch", action="store_true", help="ask torch too: 250 MB more for each of them")
    add("served", metavar="SCENARIO", nargs="?")
    return parser


def exercise_parser() -> argparse.ArgumentParser:
    """To make a sheet."""
    about = "Print a sheet of questions about a scenario, to be filled in and graded."
    parser = Parser("exercise", "SCENARIO --seed N [options]", about, _EXERCISE_HELP)
    parser.add_argument("scenario", metavar="SCENARIO")
    parser.add_argument("--seed", metavar="N", type=whole, required=True, help="of the values")
    parser.add_argument(
        "-n", metavar="QUESTIONS", type=count, dest="questions", default=5, help="5 by default"
    )
    parser.add_argument("--solution", action="store_true", help="with the answers")
    return parser


def grade_parser() -> argparse.ArgumentParser:
    """To grade sheets."""
    about = "Grade sheets, and tell which mistakes they show."
    parser = Parser("grade", "[options] SHEET...", about, _GRADE_HELP)
    parser.add_argument("sheets", metavar="SHEET", nargs="+")
    form = parser.add_mutually_exclusive_group()
    for name, help_ in (("json", "one JSON object a sheet"), ("csv", "a row a sheet")):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=help_)
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write a report for JUnit, too")
    return parser


def practice_parser() -> argparse.ArgumentParser:
    """To practise."""
    about = "Answer before it is shown: exercises that train the mistakes that are due."
    parser = Parser("practice", "[FOLDER]", about, _PRACTICE_HELP)
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?")
    return parser


def ops_parser() -> argparse.ArgumentParser:
    """To look up operations."""
    about = "Look up operations: how they are written, what their derivatives are."
    parser = Parser("ops", "[options] [NAME...]", about, _OPS_HELP)
    parser.add_argument("names", nargs="*", metavar="NAME", help="softmax, max, @, T, torch.exp")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON object an operation")
    how.add_argument("--markdown", action="store_true", help="the table of docs/operations.md")
    return parser
