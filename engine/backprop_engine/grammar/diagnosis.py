"""What to say where the parser meets a token that cannot stand there.

All places are offsets in the excerpt that is being read.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.grammar.mistakes import bad_loop, joined_lines, unclosed
from backprop_engine.grammar.state import AUGMENTING, Place, Reading

_OPERANDS: Final = frozenset({"NAME", "NUMBER", "CONSTANT", "FUNCTION", "LPAR", "LSQB", "LITERAL"})
_OPERATORS: Final = frozenset(
    {"PLUS", "MINUS", "STAR", "SLASH", "AT", "POWER", "PERCENT", "FLOOR", "COMPARE", "AMPERSAND"}
    | {"BAR", "TILDE"}
)
_ENDS: Final = frozenset({"_END", "RPAR", "RSQB", "_COMMA"})
_STATEMENT: Final = "`name = expression`"
_NEW_STATEMENT = re.compile(rf"\n\s*[^\W\d]\w*\s*(?:{AUGMENTING})?=(?!=)")
_EQUALS = re.compile(rf"\s*(?:{AUGMENTING})?=(?!=)")
_LEFT: Final = {"NAME": "", "NUMBER": "", "CONSTANT": "", "RPAR": "(…)", "RSQB": "[…]"}
_RIGHT: Final = {"LPAR": "(…)", "LSQB": "[…]", "FUNCTION": "…"}
_CLOSERS: Final = {"(": ")", "[": "]"}
_SHOWN_LENGTH = 40


class _Statement(NamedTuple):
    """The statement being read: where it ends, and its first `=` outside of brackets."""

    stop: int
    equals: int | None


def unexpected(reading: Reading, expected: AbstractSet[str]) -> ProblemError:
    """The parser has refused `reading.last`, where `expected` kinds of tokens could stand."""
    here, before = reading.last, reading.before
    if here is None or (here.kind == "_END" and before is None):
        return ProblemError(
            "an expression is missing here", reading.span(0, 0), "an expression such as `x**2`"
        )
    if before is None or before.kind == "_END":
        return _bad_start(reading, here)
    if reading.is_header:
        return bad_loop(reading, here)
    return _inside(reading, before, here, expected)


def _inside(
    reading: Reading, before: Place, here: Place, expected: AbstractSet[str]
) -> ProblemError:
    """What is wrong in the middle of a statement."""
    if before.kind == "_DOT":
        return ProblemError(
            "a name is missing after the dot",
            reading.span(before.start, before.stop),
            "a property or a method, such as `x.T` or `x.sum()`",
        )
    if "AUGMENTED" in expected:
        return _no_equals(reading, here)
    if not reading.brackets and reading.form != "expression":
        equals = _statement(reading).equals
        if equals is None:
            return _lone_expression(reading)
        if here.start <= equals:
            is_sign = here.kind in ("EQUAL", "AUGMENTED")
            return _bad_target(reading, here.start if is_sign else equals)
    if reading.brackets and _is_left_open(reading, here):
        return unclosed(reading)
    if "NUMBER" in expected:
        return _no_operand(reading, before, here)
    return _no_operator(reading, before, here)


def _is_left_open(reading: Reading, here: Place) -> bool:
    """Whether the innermost bracket has no end, or a new statement starts inside of it."""
    opening, start = reading.brackets[-1]
    if _NEW_STATEMENT.search(reading.text(start, here.stop)):
        return True
    return _CLOSERS[opening] not in reading.excerpt.text[here.start :]


def _statement(reading: Reading) -> _Statement:
    text = reading.excerpt.text
    ends = "\n;," if reading.form == "shorthand" else "\n;"
    depth = 0
    equals = None
    for at in range(reading.statement, len(text)):
        character = text[at]
        if character == "#" or (depth == 0 and character in ends):
            return _Statement(at, equals)
        depth += (character in "([") - (character in ")]")
        if character == "=" and depth == 0 and equals is None and _assigns(text, at):
            equals = at
    return _Statement(len(text), equals)


def _assigns(text: str, at: int) -> bool:
    """Whether the `=` at `at` is no part of a comparison."""
    return text[at - 1 : at] not in ("<", ">", "=", "!") and text[at + 1 : at + 2] != "="


def _trimmed(reading: Reading, stop: int) -> tuple[Span, str]:
    """The statement's place and text, up to `stop`, without blanks at its end."""
    text = reading.text(reading.statement, stop).rstrip()
    return reading.span(reading.statement, reading.statement + len(text)), text


def _lone_expression(reading: Reading) -> ProblemError:
    span, text = _trimmed(reading, _statement(reading).stop)
    if re.match(r"print\b", text):
        fix = "leave it out: every value is shown"
        return ProblemError("`print` is not needed here", span, _STATEMENT, fix)
    if text.isidentifier():
        return ProblemError(f"`{text}` is given no value", span, _STATEMENT, f"write `{text} = …`")
    fits = len(text) <= _SHOWN_LENGTH and not {"\n", "="} & set(text)
    fix = f"write `y = {text}`" if fits else "write `y = …`"
    return ProblemError("this value has no name", span, _STATEMENT, fix)


def _bad_start(reading: Reading, here: Place) -> ProblemError:
    if reading.form == "expression":
        return ProblemError(
            "a second expression starts here",
            reading.span(here.start, here.stop),
            "one expression for each name",
        )
    sign = reading.text(here.start, here.stop)
    if here.kind in ("EQUAL", "AUGMENTED"):
        span = reading.span(here.start, here.stop)
        return ProblemError(f"a name is missing before `{sign}`", span, _STATEMENT)
    statement = _statement(reading)
    if statement.equals is not None:
        return _bad_target(reading, statement.equals)
    if here.kind in _OPERANDS or here.kind in ("MINUS", "PLUS"):
        return _lone_expression(reading)
    span = reading.span(here.start, here.stop)
    return ProblemError(f"a statement cannot start with `{sign}`", span, _STATEMENT)


def _bad_target(reading: Reading, equals: int) -> ProblemError:
    span, target = _trimmed(reading, equals)
    fix = ""
    if target.endswith(".grad"):
        fix = "gradients come from `backward`"
    elif "*" in target:
        fix = "name one value after the other, or take the rest by a slice, `xs[1:]`"
    elif target.endswith("]") and not target.startswith("["):
        fix = "write one statement for each element"
    elif re.fullmatch(r"[\[(]?[\w\s]+(?:,[\w\s]*)+[\])]?", target):
        fix = "write one statement for each name"
    elif re.fullmatch(r"[^\W\d]\w*\s*:.*", target):
        fix = "leave the type out"
    elif re.fullmatch(r"[^\W\d]\w*\(.*\)", target):
        fix = "write the expression where the function is used"
    return ProblemError(f"`{target}` cannot be assigned", span, _STATEMENT, fix)


def _no_equals(reading: Reading, here: Place) -> ProblemError:
    """A statement starts with a name, and no assignment follows it."""
    statement = _statement(reading)
    if statement.equals is not None:
        return _bad_target(reading, statement.equals)
    name = reading.text(reading.statement, reading.before.stop) if reading.before else ""
    if here.kind in ("NAME", "NUMBER") and name != "print":
        fix = f"write `{name} = …`"
        span = reading.span(reading.statement, reading.statement + len(name))
        return ProblemError(f"no `=` follows `{name}`", span, _STATEMENT, fix)
    return _lone_expression(reading)


def _no_operand(reading: Reading, before: Place, here: Place) -> ProblemError:
    left, sign = reading.text(*before[1:]), reading.text(*here[1:])
    after = reading.span(before.start, before.stop)
    span = reading.span(here.start, here.stop)
    if here.kind == "LITERAL":
        what = "a text" if sign[0] in "'\"" else f"`{sign}`"
        return ProblemError(f"{what} is not a value to compute with", span, "a number or a name")
    if before.kind == "STAR" and here.kind == "STAR":
        both = reading.span(before.start, here.stop)
        return ProblemError("`*` follows `*`", both, fix="write `**` for a power")
    if here.kind in ("_END", "RPAR", "RSQB") and before.kind in ("LPAR", "LSQB"):
        return ProblemError("nothing stands between these brackets", span, "an index")
    if before.kind in ("EQUAL", "AUGMENTED") and here.kind in _ENDS:
        return ProblemError(f"nothing follows this `{left}`", after, "an expression")
    if here.kind in _ENDS and before.kind in _OPERATORS:
        fix = ""
        if sign == "\n":
            fix = "to go on in the next line, put the expression in brackets"
        return ProblemError(f"nothing follows this `{left}`", after, "a number, a name or `(`", fix)
    if here.kind in _OPERATORS or here.kind in ("EQUAL", "AUGMENTED", "_COMMA"):
        return ProblemError(f"nothing stands before this `{sign}`", span, "a number, a name or `(`")
    return ProblemError(f"{_shown(sign)} cannot stand here", span, "a number, a name or `(`")


def _no_operator(reading: Reading, before: Place, here: Place) -> ProblemError:
    sign = reading.text(here.start, here.stop)
    span = reading.span(here.start, here.stop)
    if here.kind in ("EQUAL", "AUGMENTED"):
        return _second_equals(reading, here)
    if here.kind in _OPERANDS:
        return _side_by_side(reading, before, here)
    if here.kind == "_COMMA" and not reading.brackets:
        return ProblemError(
            "this comma is outside of brackets",
            span,
            fix="separate statements with `;` or a new line, and write `[a, b]` for a list",
        )
    return ProblemError(f"{_shown(sign)} cannot stand here", span, "an operator or the end")


def _side_by_side(reading: Reading, before: Place, here: Place) -> ProblemError:
    """Two operands, or what could be one, with nothing between them."""
    left, right = reading.text(*before[1:]), reading.text(*here[1:])
    span = reading.span(here.start, here.stop)
    joined = joined_lines(reading)
    if reading.is_folded(before.start, here.start):
        return ProblemError("a new line starts here in the middle of a statement", span, fix=joined)
    if before.kind not in _LEFT or here.kind == "LITERAL":
        return ProblemError(f"{_shown(right)} cannot stand here", span, "an operator or the end")
    if _EQUALS.match(reading.excerpt.text, here.stop):
        return _unseparated(reading, span, "a new statement starts here")
    if before.kind == here.kind == "NUMBER" and before.stop == here.start:
        both = reading.span(before.start, here.stop)
        return ProblemError(f"`{left}{right}` is not a number", both, fix="keep one of its points")
    shown = f"{_LEFT[before.kind] or left}*{_RIGHT.get(here.kind, right)}"
    return ProblemError(
        f"no operator stands between `{left}` and `{right}`",
        reading.span(before.start, here.stop),
        "an operator",
        f"write `{shown}` for a product",
    )


def _unseparated(reading: Reading, span: Span, message: str) -> ProblemError:
    separators = "`,`, `;`" if reading.form == "shorthand" else "`;`"
    fix = f"separate two statements with {separators} or a new line"
    return ProblemError(message, span, fix=fix)


def _second_equals(reading: Reading, here: Place) -> ProblemError:
    span = reading.span(here.start, here.stop)
    if reading.brackets:
        fix = "only an argument of a function can be named"
        return ProblemError("this `=` is inside of brackets", span, fix=fix)
    if reading.is_folded(reading.statement, here.start):
        return ProblemError("a second `=` in one statement", span, fix=joined_lines(reading))
    if reading.form == "expression":
        return ProblemError("the name is given before the colon", span, "an expression without `=`")
    return _unseparated(reading, span, "a second `=` in one statement")


def _shown(text: str) -> str:
    if not text:
        return "the end of the text"
    return "the end of the line" if text == "\n" else f"`{text}`"
