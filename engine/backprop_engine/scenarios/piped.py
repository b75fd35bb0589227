"""A text from standard input, which has no file name to tell what it is."""

from __future__ import annotations

import re
from typing import Final

from backprop_engine.basics.limits import MAX_FILE
from backprop_engine.basics.source import STANDARD_INPUT, Problem, ScenarioError, Source, Span
from backprop_engine.program.tensors import MAKERS

_DOCUMENT: Final = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:---|%YAML|\{|[^\W\d]\w*\s*:(?=\s))")
"""A mapping's first key, or how else YAML begins, below comments."""
_PROGRAM: Final = re.compile(
    r"^\s*(?:(?:import|from)\s+\w|\"{3}|'{3})"
    rf"|\btorch\s*\.\s*(?:{'|'.join(MAKERS)}|manual_seed|set_default_dtype)\s*\(",
    re.MULTILINE,
)
"""A line that imports, a docstring, or a tensor that is written out."""
_NO_TEXT: Final = re.compile(r"[\udc80-\udcff]")
"""What a byte becomes that is not UTF-8."""


def piped_source(data: bytes) -> Source:
    """The text that came; a byte that is not UTF-8 stays in it until it is read, to be told."""
    text = data.decode("utf-8-sig", "surrogateescape")
    return Source(STANDARD_INPUT, text.replace("\r\n", "\n").replace("\r", "\n"))


def check_text(source: Source) -> None:
    """Raise ScenarioError at the first byte that is not UTF-8, and where there is too much."""
    found = _NO_TEXT.search(source.text)
    if found is not None:
        byte = ord(found[0]) - 0xDC00
        problem = f"this is not text in UTF-8: there is a byte {byte:#04x}"
        raise ScenarioError(source, Problem(problem, Span(found.start(), found.end())))
    if len(source.text.encode("utf-8")) > MAX_FILE:
        problem = f"this is more than {MAX_FILE // 1_000_000} MB"
        raise ScenarioError(Source(source.name, ""), Problem(problem, Span(0, 0)))


def is_document(text: str) -> bool:
    """Whether it is a scenario in YAML, by its first key."""
    return _DOCUMENT.match(text) is not None


def is_torch_program(text: str) -> bool:
    """Whether it is a program of torch's: a line imports, or a tensor is written out."""
    return _PROGRAM.search(text) is not None
