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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from backprop_engine.basics.limits import check_settings
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import STANDARD_INPUT, Source
from backprop_tui.arguments.commands import (
    WITH_VALUE,
    Run,
    autopsy_parser,
    check_parser,
    config_parser,
    exercise_parser,
    export_parser,
    grade_parser,
    open_parser,
    ops_parser,
    practice_parser,
    run_parser,
    serve_parser,
    trace_parser,
)
from backprop_tui.arguments.parser import in_order
from backprop_tui.oracles.yours.file import file_of

if TYPE_CHECKING:
    from backprop_tui.app.yours_desk import Examines
    from backprop_tui.opening.practice import Course

OK, OFF, BAD, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141
"""What a shell reports of a program ended by SIGPIPE."""

_CANNOT_BE_WRITTEN = {
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO") if hasattr(errno, name)
}


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
    command = _COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        return _open(open_parser().parse_args(in_order(arguments)))
    return command(arguments[1:])


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
        return [read_source() if target == STANDARD_INPUT else target for target in targets]
    except OSError as error:
        raise SystemExit(_usage(f"standard input cannot be read: {error.strerror}")) from None


def _open_screen(options: argparse.Namespace, course: Course | None = None) -> int:
    gc.disable()  # what is imported stays; the app enables it with its first frame
    from backprop_tui.opening.bundled import bundled_scenarios

    target = options.targets[0] if options.targets else bundled_scenarios()
    if isinstance(target, str) and not Path(target).exists():
        return _usage(f"{printable(target)}: there is no such file")
    if options.yours is not None and not Path(file_of(options.yours).path).is_file():
        return _usage(f"{printable(file_of(options.yours).path)}: there is no such file")
    if options.broken is not None:
        from backprop_engine.mistakes.broken import BROKEN, no_such

        if options.broken not in BROKEN:
            return _usage(no_such(options.broken))
    from backprop_tui.app.app import DebuggerApp
    from backprop_tui.app.signals import end_as_told
    from backprop_tui.config.folders import config_file, state_folder
    from backprop_tui.config.settings import TORCH_SWITCHED_OFF, read_settings, with_environment
    from backprop_tui.memory.keeper import Keeper
    from backprop_tui.opening.targets import advised

    settings = with_environment(read_settings(config_file()), os.environ)
    keeper = Keeper(state_folder(), settings.theme)
    app = DebuggerApp(
        target if isinstance(target, Source) else Path(target),
        oracle=None if settings.torch else TORCH_SWITCHED_OFF,
        settings=settings,
        keeper=keeper,
        fresh=options.fresh,
        course=course,
        yours=_examiner(options),
    )
    left = app.run()
    if keeper.trouble:  # the last try was on leaving, when the screen could not say it any more
        sys.stderr.write(f"backprop-tui: {printable(keeper.trouble)}\n")
    if isinstance(left, str):
        sys.stdout.write(f"{left}\n")
    if isinstance(left, Path):
        return _run_script([str(left)])
    if app.opening.refusal is not None:
        sys.stderr.write(advised(app.opening.refusal.error) + "\n")
        return BAD
    code = app.return_code or OK
    end_as_told(code)
    return code


def _examiner(options: argparse.Namespace) -> Examines | None:
    """Who judges the learner's file, or the broken engine, that is named, if one is."""
    if options.broken is not None:
        from backprop_tui.oracles.yours.broken import examiner_of

        return examiner_of(options.broken)
    if options.yours is None:
        return None
    from backprop_tui.oracles.yours.examining import Examiner

    return Examiner(file_of(options.yours))


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _check(options: argparse.Namespace) -> int:
    from backprop_tui.headless.reports import Report

    report = Report(github=options.github, junit=options.junit)
    if options.yours is not None:
        from backprop_tui.headless.yours import check_yours

        targets = list(_expanded(_with_input(options.targets)))
        return check_yours(options.yours, targets, json=options.json, report=report)
    if options.broken is not None:
        if options.github or options.junit:
            return _usage("--broken is for looking at; --github and --junit are not for it")
        from backprop_tui.headless.broken import check_broken

        targets = list(_expanded(_with_input(options.targets)))
        return check_broken(options.broken, targets, json=options.json)
    if not options.targets:
        return _usage("check what? Name a scenario, a folder, or give -e 'x=2, y=x**2'")
    from backprop_tui.config.folders import config_file
    from backprop_tui.config.time_limits import read_time_limits
    from backprop_tui.headless.run import check

    limits, mistakes = read_time_limits(config_file())
    sys.stderr.write("".join(f"{mistake}\n" for mistake in mistakes))
    return check(
        list(_expanded(_with_input(options.targets))),
        json=options.json,
        torch=not options.no_torch,
        symbolic=not options.no_symbolic,
        limits=limits,
        report=report,
    )


def _trace(options: argparse.Namespace) -> int:
    if len(options.targets) != 1:
        return _usage("trace takes one scenario, a file or -e 'x=2, y=x**2'")
    from backprop_tui.headless.run import trace

    return trace(_with_input(options.targets)[0], json=options.json)


def _export(options: argparse.Namespace) -> int:
    if len(options.targets) != 1:
        return _usage("export takes one scenario or recording, a file or -e 'x=2, y=x**2'")
    from backprop_tui.headless.export import export

    return export(_with_input(options.targets)[0], options)


def _run_script(arguments: Sequence[str]) -> int:
    options = run_parser().parse_args(arguments, Run())
    if not options.is_module and not Path(options.script).is_file():
        return _usage(f"{printable(options.script)}: there is no such file")
    from backprop_tui.headless.running import run

    return run(options, opens=_at_a_terminal() and not options.no_open)


def _serve(options: argparse.Namespace) -> int:
    from backprop_tui.serving.command import serve

    return serve(options)


def _autopsy(options: argparse.Namespace) -> int:
    from backprop_tui.headless.recordings import tell_autopsy

    return tell_autopsy(options.recording, json=options.json)


def _ops(options: argparse.Namespace) -> int:
    if options.names and options.markdown:
        return _usage("--markdown is the table of all operations; it takes no NAME")
    from backprop_tui.headless.run import reference

    return reference(options.names, json=options.json, markdown=options.markdown)


def _exercise(options: argparse.Namespace) -> int:
    from backprop_tui.headless.exercises.commands import exercise

    return exercise(options.scenario, options.seed, options.questions, solved=options.solution)


def _grade(options: argparse.Namespace) -> int:
    from backprop_tui.headless.exercises.commands import grade

    return grade(options.sheets, options.form or "table", options.junit)


def _practice(options: argparse.Namespace) -> int:
    from backprop_tui.config.folders import state_folder
    from backprop_tui.opening.bundled import bundled_scenarios
    from backprop_tui.opening.practice import Course

    folder = options.folder or bundled_scenarios() / "exercises"
    if not folder.is_dir():
        return _usage(f"{printable(str(folder))}: there is no such folder")
    course = Course(folder, state_folder())
    if course.nothing_due:
        sys.stdout.write(f"{course.nothing_due}\n")
        return OK if course.kinds else BAD
    if not _at_a_terminal():
        return _usage(_NO_TERMINAL)
    options.targets, options.fresh = [str(folder)], True
    options.yours = options.broken = None
    return _open_screen(options, course)


def _config(options: argparse.Namespace) -> int:
    from backprop_tui.config.folders import config_file
    from backprop_tui.config.settings import default_text, read_settings, with_environment

    path = config_file()
    if options.path:
        sys.stdout.write(f"{path}\n")
        return OK
    sys.stdout.write(f"# {path}\n\n{default_text()}")
    mistakes = with_environment(read_settings(path), os.environ).mistakes
    sys.stderr.write("".join(f"{mistake}\n" for mistake in mistakes))
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


_COMMANDS: Final[Mapping[str, Callable[[list[str]], int]]] = {
    "check": lambda rest: _check(check_parser().parse_args(in_order(rest))),
    "trace": lambda rest: _trace(trace_parser().parse_args(in_order(rest))),
    "export": lambda rest: _export(export_parser().parse_args(in_order(rest, WITH_VALUE))),
    "run": lambda rest: _run_script(rest),
    "serve": lambda rest: _serve(serve_parser().parse_args(rest)),
    "autopsy": lambda rest: _autopsy(autopsy_parser().parse_args(rest)),
    "ops": lambda rest: _ops(ops_parser().parse_args(rest)),
    "exercise": lambda rest: _exercise(exercise_parser().parse_args(rest)),
    "grade": lambda rest: _grade(grade_parser().parse_args(rest)),
    "practice": lambda rest: _practice(practice_parser().parse_args(rest)),
    "config": lambda rest: _config(config_parser().parse_args(rest)),
}
