"""What to say about words and signs that can be no part of an expression.

All places are offsets in the excerpt that is being read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from unicodedata import name as unicode_name
from unicodedata import normalize

from backprop_engine.basics.limits import MAX_TOKENS
from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.grammar.state import Place, Reading

_SIGNS: Final = {
    "^": ("is not a power here", "write `**`"),
    ":=": ("is not needed here", "write `=`"),
    "!": ("is not an operator here", "write `~` for the opposite of a mask"),
    "?": ("is not an operator here", ""),
    "$": ("is not an operator here", ""),
    "`": ("is not a quote here", "leave it out"),
    "{": ("opens nothing here", "write `(` for a bracket, `[` for a list"),
    "}": ("closes nothing here", "write `)` for a bracket, `]` for a list"),
    "===": ("is not an operator here", "write `==`"),
    "!==": ("is not an operator here", "write `!=`"),
    "&&": ("is not an operator here", "write `&`"),
    "||": ("is not an operator here", "write `|`"),
    ">>>": ("is a prompt of Python's", "leave it out, and what it has printed"),
    **dict.fromkeys(
        ("<<", ">>"), ("shifts bits, which is not supported", "write `* 2**n` or `// 2**n`")
    ),
}
_WORDS: Final = {
    "and": ("`and` takes a whole mask for one truth value", "write `(x > 0) & (x < 1)`"),
    "or": ("`or` takes a whole mask for one truth value", "write `(x < 0) | (x > 1)`"),
    "not": ("`not` takes a whole mask for one truth value", "write `~(x > 0)`"),
    "in": ("`in` is not supported", "write `(x == value).any()`"),
    "is": ("`is` is not supported", "write `==`"),
    "if": ("`if` cannot choose element by element", "write `torch.where(condition, a, b)`"),
    "else": ("`else` cannot choose element by element", "write `torch.where(condition, a, b)`"),
}
_PASTED: Final = {
    **dict.fromkeys("×·⋅∙•∗＊⨯", "`*`"),
    **dict.fromkeys("−–—‒﹣－", "`-`"),
    **dict.fromkeys("÷∕⁄／", "`/`"),
    **dict.fromkeys("＋", "`+`"),
    **dict.fromkeys("＝", "`=`"),
    **dict.fromkeys("（", "`(`"),
    **dict.fromkeys("）", "`)`"),
    **dict.fromkeys("，", "`,`"),
    **dict.fromkeys("“”„‟‘’‚«»", "a straight quote"),
    "√": "`sqrt(…)`",
    "≤": "`<=`",
    "≥": "`>=`",
    "≠": "`!=`",
}
_SUPERSCRIPT = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_CONDITIONAL = re.compile(r"if\b(?P<condition>[^\n;,#]*?)\belse\b(?P<other>[^\n;,#]*)")
_SHOWN_LENGTH = 60
LOOP: Final = "`for i in range(3):` or `for x in xs:`"
"""How a loop starts."""

_STATEMENTS: Final = {
    "while": "write `for i in range(20):`, with the number of times",
    "def": "write the expression where the function is used",
    "lambda": "write the expression where the function is used",
    "class": "write its parameters as tensors, and out what its `forward` computes",
    "return": "write `y = …`",
    **dict.fromkeys(("break", "continue"), "give `range` the number of times that is wanted"),
    "del": "leave it out: nothing is kept longer than it is needed",
    "pass": "leave it out",
    "try": "leave it out: what cannot be computed is told with its place",
    "raise": "leave it out: what cannot be computed is told with its place",
    "global": "leave it out: there is one program and no function",
    "nonlocal": "leave it out: there is one program and no function",
    "async": "write the statements one after the other",
    "await": "write the statements one after the other",
}


def foreign(reading: Reading, kind: str, text: str, start: int) -> ProblemError:
    """A sign or number that the lexer recognises and the notation does not have."""
    span = reading.span(start, start + len(text))
    match kind:
        case "FOREIGN_NUMBER":
            fix = f"write the number in decimal, or `0*{text[1:]}` for a product"
            return ProblemError(f"`{text}` is not a decimal number", span, fix=fix)
        case "UNFINISHED":
            digits = text[:-1]
            fix = f"write `{digits}e3` for a number, `{digits}*e` for a product"
            return ProblemError(f"the exponent of `{text}` is missing", span, fix=fix)
        case "STRAY_UNDERSCORE":
            fix = "a `_` may only stand between two digits"
            return ProblemError(f"`{text}` is not a number", span, fix=fix)
        case "FOREIGN":
            return _foreign_sign(reading, text, start)
        case _:
            return _unknown_character(reading, text, start)


def check_comparison(reading: Reading, sign: str, start: int) -> None:
    """Raise ProblemError for `y == 2x` where `y = 2x` was meant."""
    last = reading.last
    if sign != "==" or reading.form == "expression" or not last or last.kind != "NAME":
        return
    if last.start == reading.statement:
        raise ProblemError(
            f"`==` gives no value to `{reading.text(last.start, last.stop)}`",
            reading.span(start, start + len(sign)),
            fix="write `=`",
        )


def chained(source: Source, first: Span, second: Span) -> ProblemError:
    """`0 < x < 1`; the two comparisons share what stands between them."""
    texts = [" ".join(source.text[span.start : span.stop].split()) for span in (first, second)]
    left, right = texts if sum(map(len, texts)) <= _SHOWN_LENGTH else ("0 < x", "x < 1")
    return ProblemError(
        "a chain of comparisons takes a whole mask for one truth value",
        Span(first.start, second.stop),
        fix=f"write `({left}) & ({right})`",
    )


def _foreign_sign(reading: Reading, text: str, start: int) -> ProblemError:
    span = reading.span(start, start + len(text))
    sign = text if text in _SIGNS else text.rstrip("=") or text
    what, fix = _SIGNS.get(sign, ("is not an operator here", ""))
    if sign != text and fix.startswith("write"):
        fix = fix.removesuffix("`") + "=`"
    return ProblemError(f"`{text}` {what}", span, fix=fix)


def _unknown_character(reading: Reading, text: str, start: int) -> ProblemError:
    span = reading.span(start, start + 1)
    superscript = _SUPERSCRIPT.match(reading.excerpt.text, start)
    if superscript:
        power = normalize("NFKC", superscript[0]).replace("−", "-")
        whole = reading.span(start, superscript.end())
        return ProblemError(
            f"`{superscript[0]}` is not a power here", whole, fix=f"write `**{power}`"
        )
    if text in "'\"":
        return ProblemError(f"the text that starts with {text} does not end in this line", span)
    if text == "\\":
        return ProblemError("a backslash goes on to the next line only where its own ends", span)
    shown = f"`{text}`" if text.isprintable() else "the invisible character"
    called = f"{shown} (U+{ord(text):04X} {unicode_name(text, '').lower()}".rstrip() + ")"
    if text in _PASTED:
        return ProblemError(f"{called} is not understood", span, fix=f"write {_PASTED[text]}")
    fix = "" if text.isprintable() else "delete it"
    return ProblemError(f"{called} is not understood", span, fix=fix)


def keyword(reading: Reading, word: str, start: int) -> ProblemError:
    """A word of Python that stands for something expressions do not have."""
    span = reading.span(start, start + len(word))
    if word == "for":
        return ProblemError(
            "`for` starts a line, or stands inside of brackets",
            span,
            "`for i in range(3): …` or `[… for i in range(3)]`",
        )
    if word == "if" and reading.last and reading.last.kind != "_END":
        return _conditional(reading, start)
    if word in _WORDS:
        what, fix = _WORDS[word]
        return ProblemError(what, span, fix=fix)
    if word in _STATEMENTS:
        return ProblemError(
            f"`{word}` is not supported", span, "`name = expression`", _STATEMENTS[word]
        )
    return ProblemError(
        f"`{word}` is a word of Python's own and cannot be a name",
        span,
        fix=f"write `{word}_`",
    )


def _conditional(reading: Reading, start: int) -> ProblemError:
    """`a if c else b`, whose parts can be told apart where no bracket is open."""
    span = reading.span(start, start + len("if"))
    what, fix = _WORDS["if"]
    rest = _CONDITIONAL.match(reading.excerpt.text, start)
    equals = reading.excerpt.text.find("=", reading.statement, start)
    if rest and equals >= 0 and not reading.brackets and reading.form != "expression":
        chosen = reading.text(equals + 1, start).strip()
        fixed = f"torch.where({rest['condition'].strip()}, {chosen}, {rest['other'].strip()})"
        if len(fixed) <= _SHOWN_LENGTH:
            fix = f"write `{fixed}`"
    return ProblemError(what, span, fix=fix)


def no_colon(reading: Reading, end: int) -> ProblemError:
    """The first line of a loop has no colon at its end."""
    loop = reading.blocks[-1].start
    return ProblemError(
        "the `:` after this loop's first line is missing",
        reading.span(loop, len(reading.text(0, end).rstrip())),
        LOOP,
    )


def bad_loop(reading: Reading, here: Place) -> ProblemError:
    """Something that cannot stand in the first line of a loop."""
    shown = reading.text(here.start, here.stop)
    return ProblemError(
        f"`{shown}` cannot stand in a loop's first line", reading.span(here.start, here.stop), LOOP
    )


def odd_name(reading: Reading, word: str, start: int) -> ProblemError:
    """A word with characters that Python does not have in names."""
    plain = normalize("NFKC", word)
    fix = f"write `{plain}`" if plain.isidentifier() else ""
    span = reading.span(start, start + len(word))
    return ProblemError(f"`{word}` cannot be a name", span, "letters, digits and `_`", fix)


def joined_lines(reading: Reading) -> str:
    """What to do where YAML has made one line of several."""
    if reading.form == "shorthand":
        return "YAML joins these lines: end each statement with a comma"
    return "YAML joins these lines: write `compute: |` to keep them apart"


def hidden_by_comment(reading: Reading, start: int) -> ProblemError:
    """A comment in text whose lines YAML has joined."""
    return ProblemError(
        "this comment hides all that follows",
        reading.span(start, start + 1),
        fix=joined_lines(reading),
    )


def number_before_square(reading: Reading, number: Place, start: int) -> ProblemError:
    """`3[…]`, which may be meant as a product or be an index that has lost its name."""
    digits = reading.text(number.start, number.stop)
    return ProblemError(
        "a number cannot be indexed",
        reading.span(number.start, start + 1),
        fix=f"write `{digits}*[…]` for a product",
    )


def unmatched(reading: Reading, closing: str, start: int) -> ProblemError:
    """A closing bracket that closes nothing, or something else."""
    span = reading.span(start, start + 1)
    if not reading.brackets:
        return ProblemError(f"this `{closing}` closes nothing", span, fix="delete it")
    opening, _ = reading.brackets[-1]
    wanted = ")" if opening == "(" else "]"
    return ProblemError(f"`{closing}` cannot close `{opening}`", span, fix=f"write `{wanted}`")


def unclosed(reading: Reading) -> ProblemError:
    """The innermost open bracket, which never ends."""
    opening, start = reading.brackets[-1]
    wanted = ")" if opening == "(" else "]"
    return ProblemError(
        f"this `{opening}` is never closed", reading.span(start, start + 1), fix=f"add `{wanted}`"
    )


def too_long(reading: Reading, start: int) -> ProblemError:
    """More tokens than a program may have."""
    return ProblemError(
        f"a program has at most {MAX_TOKENS:,} words, numbers and signs",
        reading.span(start, start + 1),
    )


def nested_too_deep(span: Span, most: int) -> ProblemError:
    """Lists inside one another, beyond what an array can have for axes."""
    return ProblemError(f"nested deeper than {most} levels", span)


_DTYPES = ("float", "int", "bool", "double", "long", "half", "bfloat", "short", "uint", "complex")


def unknown_constant(prefix: str, name: str, span: Span, known: Iterable[str]) -> ProblemError:
    """`torch.something` that is neither called nor a constant, nor a function that is known."""
    if name.startswith(_DTYPES):
        fix = "leave it out: all floats have one dtype"
    else:
        fix = did_you_mean(name, known) or f"write `{prefix}.{name}(…)` for a function"
    constants = listed([f"{prefix}.{constant}" for constant in known])
    return ProblemError(f"`{prefix}.{name}` is not known as a value", span, constants, fix)


def number_as_matrix(span: Span) -> ProblemError:
    """`h@1`, a version of a name, or a matrix product with a number."""
    return ProblemError(
        "`@` multiplies matrices, and this is a number",
        span,
        fix="write `*` for a product; a version such as `h@1` is for the keys outside of `compute`",
    )


def no_target(span: Span) -> ProblemError:
    """`(a, 2) = …`: something that is no name among those assigned at once."""
    return ProblemError(
        "this cannot be assigned", span, "names, as in `a, b = x.chunk(2)`", "give it a name"
    )


def repeated_keyword(name: str, span: Span) -> ProblemError:
    """`f(x, dim=0, dim=1)`."""
    return ProblemError(f"the argument `{name}` is given twice", span, fix="keep one of them")


def positional_after_keyword(span: Span) -> ProblemError:
    """`f(dim=0, x)`."""
    return ProblemError(
        "this argument has no name and follows one that has",
        span,
        fix="put it before the named ones",
    )
