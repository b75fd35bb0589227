"""A formula as a tree, and how tightly each piece of it holds together.

Trees are made by `parse` from the catalogue's one-line texts, or by the functions here; brackets
are no part of them: a printer puts them where a piece is looser than its place asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, IntEnum
from typing import Final, NamedTuple, TypeGuard, TypeVar

from backprop_engine.basics.dataclass import dataclass

_T = TypeVar("_T")


class Strength(IntEnum):
    """How tightly something holds together; what is looser than its place asks for is bracketed."""

    STATEMENT = 0
    SEMICOLON = 1
    COMMA = 2
    WITH = 3
    WORDS = 4
    LOOSE = 5
    """A negative number, or a name that is a piece of a program: an operand only in brackets."""
    CONDITION = 6
    LOGIC = 7
    COMPARISON = 8
    SUM = 9
    SIGNED = 10
    SERIES = 11
    """`Σ …` goes on to the end of a product."""
    PRODUCT = 12
    APPLIED = 13
    """`det A`; and `∂y/∂x`, which is one factor among others."""
    POWER = 14
    ATOM = 15


TOUCHING: Final = "\u2062"
"""Between factors that have no sign between them."""
INFIX: Final = {
    "; ": Strength.SEMICOLON, ", ": Strength.COMMA, " with ": Strength.WITH, " ": Strength.WORDS,
    " if ": Strength.CONDITION, " else ": Strength.CONDITION,
    **dict.fromkeys((" ∧ ", " ∨ ", " ⊻ ", " & ", " | "), Strength.LOGIC),
    **dict.fromkeys((" = ", " ≠ ", " < ", " ≤ ", " > ", " ≥ ", " ≈ "), Strength.COMPARISON),
    **dict.fromkeys((" + ", " − "), Strength.SUM),
    **dict.fromkeys((TOUCHING, "·", " · ", " × ", "/", " mod "), Strength.PRODUCT),
    **dict.fromkeys((" ⊙ ", " @ ", " ⊗ ", " ⋆ ", " ⋆ᵀ "), Strength.PRODUCT),
}  # fmt: skip
"""What may stand between two pieces, and how strong the whole is."""

SUMS: Final = ("Σ ", "Σₖ ", "Σₖₘ ", "Σₖₘₙ ", "Σₖₘₙₚ ")
"""A sum; over so many indices, whose letters are `k`, `m`, `n` and `p`."""
PREFIX: Final = {
    "−": (Strength.SIGNED, Strength.SERIES), "+": (Strength.SIGNED, Strength.SERIES),
    **dict.fromkeys((*SUMS, "Π "), (Strength.SERIES, Strength.SERIES)),
    "√": (Strength.POWER, Strength.ATOM), "¬": (Strength.POWER, Strength.ATOM),
    "~": (Strength.POWER, Strength.ATOM), "else ": (Strength.CONDITION, Strength.LOGIC),
    **dict.fromkeys(("det ", "tr ", "log "), (Strength.APPLIED, Strength.APPLIED)),
    "∂": (Strength.APPLIED, Strength.POWER),
}  # fmt: skip
"""What may stand before a piece: the strength of the whole, and what it asks of the piece."""
KEYWORD: Final = (Strength.WITH, Strength.WORDS)
"""The same for `min=`, the name of an argument."""


class Form(Enum):
    """What a branch of a tree is."""

    STATEMENT = "a = b + c = d: a line of text, in which a sign asks of what follows it alone"
    CHAIN = "a + b − c: parts with signs of one strength between them"
    PREFIX = "−a"
    SUFFIX = "aᵀ"
    POWER = "a²"
    FENCE = "|a|"
    CALL = "f(a, b): the function is the first part"
    INDEX = "a[b, c]"
    PARTIAL = "∂a/∂b"


@dataclass(frozen=True, slots=True)
class Text:
    """A name, a number, a word or a sign that stands for something: `x`, `2`, `π`."""

    text: str


@dataclass(frozen=True, slots=True)
class Hole:
    """Something by its letter: an operand, the output, the upstream gradient, an attribute."""

    name: str


@dataclass(frozen=True, slots=True)
class Branch:
    """Several pieces as one."""

    form: Form
    parts: tuple[Tree, ...]
    signs: tuple[str, ...] = ()
    """Between the parts of a chain and a statement, else around them."""


Leaf = Text | Hole
Tree = Leaf | Branch


def _is_chain(tree: Tree, of: Strength) -> TypeGuard[Branch]:
    return isinstance(tree, Branch) and tree.form is Form.CHAIN and INFIX[tree.signs[0]] is of


def chain(left: Tree, sign: str, right: Tree) -> Branch:
    """`left sign right`; what is of the same strength on the left goes on."""
    if _is_chain(left, INFIX[sign]):
        return Branch(Form.CHAIN, (*left.parts, right), (*left.signs, sign))
    return Branch(Form.CHAIN, (left, right), (sign,))


def run_on(left: Tree, sign: str, right: Tree) -> Branch:
    """The same for signs that may be taken in any order: the right side goes on, too."""
    whole = chain(left, sign, right)
    if not _is_chain(right, INFIX[sign]):
        return whole
    return Branch(Form.CHAIN, whole.parts[:-1] + right.parts, whole.signs + right.signs)


def statement(*sides: Tree, signs: Sequence[str] = ()) -> Branch:
    """`a = b = c` as a line of its own; `signs` may begin with others: `−1 × (−2) = 2`."""
    equal = [" = "] * (len(sides) - 1 - len(signs))
    return Branch(Form.STATEMENT, sides, (*signs, *equal))


def prefix(sign: str, part: Tree) -> Branch:
    """`−a`"""
    return Branch(Form.PREFIX, (part,), (sign,))


def call(function: str, *arguments: Tree) -> Branch:
    """`f(a, b)`"""
    return Branch(Form.CALL, (Text(function), *arguments))


def partial(above: str, below: str, sign: str = "∂") -> Branch:
    """`∂above/∂below`"""
    return Branch(Form.PARTIAL, (Text(above), Text(below)), (sign,))


_INNERMOST = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\"[^\"]*\"|'[^']*'")
_OPERATORS = re.compile(r"[\s+*/−·^<>=-]|(?<!\w)@|@(?!\d)")


def is_loose(text: str) -> bool:
    """Whether a name or a number needs brackets as an operand: `−3`, `1e5`, `x.detach()*2`."""
    if text.isalnum():
        return text[0].isdecimal() and "e" in text
    bare = text
    while bare != (bare := _INNERMOST.sub("", bare)):
        pass
    return _OPERATORS.search(bare) is not None


def is_number(tree: Tree) -> bool:
    """Whether it is a number, and nothing is to be worked out: `2`, `−0.5`."""
    if isinstance(tree, Branch) and tree.form is Form.PREFIX and tree.signs == ("−",):
        (tree,) = tree.parts
    return isinstance(tree, Text) and tree.text.lstrip("−")[:1].isdecimal()


def is_word(tree: Tree) -> TypeGuard[Text]:
    """Whether it may be a word of a sentence. So may a long name: ask where sentences are."""
    return isinstance(tree, Text) and re.fullmatch("[A-Za-z]{2,}", tree.text) is not None


def first_of(tree: Tree) -> Tree:
    """What stands first in a chain."""
    while isinstance(tree, Branch) and tree.form is Form.CHAIN:
        tree = tree.parts[0]
    return tree


def strength(tree: Tree) -> Strength:
    """How tightly `tree` holds together."""
    if isinstance(tree, Text):
        return Strength.LOOSE if is_loose(tree.text) else Strength.ATOM
    if isinstance(tree, Hole):
        return Strength.ATOM
    match tree.form:
        case Form.STATEMENT:
            return Strength.STATEMENT
        case Form.CHAIN:
            return INFIX[tree.signs[0]]
        case Form.PREFIX:
            own, least = PREFIX.get(tree.signs[0], KEYWORD)
            # `log Σ x` goes on to the end of a product, as `Σ x` does.
            is_series = least is Strength.APPLIED and ends_in_series(tree)
            return Strength.SERIES if is_series else own
        case Form.SUFFIX | Form.POWER:
            return Strength.POWER
        case Form.PARTIAL:
            return Strength.APPLIED
        case _:
            return Strength.ATOM


def ends_in_series(tree: Tree) -> bool:
    """Whether it is `Σ …`, or `log det Σ …`."""
    while isinstance(tree, Branch) and tree.form is Form.PREFIX:
        own, least = PREFIX.get(tree.signs[0], KEYWORD)
        if own is Strength.SERIES:
            return True
        if least is not Strength.APPLIED:
            return False
        tree = tree.parts[0]
    return False


def asked(tree: Branch) -> tuple[int, ...]:
    """For each part of a branch, how strong it has to be to stand there without brackets."""
    match tree.form:
        case Form.STATEMENT:
            return (0, *(0 if sign == " = " else INFIX[sign] + 1 for sign in tree.signs))
        case Form.CHAIN:
            return _asked_in_chain(tree)
        case Form.PREFIX:
            _, least = PREFIX.get(tree.signs[0], KEYWORD)
            may_go_on = least is Strength.APPLIED and ends_in_series(tree.parts[0])
            return (Strength.SERIES if may_go_on else least,)
        case Form.SUFFIX | Form.POWER | Form.PARTIAL:
            return (Strength.ATOM,) * len(tree.parts)
        case Form.CALL | Form.INDEX:
            is_split = len(tree.parts) == 2 and strength(tree.parts[1]) is Strength.SEMICOLON
            least = Strength.SEMICOLON if is_split else Strength.WITH
            return (Strength.ATOM, *(least for _ in tree.parts[1:]))
        case _:
            return (Strength.STATEMENT,) * len(tree.parts)


def _asked_in_chain(tree: Branch) -> tuple[int, ...]:
    own = INFIX[tree.signs[0]]
    if own is Strength.SUM:  # `−a + b`, but `b + (−a)`
        return (Strength.SIGNED, *(Strength.SERIES for _ in tree.signs))
    asks = [own + 1] * len(tree.parts)
    if own is Strength.PRODUCT and ends_in_series(tree.parts[-1]):
        asks[-1] = Strength.SERIES
    return tuple(asks)


class At(NamedTuple):
    """A piece in its place, which asks for some strength."""

    tree: Tree
    asks: int


def flattened(
    tree: Tree,
    spelled: Callable[[Branch], Iterable[_T | At]],
    leaf: Callable[[Leaf, int], _T],
    brackets: tuple[_T, _T],
) -> list[_T]:
    """The pieces of a formula from left to right, with brackets where they are needed.

    `spelled` says how a branch is written, in signs and parts; `leaf` how a leaf is.
    """
    done: list[_T] = []
    waiting: list[_T | At] = [At(tree, Strength.STATEMENT)]
    while waiting:
        piece = waiting.pop()
        if not isinstance(piece, At):
            done.append(piece)
        elif not isinstance(piece.tree, Branch):
            done.append(leaf(piece.tree, piece.asks))
        else:
            written = list(spelled(piece.tree))
            if strength(piece.tree) < piece.asks:
                written = [brackets[0], *written, brackets[1]]
            waiting.extend(reversed(written))
    return done


def filled(
    tree: Tree, holes: Mapping[str, Tree], respelled: Mapping[str, str] | None = None
) -> Tree:
    """`tree` with what its holes stand for, and with some signs in place of others."""
    other_signs = respelled or {}
    done: list[Tree] = []
    waiting: list[Tree | tuple[Branch]] = [tree]
    while waiting:
        piece = waiting.pop()
        if isinstance(piece, Text):
            done.append(piece)
        elif isinstance(piece, Hole):
            done.append(holes[piece.name])
        elif isinstance(piece, Branch):
            waiting.append((piece,))
            waiting.extend(reversed(piece.parts))
        else:
            (branch,) = piece
            at = len(done) - len(branch.parts)
            signs = tuple(other_signs.get(sign, sign) for sign in branch.signs)
            done[at:] = [Branch(branch.form, tuple(done[at:]), signs)]
    return done[0]
