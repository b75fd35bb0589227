"""Expressions are read as Python reads them, and products may leave out their sign."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.thorough import share

from backprop_engine.basics.source import ProblemError, Source
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_expression, parse_program
from backprop_engine.grammar.syntax import Assignment, Expression, postorder

PYTHON_SIGNS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**",
    ast.USub: "-", ast.UAdd: "+", ast.Mod: "%", ast.FloorDiv: "//", ast.BitAnd: "&",
    ast.BitOr: "|", ast.Invert: "~", ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=",
    ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def read(text: str, *variables: str) -> Expression:
    return parse_expression(whole(Source("<-e>", text)), variables=frozenset(variables))


def statements(text: str) -> tuple[Assignment, ...]:
    found = parse_program(whole(Source("<-e>", text)))
    return tuple(one for one in found if isinstance(one, Assignment))


def bracketed(expression: Expression) -> str:
    """An expression with every bracket written out; only ever called on small ones."""
    parts = [bracketed(child) for child in syntax.children(expression)]
    match expression:
        case syntax.Number(value=value) | syntax.Literal(value=value):
            return repr(value)
        case syntax.Name(name=name):
            return name
        case syntax.Unary(symbol=symbol):
            return f"({symbol}{parts[0]})"
        case syntax.Binary(symbol=symbol):
            return f"({parts[0]} {symbol} {parts[1]})"
        case syntax.Sequence():
            return f"[{', '.join(parts)}]"
        case syntax.Attribute(name=name):
            return f"{parts[0]}.{name}"
        case syntax.Subscript():
            return f"{parts[0]}[{', '.join(parts[1:])}]"
        case syntax.Call():
            return bracketed_call(expression, parts)
        case syntax.Star():
            return f"*{parts[0]}"
        case _:
            return bracketed_slice(expression, iter(parts))


def bracketed_slice(slice_: Expression, parts: Iterator[str]) -> str:
    if isinstance(slice_, syntax.Dots):
        return "..."
    assert isinstance(slice_, syntax.Slice)
    start, stop, step = [
        next(parts) if one else "" for one in (slice_.start, slice_.stop, slice_.step)
    ]
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def bracketed_call(call: syntax.Call, parts: list[str]) -> str:
    receiver = [parts.pop(0)] if call.receiver else [call.prefix] if call.prefix else []
    keys = [""] * len(call.arguments) + [f"{key}=" for key, _ in call.keywords]
    arguments = ", ".join(key + value for key, value in zip(keys, parts, strict=True))
    return f"{'.'.join([*receiver, call.function])}({arguments})"


def bracketed_by_python(node: ast.expr) -> str:
    """The same of the tree that Python's own parser makes."""
    match node:
        case ast.Constant(value=value):
            return repr(value)
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=op, operand=operand):
            return f"({PYTHON_SIGNS[type(op)]}{bracketed_by_python(operand)})"
        case ast.BinOp(left=left, op=op, right=right):
            sign = PYTHON_SIGNS[type(op)]
            return f"({bracketed_by_python(left)} {sign} {bracketed_by_python(right)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            sign = PYTHON_SIGNS[type(op)]
            return f"({bracketed_by_python(left)} {sign} {bracketed_by_python(right)})"
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=args):
            arguments = ", ".join(map(bracketed_by_python, args))
            return f"{bracketed_by_python(owner)}.{name}({arguments})"
        case ast.Call(func=ast.Name(id=name), args=args):
            return f"{name}({', '.join(map(bracketed_by_python, args))})"
        case ast.Attribute(value=owner, attr=name):
            return f"{bracketed_by_python(owner)}.{name}"
        case ast.Subscript(value=owner, slice=index):
            return f"{bracketed_by_python(owner)}[{bracketed_by_python(index)}]"
    raise AssertionError(ast.dump(node))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("3x", "(3 * x)"),
        ("2(x+1)", "(2 * (x + 1))"),
        ("0.5sin(t)", "(0.5 * sin(t))"),
        ("(x+1)(x-1)", "((x + 1) * (x - 1))"),
        ("sin(x)(y)", "(sin(x) * y)"),
        ("sin(x)y", "(sin(x) * y)"),
        ("x[0]y", "(x[0] * y)"),
        ("x[0](y)", "(x[0] * y)"),
        ("2x**2", "(2 * (x ** 2))"),
        ("2**3x", "((2 ** 3) * x)"),
        ("1/2x", "((1 / 2) * x)"),
        ("-2x", "((-2) * x)"),
        ("3x[0]", "(3 * x[0])"),
        ("(x)[0]", "x[0]"),
        ("2 x", "(2 * x)"),
        ("(x) (y)", "(x * y)"),
        ("2exp(x)", "(2 * exp(x))"),
        ("2e3x", "(2000.0 * x)"),
        ("2torch.exp(x)", "(2 * torch.exp(x))"),
        ("0x", "(0 * x)"),
        ("2(x)(y)z", "(((2 * x) * y) * z)"),
    ],
)
def test_a_product_may_leave_out_its_sign_and_binds_as_if_it_had_one(
    text: str, meaning: str
) -> None:
    assert bracketed(read(text)) == meaning


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e3", 2000.0),
        ("2e+1", 20.0),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("1.", 1.0),
        ("1_000", 1000),
        ("1_0.2_5e1_0", 10.25e10),
        ("007", 7),
        ("1e999", float("inf")),
    ],
)
def test_numbers_are_pythons(text: str, value: float) -> None:
    number = read(text)

    assert isinstance(number, syntax.Number)
    assert number.value == value
    assert type(number.value) is type(value)


def test_a_literal_of_a_thousand_digits_is_beyond_float64_and_no_error() -> None:
    number = read("9" * 5000)

    assert isinstance(number, syntax.Number)
    assert number.value == float("inf")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("torch.exp(x)", "torch.exp(x)"),
        ("F.relu(x)", "F.relu(x)"),
        ("torch.nn.functional.relu(x)", "torch.nn.functional.relu(x)"),
        ("x.sum()", "x.sum()"),
        ("x.T", "x.T"),
        ("(x - y).pow(2).mean()", "(x - y).pow(2).mean()"),
        ("sum(x, dim=-1, keepdim=True)", "sum(x, dim=(-1), keepdim=True)"),
        ("f('ij,jk', x, None)", "f('ij,jk', x, None)"),
        ("x.reshape(2, -1)", "x.reshape(2, (-1))"),
        ("x.reshape((2, 3),)", "x.reshape([2, 3])"),
        ("f()", "f()"),
        ("[[1, x], [2, y],]", "[[1, x], [2, y]]"),
        ("x[1:2, ..., None, ::2, :, 3:, idx]", "x[1:2, ..., None, ::2, :, 3:, idx]"),
        ("x[-1]", "x[(-1)]"),
        ("math.pi", "3.141592653589793"),
        ("2torch.inf", "(2 * inf)"),
        ("θ + π_2", "(θ + π_2)"),
    ],
)
def test_a_line_of_pytorch_can_be_pasted(text: str, meaning: str) -> None:
    assert bracketed(read(text)) == meaning


def test_a_function_knows_its_module_and_a_method_its_receiver() -> None:
    function, method = read("torch.nn.functional . relu(x)"), read("x.relu()")

    assert isinstance(function, syntax.Call)
    assert (function.function, function.prefix) == ("relu", "torch.nn.functional")
    assert function.receiver is None
    assert isinstance(method, syntax.Call)
    assert (method.function, method.prefix) == ("relu", "")
    assert isinstance(method.receiver, syntax.Name)


def test_a_variable_called_like_a_module_is_a_variable() -> None:
    call = read("F.sum()", "F")

    assert isinstance(call, syntax.Call)
    assert isinstance(call.receiver, syntax.Name)

    _, second = statements("nn = 2x\ny = nn.sum()")

    assert isinstance(second.expression, syntax.Call)
    assert isinstance(second.expression.receiver, syntax.Name)


@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "**", "@", "%", "//", "&", "|"])
def test_an_augmented_assignment_computes_with_the_name_itself(sign: str) -> None:
    (statement,) = statements(f"a {sign}= b + c")

    assert statement.name == "a"
    assert bracketed(statement.expression) == f"(a {sign} (b + c))"


def test_statements_end_at_a_line_end_or_a_semicolon_outside_of_brackets() -> None:
    text = """
    a = x + \\
        1;; b = (x
        + 2)  # a comment; with a semicolon

    c = [1,  # one
         2]
    """

    assert [
        (statement.name, bracketed(statement.expression)) for statement in statements(text)
    ] == [
        ("a", "(x + 1)"),
        ("b", "(x + 2)"),
        ("c", "[1, 2]"),
    ]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("x > 0 & y", "(x > (0 & y))"),
        ("(x > 0) & ~(y <= 1) | z", "(((x > 0) & (~(y <= 1))) | z)"),
        ("x + 1 < 2y", "((x + 1) < (2 * y))"),
        ("(x > 0)(y < 1)", "((x > 0) * (y < 1))"),
        ("~x**2", "(~(x ** 2))"),
        ("x % 3 // 2x", "(((x % 3) // 2) * x)"),
        ("x[x >= 0]", "x[(x >= 0)]"),
        ("f(x == y, dim=a < b)", "f((x == y), dim=(a < b))"),
        ("(0 < x) < 1", "((0 < x) < 1)"),
        ("cat([*a, b], *c)", "cat([*a, b], *c)"),
    ],
)
def test_comparisons_and_masks_bind_as_in_python(text: str, meaning: str) -> None:
    assert bracketed(read(text)) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("nn.ReLU()(x)", "nn.ReLU().forward(x)"),
        ("torch.nn.Softmax(dim=-1)(x).sum()", "torch.nn.Softmax(dim=(-1)).forward(x).sum()"),
        ("nn.MSELoss()(y, target=t)", "nn.MSELoss().forward(y, target=t)"),
        ("2nn.Tanh()(x)(y)", "((2 * nn.Tanh().forward(x)) * y)"),
        ("nn.functional.relu(x)(y)", "(nn.functional.relu(x) * y)"),
        ("relu(x)(y)", "(relu(x) * y)"),
    ],
)
def test_the_brackets_after_a_module_call_it_and_are_no_factor(text: str, meaning: str) -> None:
    assert bracketed(read(text)) == meaning


@pytest.mark.parametrize(
    ("text", "names", "meaning"),
    [
        ("a, b = x.chunk(2)", ["a", "b"], "x.chunk(2)"),
        ("(a, b) = x.chunk(2)", ["a", "b"], "x.chunk(2)"),
        ("[a, b] = x.chunk(2)", ["a", "b"], "x.chunk(2)"),
        ("a, = x", ["a"], "x"),
        ("a, _, b, = f(x, y)", ["a", "_", "b"], "f(x, y)"),
        ("a, b = b, a", ["a", "b"], "[b, a]"),
        ("a, b = (b + 1), 2a,", ["a", "b"], "[(b + 1), (2 * a)]"),
    ],
)
@pytest.mark.parametrize("shorthand", [False, True])
def test_several_names_are_assigned_at_once(
    text: str, names: list[str], meaning: str, shorthand: bool
) -> None:
    (statement,) = parse_program(whole(Source("<-e>", text)), shorthand=shorthand)

    assert isinstance(statement, syntax.Unpacking)
    assert [target.name for target in statement.targets] == names
    assert bracketed(statement.expression) == meaning


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("x = 2, a, b = x.chunk(2), y = a*b", ["2", "x.chunk(2)", "(a * b)"]),
        ("a, b = 1*x, 2*x, a, b = b, a, y=a", ["[(1 * x), (2 * x)]", "[b, a]", "a"]),
        ("a, b = f(x), c, d = g(y), z = a", ["f(x)", "g(y)", "a"]),
        ("a, b = x\nc, d = y; e = z", ["x", "y", "z"]),
    ],
)
def test_in_the_shorthand_an_unpacking_ends_where_the_next_statement_starts(
    text: str, meanings: list[str]
) -> None:
    found = parse_program(whole(Source("<-e>", text)), shorthand=True)

    assert [
        bracketed(one.expression)
        for one in found
        if isinstance(one, syntax.Assignment | syntax.Unpacking)
    ] == meanings


def test_names_that_look_alike_to_python_are_one_name() -> None:
    micro, greek = statements("µ = x; y = μ")

    assert isinstance(greek.expression, syntax.Name)
    assert micro.name == greek.expression.name


class Written(NamedTuple):
    """One expression in our notation and in Python's, and how tightly it binds (ATOM: most)."""

    ours: str
    pythons: str
    level: int


ENDS_WITH_NUMBER = re.compile(r"(?:^|[^\w.])[\d.]+(?:e-?\d+)?$")
COMPARISON, EITHER, BOTH, SUM, PRODUCT, SIGN, POWER, ATOM = range(8)
NAMES = st.sampled_from(["x", "y1", "theta", "e1", "E", "j"])
NUMBERS = st.sampled_from(["2", "0.5", "10", "3e2", "1e-3"])
BLANKS = st.sampled_from(["", "", " ", "  "])


def at_least(level: int, one: Written) -> tuple[str, str]:
    """Both texts of an expression, in brackets where it binds less tightly than `level`."""
    if one.level >= level:
        return one.ours, one.pythons
    return f"({one.ours})", f"({one.pythons})"


@st.composite
def leaves(draw: st.DrawFn) -> Written:
    text = draw(st.one_of(NAMES, NUMBERS))
    return Written(text, text, ATOM)


@st.composite
def larger(draw: st.DrawFn, parts: st.SearchStrategy[Written]) -> Written:
    kinds = ["sum", "product", "product", "sign", "power", "call", "of", "mask", "mask"]
    kind = draw(st.sampled_from(kinds))
    first, second = draw(parts), draw(parts)
    left, right = draw(BLANKS), draw(BLANKS)
    match kind:
        case "sum" | "product":
            level = SUM if kind == "sum" else PRODUCT
            signs = ["+", "-"] if kind == "sum" else ["*", "*", "/", "@", "%", "//"]
            sign = draw(st.sampled_from(signs))
            if sign == "@" and second.ours[0].isdigit():
                sign = "*"  # no number is a matrix
            ours_1, pythons_1 = at_least(level, first)
            ours_2, pythons_2 = at_least(level + 1, second)
            written = f"{ours_1}{left}{sign}{right}{ours_2}"
            if sign == "*" and draw(st.booleans()) and may_leave_out_sign(ours_1, ours_2):
                written = f"{ours_1}{left}{ours_2}"
            return Written(written, f"{pythons_1} {sign} {pythons_2}", level)
        case "mask":
            sign = draw(st.sampled_from(["&", "|", ">", "<", ">=", "<=", "==", "!="]))
            level = {"&": BOTH, "|": EITHER}.get(sign, COMPARISON)
            # Python chains comparisons, so neither side may be one without brackets.
            ours_1, pythons_1 = at_least(level + (level == COMPARISON), first)
            ours_2, pythons_2 = at_least(level + 1, second)
            text = f"{ours_1}{left}{sign}{right}{ours_2}"
            return Written(text, f"{pythons_1} {sign} {pythons_2}", level)
        case "sign":
            ours, pythons = at_least(SIGN, first)
            sign = draw(st.sampled_from("-~"))
            return Written(f"{sign}{right}{ours}", f"{sign}{pythons}", SIGN)
        case "power":
            ours_1, pythons_1 = at_least(ATOM, first)
            ours_2, pythons_2 = at_least(SIGN, second)
            text = f"{ours_1}{left}**{right}{ours_2}"
            return Written(text, f"{pythons_1} ** {pythons_2}", POWER)
        case "call":
            text = f"exp({left}{first.ours}{right})"
            return Written(text, f"exp({first.pythons})", ATOM)
        case _:
            ours, pythons = at_least(ATOM, first)
            suffix = draw(st.sampled_from([".T", ".sum()", "[x]"]))
            if ours[0].isdigit():
                ours, pythons = f"({ours})", f"({pythons})"
            return Written(ours + suffix, pythons + suffix, ATOM)


def may_leave_out_sign(left: str, right: str) -> bool:
    """Whether `left` ends with a number or a bracket, and a name or a bracket follows.

    `2` before `e1` would be another number.
    """
    if ENDS_WITH_NUMBER.search(left):
        return right.startswith(("x", "y1", "theta", "j", "exp", "("))
    return left[-1] in ")]" and (right[0].isalpha() or right[0] == "(")


EXPRESSIONS = st.recursive(leaves(), larger, max_leaves=12)


@given(EXPRESSIONS)
def test_any_expression_is_read_as_python_reads_it_with_every_sign_written_out(
    expression: Written,
) -> None:
    expected = bracketed_by_python(ast.parse(expression.pythons, mode="eval").body)

    assert bracketed(read(expression.ours)) == expected


@given(EXPRESSIONS)
def test_every_part_of_an_expression_knows_the_text_it_was_read_from(expression: Written) -> None:
    text = expression.ours
    for part in postorder(read(text)):
        assert bracketed(read(text[part.span.start : part.span.stop])) == bracketed(part)


def test_a_sum_of_5000_terms_is_read() -> None:
    expression = read(" + ".join(f"{n}x" for n in range(5000)))

    assert sum(isinstance(part, syntax.Binary) for part in postorder(expression)) == 9999


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"), ("f(", ")"), ("-", ""), ("2**", ""), ("x[", "]"), ("~", ""),
        ("x & (", ")"), ("x < (", ")"), ("[*", "]"),
    ][:: share(usual=3, thorough=1)],
)  # fmt: skip
def test_ten_thousand_levels_are_read(opening: str, closing: str) -> None:
    expression = read(opening * 10_000 + "x" + closing * 10_000)

    last = next(iter(postorder(expression)))

    assert isinstance(last, syntax.Name | syntax.Number)


def test_lists_are_as_deep_as_an_array_can_have_axes_and_no_deeper() -> None:
    assert isinstance(read("[" * 64 + "x" + "]" * 64), syntax.Sequence)
    with pytest.raises(ProblemError, match="nested deeper than 64 levels"):
        read("[" * 65 + "x" + "]" * 65)


def test_ten_thousand_open_brackets_are_one_error() -> None:
    with pytest.raises(ProblemError, match="never closed"):
        read("(" * 10_000)
