"""Every part of a scenario knows its place in the file, in whatever form YAML holds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from backprop_engine.basics.source import ScenarioError, Source, Span
from backprop_engine.grammar.excerpt import align
from backprop_engine.grammar.syntax import Assignment, Binary, Name, Number, postorder
from backprop_engine.scenarios.loader import load, parse_document, parse_shorthand
from backprop_engine.scenarios.yaml_document import Scalar, Table, read_document

FORMS = {
    "one line": "compute: y = x**2 + 3x\n",
    "a block": "compute: |\n  y = x**2 + 3x\n",
    "a block with a comment in its header": "compute: |2-   # the formula\n     y = x**2 + 3x\n",
    "an indented block": "compute: |\n\n      # square\n      y = x**2 + 3x   # and more\n\n",
    "a folded block": "compute: >\n\n  y = x**2\n  + 3x\n\n",
    "a plain text over several lines": "compute: y\n  =\n  x**2\n     + 3x\n",
    "single quotes": "compute: 'y = x**2 + 3x'\n",
    "single quotes over several lines": "compute: 'y =\n     x**2 +\n  3x'\n",
    "double quotes": 'compute: "y = x**2 + 3x"\n',
    "double quotes with escapes": 'compute: "\\ty\\x20=\\u0020x**2 + \\\n    \\ 3x"\n',
    "double quotes with escaped letters": 'compute: "y = \\x78**2 + 3\\u0078"\n',
    "a mapping": "compute:\n  y: x**2 + 3x\n",
    "a mapping of quoted texts": "compute: {y: 'x**2 + 3x'}\n",
    "an anchored text": "compute: &formula y = x**2 + 3x\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("before", ["", "title: 'ten € — π'\n", "inputs: {x: 2}\n\n\n"])
def test_a_part_of_a_formula_is_found_in_the_file(before: str, text: str) -> None:
    source = Source("lesson.yaml", before + text)
    (statement,) = parse_document(source).statements
    assert isinstance(statement, Assignment)

    def written(span: Span) -> str:
        return source.text[span.start : span.stop]

    names = {"x", "\\x78", "\\u0078"}
    for part in postorder(statement.expression):
        if isinstance(part, Name):
            assert source.text[part.span.start :].startswith(tuple(names))
        elif isinstance(part, Number):
            assert written(part.span) == str(part.value)
    assert isinstance(statement.expression, Binary)
    assert written(statement.expression.span).startswith(("x**2", "\\x78"))
    assert [written(name.span) for name in statement.names] == ["y"]
    assert written(statement.span).startswith("y")


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_the_caret_stands_under_the_mistake(text: str) -> None:
    marked = text.replace("3x", "3 $").replace("3\\u0078", "3 $")

    with pytest.raises(ScenarioError) as caught:
        parse_document(Source("lesson.yaml", marked))

    _, line, caret = caught.value.render().splitlines()
    assert line[caret.index("^")] == "$"
    assert caret.count("^") == 1


def test_a_span_takes_in_brackets_that_belong_to_its_operands() -> None:
    text = "x=2, y=((x+1))(x-(1)) + (x)[0]"
    (statement,) = parse_shorthand(Source("<-e>", text)).statements
    assert isinstance(statement, Assignment)

    spans = {text[one.span.start : one.span.stop] for one in postorder(statement.expression)}

    assert spans == {
        "x", "1", "0", "x+1", "x-(1)", "((x+1))(x-(1))", "(x)[0]", "((x+1))(x-(1)) + (x)[0]",
    }  # fmt: skip


def test_windows_line_ends_and_a_byte_order_mark_shift_nothing(tmp_path) -> None:
    path = tmp_path / "lesson.yaml"
    path.write_bytes("\ufeffinputs: {x: 2}\r\ncompute: |\r\n  y = 3x\r\n  z = y $ 2\r\n".encode())

    with pytest.raises(ScenarioError) as caught:
        load(path)

    assert caught.value.render().splitlines()[0] == f"{path}:4:9: `$` is not an operator here"


WORDS = st.text(st.sampled_from("ab9'\"\\#:-|>é€&*{}[],%@`!"), min_size=1, max_size=5)
BLANKS = st.sampled_from([" ", "  ", "\n", "\n\n", "\n  ", "\t", " \n "])


@st.composite
def values(draw: st.DrawFn) -> str:
    pieces = [draw(WORDS)]
    for _ in range(draw(st.integers(0, 5))):
        pieces += [draw(BLANKS), draw(WORDS)]
    return "".join(pieces)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("é", "\\xe9") + '"'


def block(value: str) -> str:
    return "|2-\n" + "\n".join("    " + line for line in value.split("\n"))


@given(values(), st.sampled_from([quoted, block]))
def test_each_character_of_a_value_is_aligned_with_the_one_that_wrote_it(value, write) -> None:
    source = Source("lesson.yaml", f"title: T\nabout: {write(value)}\n")
    document = read_document(source)
    assert isinstance(document, Table)
    about = document.get("about")
    assert isinstance(about, Scalar)

    excerpt = about.excerpt(source)

    assert len(excerpt.offsets) == len(excerpt.text) + 1
    for character, offset in zip(excerpt.text, excerpt.offsets, strict=False):
        written = source.text[offset]
        if not character.isspace():
            assert written == ("\\" if character in '"\\é' and write is quoted else character)
    assert list(excerpt.offsets) == sorted(excerpt.offsets)


@given(values())
def test_folding_by_yaml_keeps_the_words_where_they_are(value: str) -> None:
    single = "'" + value.replace("'", "''").replace("\t", " ").replace("\n", "\n  ") + "'"
    source = Source("lesson.yaml", single)
    folded = YAML(typ="safe", pure=True).load(single)

    excerpt = align(source, folded, Span(0, len(single)), "'")

    for character, offset in zip(excerpt.text, excerpt.offsets, strict=False):
        if not character.isspace():
            assert source.text[offset] == character
