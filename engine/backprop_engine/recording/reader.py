"""Reading a recording: every number that points at something is checked.

Whoever has a `Recording` may follow them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from backprop_engine.basics.sanitised import printable
from backprop_engine.recording.frames import Frames
from backprop_engine.recording.layout import FrameKind
from backprop_engine.recording.recording import (
    Changed,
    Cleared,
    Function,
    FunctionCheck,
    Module,
    Pass,
    Recording,
    RunError,
    Site,
    Start,
    Update,
    joined,
    starts_of,
)
from backprop_engine.recording.values import Values

_NOWHERE: Final = -1


def read(path: Path) -> Recording:
    """The recording in a file. Raises RecordingError."""
    return _Reader(Frames(path)).read()


class _Reader:
    """A recording while it is read."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.recording = Recording(frames, Values(frames))
        self.parts: list[dict[str, np.ndarray]] = []
        self.next_call = 0

    def read(self) -> Recording:
        """All of it."""
        readers = {
            "start": self._start,
            "source": self._source,
            "strings": self._strings,
            "update": self._update,
            "zero_grad": self._cleared,
            "functions": self._functions,
            "gradients": self._changed,
            "error": self._error,
            "end": self._end,
        }
        for frame in self.frames.in_order:
            if frame.kind == FrameKind.JSON:
                told = self.frames.json(frame)
                reader = readers.get(_text(told.get("kind")))
                if reader is not None:
                    reader(told)
            elif frame.kind == FrameKind.TABLE:
                head, columns = self.frames.table(frame)
                self._table(head, columns)
        recording = self.recording
        recording.values.settle()
        recording.calls = joined(self.parts)
        self._check_values()
        return recording

    # Texts

    def _start(self, told: dict[str, Any]) -> None:
        torch, python, script = (_text(told.get(name)) for name in ("torch", "python", "script"))
        self.recording.start = Start(torch, python, script, told.get("deep") is True)

    def _source(self, told: dict[str, Any]) -> None:
        text = told.get("text")
        if isinstance(text, str):
            legible = text.encode("utf-8", "replace").decode()
            self.recording.sources[_text(told.get("file"))] = legible

    def _strings(self, told: dict[str, Any]) -> None:
        recording = self.recording
        recording.sites += [self._site(row) for row in self._list(told, "sites")]
        for row in self._list(told, "stacks"):
            if not isinstance(row, list) or not all(
                type(site) is int and 0 <= site < len(recording.sites) for site in row
            ):
                raise self._damaged()
            recording.stacks.append(tuple(row))
        for row in self._list(told, "functions"):
            recording.functions.append(Function(*self._pair(row)))
        for row in self._list(told, "modules"):
            recording.modules.append(Module(*self._pair(row)))
        for row in self._list(told, "shapes"):
            recording.values.add_shape(row)
        for text in self._list(told, "templates"):
            recording.templates.append(_text(text))
        for row in self._list(told, "names"):
            if not (isinstance(row, list) and len(row) == 2 and type(row[0]) is int):
                raise self._damaged()
            recording.names[row[0]] = _text(row[1])
        recording.origins.update(self._origin(row) for row in self._list(told, "origins"))

    def _origin(self, row: Any) -> tuple[int, tuple[int, int]]:
        match row:
            case [int(value), int(sequence), int(output)]:
                return value, (sequence, output)
        raise self._damaged()

    def _site(self, row: Any) -> Site:
        match row:
            case [str(file), str(function), int(line), end, start, stop, stored] if all(
                bound is None or type(bound) is int for bound in (end, start, stop)
            ):
                return Site(_text(file), _text(function), line, end, start, stop, _text(stored))
        raise self._damaged()

    def _error(self, told: dict[str, Any]) -> None:
        stack = self._within(told, "stack", len(self.recording.stacks))
        kind, message = _text(told.get("type")), _text(told.get("message"))
        self.recording.error = RunError(kind, message, stack)

    def _functions(self, told: dict[str, Any]) -> None:
        for row in self._list(told, "checks"):
            match row:
                case [
                    str(name), int(stack), int(argument), "agree" | "differ" | "unknown" as verdict,
                    None | list() as element, None | int() | float() as backward,
                    None | int() | float() as differences, str(reason),
                ] if (
                    _NOWHERE <= stack < len(self.recording.stacks)
                    and all(type(number) is int for number in element or ())
                ):  # fmt: skip
                    check = FunctionCheck(
                        _text(name), stack, argument, verdict,
                        None if element is None else tuple(element),
                        backward, differences, _text(reason),
                    )  # fmt: skip
                    self.recording.function_checks.append(check)
                case _:
                    raise self._damaged()

    def _end(self, told: dict[str, Any]) -> None:
        self.recording.faults = [_text(fault) for fault in self._list(told, "faults")]

    # Events

    def _update(self, told: dict[str, Any]) -> None:
        update = Update(
            iteration=self._count(told, "iteration"),
            call=self._count(told, "call"),
            stack=self._within(told, "stack", len(self.recording.stacks)),
            optimizer=_text(told.get("optimizer")),
            names=[_text(name) for name in self._list(told, "names")],
            gradients=self._numbers(told, "gradients"),
            updates=self._numbers(told, "updates"),
            weights=self._numbers(told, "weights"),
            changed=self._count(told, "changed"),
            rates=self._numbers(told, "rates"),
        )
        lengths = {len(update.names), len(update.gradients), len(update.updates)}
        if lengths != {len(update.weights)}:
            raise self._damaged()
        self.recording.events.append(update)

    def _cleared(self, told: dict[str, Any]) -> None:
        stack = self._within(told, "stack", len(self.recording.stacks))
        values = self._integers(told.get("values")) if "values" in told else None
        is_none = told.get("to_none") is not False
        self.recording.events.append(Cleared(self._count(told, "call"), stack, values, is_none))

    def _changed(self, told: dict[str, Any]) -> None:
        factor = told.get("factor")
        changed = Changed(
            call=self._count(told, "call"),
            stack=self._within(told, "stack", len(self.recording.stacks)),
            iteration=self._count(told, "iteration"),
            how=_text(told.get("how")),
            factor=float(factor) if isinstance(factor, float | int) else None,
            names=[_text(name) for name in self._list(told, "names")],
            before=self._numbers(told, "before"),
            after=self._numbers(told, "after"),
            leaves=self._integers(told.get("leaves", [])),
            values=self._integers(told.get("values", [])),
        )
        lengths = {len(changed.before), len(changed.after), len(changed.leaves)}
        if lengths | {len(changed.values)} != {len(changed.names)}:
            raise self._damaged()
        self.recording.events.append(changed)

    def _table(self, head: dict[str, Any], columns: dict[str, np.ndarray]) -> None:
        match head.get("table"):
            case "values":
                self.recording.values.add_table(head, columns)
            case "calls":
                self._add_calls(head, columns)
            case "pass":
                self.recording.events.append(self._pass(head, columns))

    def _add_calls(self, head: dict[str, Any], columns: dict[str, np.ndarray]) -> None:
        first, recording = self._count(head, "first"), self.recording
        if self.parts and first != self.next_call:
            raise self._damaged("calls are missing")
        if not self.parts:
            recording.first_call = first
        rows = len(columns["function"])
        plain = ("before", "after", "stack", "module", "template", "flags")
        if any(len(columns[name]) != rows for name in (*plain, "operand_counts", "output_counts")):
            raise self._damaged()
        limits = {
            "function": (0, len(recording.functions)),
            "stack": (_NOWHERE, len(recording.stacks)),
            "module": (_NOWHERE, len(recording.modules)),
            "template": (_NOWHERE, len(recording.templates)),
        }
        for name, (low, stop) in limits.items():
            self._check_range(columns[name], low, stop)
        for counts, least, rows_of in (
            ("operand_counts", 0, "operands"),
            ("output_counts", 1, "outputs"),
        ):
            self._check_range(columns[counts], least, len(columns[rows_of]) + 1)
            if columns[counts].sum(dtype=np.int64) != len(columns[rows_of]):
                raise self._damaged()
        self.parts.append(columns)
        self.next_call = first + rows

    def _pass(self, head: dict[str, Any], columns: dict[str, np.ndarray]) -> Pass:
        nodes = len(columns["kind"])
        names = [_text(name) for name in self._list(head, "names")]
        self._check_range(columns["kind"], 0, len(names))
        counts = columns["edge_counts"]
        if len(columns["sequence"]) != nodes or len(counts) != nodes:
            raise self._damaged()
        self._check_range(counts, 0, len(columns["edges"]) + 1)
        if counts.sum(dtype=np.int64) != len(columns["edges"]):
            raise self._damaged()
        self._check_range(columns["edges"][:, 0], _NOWHERE, nodes)
        for name, numbers in (
            ("roots", (0,)),
            ("leaves", (0,)),
            ("sends", (0, 2)),
            ("totals", (0,)),
            ("made", (0,)),
        ):
            for at in numbers:
                self._check_range(columns[name][:, at], 0 if name != "made" else -1, nodes)
        loss, error, culprit = head.get("loss"), head.get("error"), head.get("culprit")
        return Pass(
            index=self._count(head, "index"),
            iteration=self._count(head, "iteration"),
            call=self._count(head, "call"),
            stack=self._within(head, "stack", len(self.recording.stacks)),
            names=names,
            leaf_names=self._leaf_names(head.get("leaf_names"), nodes),
            missing=[_text(name) for name in self._list(head, "missing")],
            loss=loss if type(loss) is float else None,
            creates_graph=head.get("creates_graph") is True,
            depth=self._count(head, "depth"),
            error=_text(error),
            culprit=self._culprit(culprit, nodes),
            hooked=[self._hooked(row, nodes) for row in self._list(head, "hooked")],
            edge_starts=starts_of(counts),
            **{name: column for name, column in columns.items() if name != "edge_counts"},
        )

    def _leaf_names(self, told: Any, nodes: int) -> dict[int, str]:
        if told is None:
            return {}
        if not isinstance(told, list):
            raise self._damaged()
        found = {}
        for row in told:
            match row:
                case [int(node), str(name)] if 0 <= node < nodes:
                    found[node] = _text(name)
                case _:
                    raise self._damaged()
        return found

    def _culprit(self, told: Any, nodes: int) -> tuple[int, str] | None:
        match told:
            case [int(node), str(saved)] if 0 <= node < nodes:
                return node, _text(saved)
        return None

    def _hooked(self, row: Any, nodes: int) -> tuple[int, int, int, int]:
        match row:
            case [int(node), int(output), int(value), int(stack)] if (
                0 <= node < nodes
                and _NOWHERE <= output < 1 << 31
                and _NOWHERE <= stack < len(self.recording.stacks)
            ):
                return node, output, value, stack
        raise self._damaged()

    # Numbers

    def _check_values(self) -> None:
        """Whatever names a value names one that is there, or none."""
        values, columns = self.recording.values, self.recording.calls.columns
        numbers = [(columns["operands"], 0), (columns["outputs"][:, 0], 0)]
        for event in self.recording.passes:
            numbers += [(event.roots[:, 2], -1), (event.roots[:, 3], -1), (event.sends[:, 4], 0)]
            hooked = np.array([row[2] for row in event.hooked], np.int64)
            numbers.append((hooked, 0))
            numbers += [(event.leaves[:, 1], -1), (event.leaves[:, 2], -1), (event.totals[:, 2], 0)]
        for changed in self.recording.events:
            if isinstance(changed, Changed):
                numbers.append((np.array(changed.values, np.int64), -1))
        for column, least in numbers:
            known = column[column != _NOWHERE] if least < 0 else column
            self._check_range(known, values.first, values.first + values.count)

    def _check_range(self, column: np.ndarray, low: int, stop: int) -> None:
        if len(column) and (column.min() < low or column.max() >= stop):
            raise self._damaged("a number points at nothing")

    def _within(self, told: dict[str, Any], name: str, stop: int) -> int:
        number = told.get(name, _NOWHERE)
        if type(number) is not int or not _NOWHERE <= number < stop:
            raise self._damaged()
        return number

    def _count(self, told: dict[str, Any], name: str) -> int:
        number = told.get(name, 0)
        if type(number) is not int or not 0 <= number < 1 << 62:
            raise self._damaged()
        return number

    def _numbers(self, told: dict[str, Any], name: str) -> list[float]:
        found = self._list(told, name)
        if not all(type(number) in (int, float) for number in found):
            raise self._damaged()
        try:
            return [float(number) for number in found]
        except OverflowError:
            raise self._damaged() from None

    def _integers(self, told: Any) -> list[int]:
        is_one = isinstance(told, list) and all(type(n) is int and -1 <= n < 1 << 62 for n in told)
        if not is_one:
            raise self._damaged()
        found: list[int] = told
        return found

    def _list(self, told: dict[str, Any], name: str) -> list[Any]:
        found = told.get(name, [])
        if not isinstance(found, list):
            raise self._damaged()
        return found

    def _pair(self, row: Any) -> tuple[str, str]:
        match row:
            case [str(first), str(second)]:
                return _text(first), _text(second)
        raise self._damaged()

    def _damaged(self, message: str = "a part of this recording is damaged") -> Exception:
        return self.frames.error(message)


def _text(told: Any) -> str:
    """A text of a stranger, harmless on a terminal; empty where it is none."""
    return printable(told) if isinstance(told, str) else ""
