"""`with no_grad:` and `for` blocks: where they start, and by the indentation where they end."""

from __future__ import annotations

import re
from typing import Final, Literal

from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.suggestions import listed
from backprop_engine.grammar.state import Block, Place, Reading

Edge = Literal["_INDENT", "_DEDENT"]

_BLANK = r"[^\S\n]"
_HEADER: Final = re.compile(
    rf"with{_BLANK}+(?:torch{_BLANK}*\.{_BLANK}*(?:autograd\.)?)?no_grad{_BLANK}*"
    rf"(?:\({_BLANK}*\))?{_BLANK}*(?P<colon>:)?"
)
_OTHER: Final = re.compile(rf"with{_BLANK}+(?P<name>[\w.]+)")
MAX_NESTING: Final = 20
"""How many blocks may stand one inside of the other: as many as in Python."""

_WITH: Final = "with torch.no_grad():"
_ANOMALY: Final = (
    "leave it out, and its block as far to the left: where the first nan was born is told anyway"
)
_CONTEXTS: Final = {
    "set_grad_enabled": f"write `{_WITH}`",
    "inference_mode": f"write `{_WITH}`",
    **dict.fromkeys(("detect_anomaly", "set_detect_anomaly"), _ANOMALY),
    "enable_grad": f"everything outside of `{_WITH}` is recorded anyway",
}


def open_block(reading: Reading, start: int) -> int:
    """Open the block whose `with` stands at `start`; where the first line's colon ends.

    Raises ProblemError for any other `with`.
    """
    text = reading.excerpt.text
    header = _HEADER.match(text, start)
    if header is None or not header["colon"]:
        raise _refused(reading, start, header)
    _open(reading, Block(start, header.end(), header=_indentation(text, start)[0]))
    return header.end()


def open_loop(reading: Reading, start: int) -> None:
    """Open the block whose `for` stands at `start`; its first line goes on to the colon."""
    width = _indentation(reading.excerpt.text, start)[0]
    _open(reading, Block(start, start + len("for"), header=width, is_loop=True))
    reading.is_header = True


def _open(reading: Reading, block: Block) -> None:
    if len(reading.blocks) >= MAX_NESTING:
        span = reading.span(block.start, block.stop)
        raise ProblemError(f"blocks are nested {MAX_NESTING} deep at most, as in Python", span)
    reading.blocks.append(block)


def end_header(reading: Reading, stop: int) -> None:
    """The first line of a loop ends at `stop`, with its colon; a statement may follow."""
    reading.is_header = False
    reading.blocks[-1].stop = stop
    reading.last = Place("_END", stop - 1, stop)


def end_inline(reading: Reading) -> list[Edge]:
    """The edges at a comma of the shorthand: it ends a loop in one line, as a new line does."""
    found: list[Edge] = []
    while reading.blocks and reading.blocks[-1].is_inline and reading.blocks[-1].is_loop:
        reading.blocks.pop()
        found.append("_DEDENT")
    return found


def edges(reading: Reading, start: int) -> list[Edge]:
    """The blocks' edges before the statement at `start`, outermost first when they open.

    Raises ProblemError for a line whose indentation fits none.
    """
    found: list[Edge] = []
    width, is_first = _indentation(reading.excerpt.text, start)
    while reading.blocks:
        block = reading.blocks[-1]
        if block.body is None:
            if is_first and width <= block.header:
                raise empty(reading)
            block.body, block.is_inline = width, not is_first
            return [*found, "_INDENT"]
        if not is_first or (width == block.body and not block.is_inline):
            return found
        if not block.is_inline and width > block.header:
            raise _uneven(reading, start, block)
        reading.blocks.pop()
        found.append("_DEDENT")
    return found


def close_all(reading: Reading) -> list[Edge]:
    """The edges at the end of the text."""
    if reading.blocks and reading.blocks[-1].body is None:
        raise empty(reading)
    count = len(reading.blocks)
    reading.blocks.clear()
    return ["_DEDENT"] * count


def empty(reading: Reading) -> ProblemError:
    """The innermost block has no statement."""
    block = reading.blocks[-1]
    return ProblemError(
        "nothing is inside of this block",
        reading.span(block.start, block.stop),
        "statements, indented below it",
    )


def _indentation(text: str, start: int) -> tuple[int, bool]:
    """How far the line of `start` is indented, and whether `start` is where its text begins."""
    line = text.rfind("\n", 0, start) + 1
    before = text[line:start]
    blanks = before[: len(before) - len(before.lstrip())]
    return len(blanks.expandtabs(8)), not before.strip()


def _uneven(reading: Reading, start: int, block: Block) -> ProblemError:
    further = _indentation(reading.excerpt.text, start)[0] > (block.body or 0)
    what = "further than" if further else "less far than"
    return ProblemError(
        f"this line is indented {what} the block's first",
        reading.span(start, start + 1),
        fix="indent all lines of a block alike",
    )


def _refused(reading: Reading, start: int, header: re.Match[str] | None) -> ProblemError:
    if header is not None:
        at = header.end()
        return ProblemError(
            "the `:` after `no_grad` is missing", reading.span(at - 1, at), fix=f"write `{_WITH}`"
        )
    other = _OTHER.match(reading.excerpt.text, start)
    name = other["name"].rpartition(".")[2] if other else ""
    if other and name in _CONTEXTS:
        return ProblemError(
            f"`{other['name']}` is not supported",
            reading.span(*other.span("name")),
            fix=_CONTEXTS[name],
        )
    return ProblemError(
        "`with` is known for `no_grad` alone",
        reading.span(start, other.end() if other else start + len("with")),
        listed([_WITH]),
    )
