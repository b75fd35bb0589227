"""A YAML document as a tree of nodes that know their places.

Reading is by ruamel.yaml; the tree is built from its events, with neither recursion nor
conversion, so that every key and value keeps its position and its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from backprop_engine.basics.limits import MAX_YAML_ENTRIES, MAX_YAML_NESTING, MAX_YAML_VALUES
from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.grammar.excerpt import Excerpt, align, check_characters
from backprop_engine.scenarios.yaml_mistakes import no_character, not_yaml, unreadable

_NUMBER = re.compile(r"[-+]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][-+]?\d+)?")
_SPECIAL = re.compile(r"([-+]?)\.?(inf|nan)", re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?\d{1,300}")
_TAG = re.compile(r"![^\s,\[\]{}]*")
_ANCHOR = re.compile(r"&\S+\s*")


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A text, number, truth value or null; `style` is `|`, `>`, a quote, or empty for plain."""

    text: str
    style: str
    span: Span

    @property
    def is_null(self) -> bool:
        """Whether nothing, `~` or `null` is written."""
        return not self.style and self.text in ("", "~", "null", "Null", "NULL")

    @property
    def boolean(self) -> bool | None:
        """The truth value, or None where it is none."""
        if self.style or self.text.lower() not in ("true", "false"):
            return None
        return self.text.lower() == "true"

    @property
    def number(self) -> float | int | None:
        """The number (an `int` where written as one, up to 300 digits), or None.

        The words nan and inf count with and without YAML's dot, quoted or not.
        """
        special = _SPECIAL.fullmatch(self.text)
        if special:
            return float(special[1] + special[2])
        if self.style or not _NUMBER.fullmatch(self.text):
            return None
        digits = self.text.replace("_", "")
        return int(digits) if _INTEGER.fullmatch(digits) else float(digits)

    def excerpt(self, source: Source) -> Excerpt:
        """The text with the place of each of its characters."""
        return align(source, self.text, self.span, self.style)


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """A YAML sequence."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A YAML mapping, in the order written; no key occurs twice."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span

    def get(self, name: str) -> Node | None:
        """The value at a key."""
        return next((value for key, value in self.entries if key.text == name), None)


Node = Scalar | Listing | Table


@dataclass(slots=True)
class _Open:
    """A list or mapping being read."""

    start: int
    anchor: str | None
    is_table: bool
    nodes: list[Node] = field(default_factory=list)
    keys: dict[str, Span] = field(default_factory=dict)
    size: int = 1


def read_document(source: Source) -> Node | None:
    """The document in a source, or None where there is none.

    Raises ProblemError for what is not YAML, repeated keys, tags, a second document, and nesting or
    alias expansion beyond the limits.
    """
    yaml = YAML(typ="safe", pure=True)
    builder = _Builder(source)
    try:
        for event in yaml.parse(source.text):
            builder.take(event)
    except MarkedYAMLError as error:
        raise not_yaml(source.text, error) from error
    except ReaderError as error:
        raise unreadable(source.text, error) from error
    except (ValueError, OverflowError) as error:  # chr() on what an escape in quotes says
        raise no_character(source.text) from error
    return builder.root


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._documents = 0
        self._entries = 0

    def take(self, event: Any) -> None:
        """Put one event of the parser into the tree."""
        start, stop = event.start_mark.index, event.end_mark.index
        match event:
            case ScalarEvent() | SequenceStartEvent() | MappingStartEvent() if event.tag:
                tag = _TAG.search(self.source.text, start)
                span = Span(*tag.span()) if tag else Span(start, stop)
                shown = self.source.text[span.start : span.stop]
                raise ProblemError(f"the tag `{shown}` is not supported", span, fix="leave it out")
            case ScalarEvent():
                self._add_scalar(event, start, stop)
            case SequenceStartEvent() | MappingStartEvent():
                self._open(event, Span(start, stop))
            case SequenceEndEvent() | MappingEndEvent():
                self._close(stop)
            case AliasEvent():
                self._alias(event.anchor, Span(start, stop))
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise ProblemError(
                        "a second document starts here",
                        Span(start, stop),
                        "one scenario a file",
                        "put it into a file of its own",
                    )
            case _:
                pass

    def _add_scalar(self, event: Any, start: int, stop: int) -> None:
        start = _after_anchor(self.source.text, start, event.anchor)
        span = Span(start, max(start, stop))
        check_characters(event.value, span)
        parent = self._stack[-1] if self._stack else None
        is_value = parent is not None and parent.is_table and len(parent.nodes) % 2 == 1
        if parent and is_value and not event.value and not event.style:
            span = parent.nodes[-1].span  # nothing is written: only the key can be pointed at
        self._add(Scalar(event.value, event.style or "", span), 1, event.anchor)

    def _open(self, event: Any, span: Span) -> None:
        if len(self._stack) >= MAX_YAML_NESTING:
            raise ProblemError(
                f"lists and mappings are nested more than {MAX_YAML_NESTING} deep here", span
            )
        is_table = isinstance(event, MappingStartEvent)
        self._stack.append(_Open(span.start, event.anchor, is_table))

    def _close(self, stop: int) -> None:
        done = self._stack.pop()
        text = self.source.text
        while stop > done.start + 1 and text[stop - 1].isspace():
            stop -= 1
        span = Span(done.start, stop)
        node: Node
        if done.is_table:
            keys = (key for key in done.nodes[::2] if isinstance(key, Scalar))
            node = Table(tuple(zip(keys, done.nodes[1::2], strict=True)), span)
        else:
            node = Listing(tuple(done.nodes), span)
        self._add(node, done.size, done.anchor)

    def _alias(self, anchor: str, span: Span) -> None:
        if anchor not in self._anchors:
            known = any(open_.anchor == anchor for open_ in self._stack)
            raise ProblemError(
                f"`*{anchor}` contains itself" if known else f"no `&{anchor}` before `*{anchor}`",
                span,
                fix="" if known else f"mark what is meant with `&{anchor}`, or quote the text",
            )
        node, size = self._anchors[anchor]
        self._add(node, size, None)

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        self._entries += 1
        if self._entries > MAX_YAML_ENTRIES:
            raise ProblemError(
                f"a scenario has at most {MAX_YAML_ENTRIES:,} keys and values",
                node.span,
                fix="let a generator such as `normal` make large arrays",
            )
        if anchor:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if parent.is_table and len(parent.nodes) % 2 == 0:
            _check_key(self.source, parent, node)
        parent.nodes.append(node)
        parent.size += size
        if parent.size > MAX_YAML_VALUES:
            raise ProblemError(f"this stands for more than {MAX_YAML_VALUES:,} values", node.span)


def _check_key(source: Source, table: _Open, key: Node) -> None:
    if not isinstance(key, Scalar):
        raise ProblemError("a key must be a name", key.span, "`name: value`")
    first = table.keys.setdefault(key.text, key.span)
    if first is not key.span:
        line = source.position(first.start).line
        raise ProblemError(
            f"the key `{key.text}` stands here a second time",
            key.span,
            fix=f"the first is in line {line}; keep one of them",
        )


def _after_anchor(text: str, start: int, anchor: str | None) -> int:
    prefix = _ANCHOR.match(text, start) if anchor else None
    return prefix.end() if prefix else start
