"""The command line: what was asked for, and the exit code.

Whatever is slow to import (numpy, textual) is imported where it is needed: `--help` and usage
errors come at once.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from backprop_engine.basics.limits import check_settings
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import SHORTHAND_NAME, STANDARD_INPUT, Source

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

OK, OFF, BAD, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141
"""What a shell reports of a program ended by SIGPIPE."""

_CANNOT_BE_WRITTEN = {
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO") if hasattr(errno, name)
}

_OPEN_HELP = """\
commands:
  backprop-tui [SCENARIO]        step through it on the screen; a recording (FILE.bp) as well
  backprop-tui run SCRIPT [ARG...]   record what a PyTorch script does, and step through that
  backprop-tui autopsy FILE.bp   where the first nan or inf of a recording was born
  backprop-tui check SCENARIO...   engine against torch, finite differences and formulas
  backprop-tui trace SCENARIO    every step as text
  backprop-tui ops [NAME]        what can be computed, with formulas and examples
  backprop-tui config            where settings are kept, and what they are

examples:
  backprop-tui                                pick one of the bundled scenarios
  backprop-tui my/lesson.yaml                 open a scenario file
  backprop-tui my/                            pick one from a folder
  backprop-tui -e 'x=2, y=x**2+3x+1'          open an expression
  backprop-tui -e @snippet.py                 open a few lines of PyTorch
  pbpaste | backprop-tui -                    open what comes from standard input
  backprop-tui check -e 'x=2, y=x**2+3x+1'    7, four times over
  backprop-tui trace -e 'x=2, y=x**2+3x+1'    the chain rule, step by step
"""

_INPUT_HELP = """\
in place of a file, - is standard input: YAML where the text begins with a key (`inputs:`),
a PyTorch program where a line imports or writes a tensor out (`torch.tensor(`), else one line
as with -e.
"""

_CHECK_HELP = """\
examples:
  backprop-tui check scenarios/                 every scenario in a folder and below
  backprop-tui check -e 'x=2, y=x**2+3x+1'
  backprop-tui check --json a.yaml b.yaml       one JSON object a line
  backprop-tui check - < snippet.py             what comes from standard input
  backprop-tui check --no-torch a.yaml          without starting torch

exit code: 0 all right, 1 a gradient or expectation is off or an oracle could not run,
2 a scenario is bad, 130 interrupted
"""

_RUN_HELP = """\
examples:
  backprop-tui run train.py --lr 0.1              as `python train.py --lr 0.1`; 3 iterations
  backprop-tui run --until-nan train.py           up to the first nan or inf, the last 3 kept
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

_CONFIG_HELP = """\
examples:
  backprop-tui config                    the path and the defaults, as commented TOML
  $EDITOR "$(backprop-tui config --path)"
"""

_TRACE_HELP = """\
examples:
  backprop-tui trace lesson.yaml
  backprop-tui trace -e 'x=2, y=x**2+3x+1'
  backprop-tui trace --json lesson.yaml | jq .contribution
  backprop-tui trace - < lesson.yaml
"""

_OPS_HELP = """\
examples:
  backprop-tui ops                     every operation, by group
  backprop-tui ops softmax             one of them: forms, derivatives, an example
  backprop-tui ops --json | jq .name
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _stand_in_for_closed_streams()
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more(sys.stdout)  # nobody reads on
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in _CANNOT_BE_WRITTEN:
            raise
        _write_no_more(sys.stdout)
        try:
            sys.stderr.write(f"backprop-tui: the output cannot be written: {error.strerror}\n")
            sys.stderr.flush()
        except OSError:
            _write_no_more(sys.stderr)  # then nobody can be told, but by the exit code
        return OFF


def _stand_in_for_closed_streams() -> None:
    """Where a stream was closed from the start, Python has None; no file may take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for as long as we run


def _write_no_more(stream: TextIO) -> None:
    """Let what is still in the buffer go nowhere; Python's own flush at exit may not complain."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _run(arguments: list[str]) -> int:
    try:
        check_settings()
    except ValueError as error:
        return _usage(str(error))
    try:
        code = _dispatch(arguments)
    except SystemExit as request:  # argparse: help, version, usage errors
        code = request.code if isinstance(request.code, int) else BAD
    sys.stdout.flush()  # here, where it is still told that it fails
    return code


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["check"]:
        return _check(_check_parser().parse_args(_in_order(arguments[1:])))
    if arguments[:1] == ["trace"]:
        return _trace(_trace_parser().parse_args(_in_order(arguments[1:])))
    if arguments[:1] == ["run"]:
        return _run_script(_run_parser().parse_args(arguments[1:]))
    if arguments[:1] == ["autopsy"]:
        return _autopsy(_autopsy_parser().parse_args(arguments[1:]))
    if arguments[:1] == ["ops"]:
        return _ops(_ops_parser().parse_args(arguments[1:]))
    if arguments[:1] == ["config"]:
        return _config(_config_parser().parse_args(arguments[1:]))
    return _open(_open_parser().parse_args(_in_order(arguments)))


# Arguments


def _open_parser() -> argparse.ArgumentParser:
    parser = _parser(
        "backprop-tui",
        "[SCENARIO]",
        "Step through the backward pass of a small program.",
        _OPEN_HELP,
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="begin without the breakpoints, watches and layout of the last time",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = _parser(
        "backprop-tui check",
        "SCENARIO...",
        "Compare every gradient with torch, finite differences and formulas, and check `expect`.",
        _CHECK_HELP,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a scenario")
    parser.add_argument("--no-torch", action="store_true", help="do without torch")
    parser.add_argument("--no-symbolic", action="store_true", help="do without formulas (sympy)")
    return parser


def _config_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="backprop-tui config",
        usage="backprop-tui config [--path]",
        description="Print where the configuration file is, and all settings as they are without "
        "one. Mistakes in the file are told, and make the exit code 2.",
        epilog=_CONFIG_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--path", action="store_true", help="print the path alone")
    return parser


def _trace_parser() -> argparse.ArgumentParser:
    parser = _parser(
        "backprop-tui trace", "SCENARIO", "Print every step, forward and backward.", _TRACE_HELP
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a step")
    return parser


def _run_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="backprop-tui run",
        usage="backprop-tui run [options] (SCRIPT | -m MODULE) [ARG...]",
        description="Run a Python script as Python does, and record what PyTorch does in it.",
        epilog=_RUN_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-o", metavar="FILE", dest="output", help="the recording; SCRIPT.PID.bp by default")
    add("--iterations", metavar="N", type=_whole, help="how many to record, 3 by default")
    add("--from", metavar="N", type=_whole, dest="first", default=0, help="let the first N pass")
    add("--until-nan", action="store_true", help="record up to the first nan or inf")
    add("--keep", metavar="N", type=_whole, default=3, help="with it, how many iterations to keep")
    add(
        "--values", metavar="MB", type=_megabytes, default=64.0,
        help="megabytes of values that are kept whole, or `all`; 64 by default",
    )  # fmt: skip
    add(
        "--stats", choices=("norm", "range"), default="norm",
        help="what is kept of others: the norm, or the least and the greatest as well",
    )  # fmt: skip
    add("--most", metavar="GB", type=_gigabytes, help="end the recording before it is larger")
    add("--keep-going", action="store_true", help="let the script go on afterwards, unrecorded")
    add("--no-source", action="store_true", help="leave the source out of the recording")
    add("--no-open", action="store_true", help="do not open the debugger afterwards")
    add("-m", action="store_true", dest="is_module", help="SCRIPT is a module's name")
    add("script", metavar="SCRIPT")
    add("arguments", metavar="ARG", nargs=argparse.REMAINDER)
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _megabytes(text: str) -> float:
    return float("inf") if text == "all" else _gigabytes(text)


def _gigabytes(text: str) -> float:
    number = float(text)
    if not number >= 0:
        raise ValueError
    return number


def _autopsy_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="backprop-tui autopsy",
        usage="backprop-tui autopsy [options] FILE.bp",
        description="Tell where the first nan or inf of a recording was born.",
        epilog=_AUTOPSY_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("recording", metavar="FILE.bp")
    return parser


def _ops_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="backprop-tui ops",
        usage="backprop-tui ops [options] [NAME...]",
        description="Look up operations: how they are written, what their derivatives are.",
        epilog=_OPS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="softmax, max, @, T, torch.exp")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON object an operation")
    how.add_argument("--markdown", action="store_true", help="the table that the README contains")
    return parser


def _parser(program: str, scenario: str, about: str, examples: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=program,
        usage=f"{program} [options] {scenario}",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
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
    parser.epilog = f"{examples}\n{_INPUT_HELP}"
    # Filled by `_in_order`, which keeps files and expressions in the order they were given.
    parser.add_argument("--scenario", dest="targets", action="append", help=argparse.SUPPRESS)
    return parser


def _in_order(arguments: Sequence[str]) -> list[str]:
    """The same arguments with each bare one as a `--scenario`."""
    ordered: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-e", "--expression"):
            text = next(rest, None)
            # Joined, so that a text may start with a minus sign.
            ordered.append(argument if text is None else f"--expression={text}")
        elif argument == "--":
            ordered.extend(f"--scenario={path}" for path in rest)
        elif argument.startswith("-") and argument != STANDARD_INPUT:
            ordered.append(argument)
        else:
            ordered.append(f"--scenario={argument}")
    return ordered


class _Parser(argparse.ArgumentParser):
    """argparse, whose errors repeat what was typed, on terms a terminal can bear."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print the help; OSError where that fails, which argparse itself keeps silent about."""
        (file or sys.stdout).write(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Print a usage message and exit with 2."""
        super().error(printable(message))


class _Version(argparse.Action):
    """Reading the metadata takes its time, and is done only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"backprop-tui {version('backprop-tui')}\n")
        parser.exit(OK)


# Commands


_NO_TERMINAL = (
    "the screen needs a terminal, and this is none.\n"
    "`backprop-tui check SCENARIO` and `backprop-tui trace SCENARIO` work everywhere"
)


def _open(options: argparse.Namespace) -> int:
    if len(options.targets) > 1:
        return _usage("one scenario at a time; `backprop-tui check` takes many")
    if options.targets == [STANDARD_INPUT]:
        return _open_input(options)
    if not _at_a_terminal():
        return _usage(_NO_TERMINAL)
    return _open_screen(options)


def _open_input(options: argparse.Namespace) -> int:
    """Open what comes from standard input; the keys come from the terminal then."""
    from backprop_tui.opening.standard_input import open_keyboard, take_keys_from

    keyboard = open_keyboard() if sys.stdout.isatty() else None
    if keyboard is None:
        return _usage(_NO_TERMINAL)
    options.targets = _with_input(options.targets)
    take_keys_from(keyboard)
    return _open_screen(options)


def _with_input(targets: Sequence[str | Source]) -> list[str | Source]:
    """The targets, `-` replaced by what comes from standard input. Raises SystemExit."""
    from backprop_tui.opening.standard_input import read_source

    if targets.count(STANDARD_INPUT) > 1:
        raise SystemExit(_usage("standard input can be read once; leave the other `-` out"))
    try:
        return [read_source() if one == STANDARD_INPUT else one for one in targets]
    except OSError as error:
        raise SystemExit(_usage(f"standard input cannot be read: {error.strerror}")) from None


def _open_screen(options: argparse.Namespace) -> int:
    gc.disable()  # what is imported stays; the app enables it with its first frame
    from backprop_tui.opening.bundled import bundled_scenarios

    target = options.targets[0] if options.targets else bundled_scenarios()
    if isinstance(target, str) and not Path(target).exists():
        return _usage(f"{printable(target)}: there is no such file")
    from backprop_tui.app.app import DebuggerApp
    from backprop_tui.app.signals import end_as_told
    from backprop_tui.config.folders import config_file, state_folder
    from backprop_tui.config.settings import TORCH_SWITCHED_OFF, read_settings, with_environment
    from backprop_tui.memory.keeper import Keeper

    settings = with_environment(read_settings(config_file()), os.environ)
    keeper = Keeper(state_folder(), settings.theme)
    app = DebuggerApp(
        target if isinstance(target, Source) else Path(target),
        oracle=None if settings.torch else TORCH_SWITCHED_OFF,
        settings=settings,
        keeper=keeper,
        fresh=options.fresh,
    )
    app.run()
    if keeper.trouble:  # the last try was on leaving, when the screen could not say it any more
        sys.stderr.write(f"backprop-tui: {printable(keeper.trouble)}\n")
    if app.opening.refusal is not None:
        sys.stderr.write(app.opening.refusal.error.render() + "\n")
        if isinstance(target, str) and target.endswith(".py"):
            said = f"to run it and record what it really does: backprop-tui run {target}"
            sys.stderr.write(f"backprop-tui: {printable(said)}\n")
        return BAD
    code = app.return_code or OK
    end_as_told(code)
    return code


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _check(options: argparse.Namespace) -> int:
    if not options.targets:
        return _usage("check what? Name a scenario, a folder, or give -e 'x=2, y=x**2'")
    from backprop_tui.config.folders import config_file
    from backprop_tui.config.time_limits import read_time_limits
    from backprop_tui.headless.run import check

    limits, mistakes = read_time_limits(config_file())
    sys.stderr.write("".join(f"{one}\n" for one in mistakes))
    return check(
        list(_expanded(_with_input(options.targets))),
        json=options.json,
        torch=not options.no_torch,
        symbolic=not options.no_symbolic,
        limits=limits,
    )


def _trace(options: argparse.Namespace) -> int:
    if len(options.targets) != 1:
        return _usage("trace takes one scenario, a file or -e 'x=2, y=x**2'")
    from backprop_tui.headless.run import trace

    return trace(_with_input(options.targets)[0], json=options.json)


def _run_script(options: argparse.Namespace) -> int:
    if not options.is_module and not Path(options.script).is_file():
        return _usage(f"{printable(options.script)}: there is no such file")
    from backprop_tui.headless.running import Run, run

    wanted = Run(
        script=options.script,
        arguments=tuple(options.arguments),
        is_module=options.is_module,
        output=options.output,
        iterations=options.iterations,
        first=options.first,
        until_nan=options.until_nan,
        keep=options.keep,
        values=options.values,
        with_range=options.stats == "range",
        most=options.most,
        keep_going=options.keep_going,
        with_source=not options.no_source,
        opens=_at_a_terminal() and not options.no_open,
    )
    return run(wanted)


def _autopsy(options: argparse.Namespace) -> int:
    from backprop_tui.headless.recordings import tell_autopsy

    return tell_autopsy(options.recording, json=options.json)


def _ops(options: argparse.Namespace) -> int:
    if options.names and options.markdown:
        return _usage("--markdown is the table of all operations; it takes no NAME")
    from backprop_tui.headless.run import reference

    return reference(options.names, json=options.json, markdown=options.markdown)


def _config(options: argparse.Namespace) -> int:
    from backprop_tui.config.defaults import default_text
    from backprop_tui.config.folders import config_file
    from backprop_tui.config.settings import read_settings, with_environment

    path = config_file()
    if options.path:
        sys.stdout.write(f"{path}\n")
        return OK
    sys.stdout.write(f"# {path}\n\n{default_text()}")
    mistakes = with_environment(read_settings(path), os.environ).mistakes
    sys.stderr.write("".join(f"{one}\n" for one in mistakes))
    return BAD if mistakes else OK


def _expanded(targets: Sequence[str | Source]) -> Iterator[str | Source]:
    """Folders replaced by the scenarios in and below them; an empty one stays, to be an error."""
    for target in targets:
        if isinstance(target, str) and Path(target).is_dir():
            found = [path for path in Path(target).rglob("*") if path.suffix in (".yaml", ".yml")]
            yield from sorted(map(str, found)) or [target]
        else:
            yield target


def _usage(message: str) -> int:
    lines = map(printable, message.split("\n"))
    sys.stderr.write("backprop-tui: " + "\n".join(lines) + "\n")
    return BAD
