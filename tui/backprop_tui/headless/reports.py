"""What other programs are told of a check: JUnit's XML, and GitHub's workflow commands."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Self
from xml.etree import ElementTree as ET

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import SHORTHAND_NAME, STANDARD_INPUT

_COMMAND = re.compile(r"^(\s*:)(?=:)|(##)(?=\[)", re.MULTILINE)
"""Where GitHub would read a command: `::` begins a line, or `##[` stands anywhere in it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is off, and where: lines and columns count from 1, None if not known."""

    message: str
    line: int | None = None
    column: int | None = None
    file: str = ""
    """Where that is not the file that was checked."""


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario or a recording as a test, which failed where there is a fault."""

    name: str
    file: str
    """As it was given."""
    faults: tuple[Fault, ...] = ()
    is_bad: bool = False
    """It could not be read or run."""
    seconds: float = 0.0

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `asdict`; KeyError or TypeError if it is none."""
        return cls(**{**told, "faults": tuple(Fault(**fault) for fault in told["faults"])})

    def path_of(self, fault: Fault) -> str:
        """The file that a fault is in; empty where the text came from none."""
        file = fault.file or self.file
        return "" if file in (SHORTHAND_NAME, STANDARD_INPUT) else PurePath(file).as_posix()


@dataclass(frozen=True, slots=True)
class Report:
    """Who else is told of a check, and of which cases already."""

    github: bool = False
    """Workflow commands on standard output, and nothing else that looks like one."""
    junit: Path | None = None
    command: str = "check"
    cases: list[Case] = field(default_factory=list)

    def tell(self, case: Case, printed: str, complaint: str) -> None:
        """Print what is to be told of `case`, on standard output and on error, and keep it."""
        self.cases.append(case)
        if self.github:
            printed, complaint = disarmed(printed) + github_lines(case), disarmed(complaint)
        sys.stdout.write(printed)
        sys.stdout.flush()
        sys.stderr.write(complaint)
        sys.stderr.flush()

    def write(self) -> bool:
        """Write the file, if there is to be one; False if that fails, which is told."""
        if self.junit is None:
            return True
        try:
            self.junit.write_bytes(junit(self.command, self.cases, datetime.now(UTC)))
        except OSError as error:
            said = f"{self.junit}: the report cannot be written: {error.strerror}"
            sys.stderr.write(f"backprop-tui: {printable(said)}\n")
            return False
        return True


# GitHub


def github_lines(case: Case) -> str:
    """A line for each fault, which GitHub shows beside the line of the file that it names."""
    return "".join(f"{_annotation(case, fault)}\n" for fault in case.faults)


def _annotation(case: Case, fault: Fault) -> str:
    path = case.path_of(fault)
    place = {"file": path, "line": fault.line, "col": fault.column} if path else {}
    told = ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in place.items()
        if value is not None
    )
    message = fault.message if path else f"{case.name}: {fault.message}"
    return f"::error {told}".rstrip() + f"::{_escaped(message)}"


def _escaped(text: str) -> str:
    return printable(text).replace("%", "%25")


def disarmed(text: str) -> str:
    """Lines in which GitHub finds no command, whatever a scenario has made them say."""
    return _COMMAND.sub(r"\1\2 ", text)


# JUnit


def junit(command: str, cases: Sequence[Case], now: datetime) -> bytes:
    """A document for the schema of Ant's JUnit task, and so for Jenkins and those after it."""
    root = ET.Element("testsuites")
    bad = sum(case.is_bad for case in cases)
    counts = {
        "tests": len(cases),
        "failures": sum(bool(case.faults) for case in cases) - bad,
        "errors": bad,
        "time": f"{sum(case.seconds for case in cases):.3f}",
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S"),
    }
    told = {name: str(value) for name, value in counts.items()}
    names = {"name": f"backprop-tui {command}", "package": "", "id": "0", "hostname": "localhost"}
    suite = ET.SubElement(root, "testsuite", names | told)
    ET.SubElement(suite, "properties")
    for case in cases:
        _add_case(suite, case)
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")
    ET.indent(root)
    text: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return text + b"\n"


def _add_case(suite: ET.Element, case: Case) -> None:
    names = {"classname": printable(case.file), "name": printable(case.name)}
    element = ET.SubElement(suite, "testcase", names, time=f"{case.seconds:.3f}")
    if case.faults:
        kind = "error" if case.is_bad else "failure"
        message = printable(case.faults[0].message)
        off = ET.SubElement(element, kind, message=message, type=kind)
        off.text = "\n".join(_lines(case))


def _lines(case: Case) -> Iterator[str]:
    for fault in case.faults:
        place = [case.path_of(fault), fault.line, fault.column]
        told = ":".join(str(part) for part in place if part)
        yield printable(f"{told}: {fault.message}" if told else fault.message)
