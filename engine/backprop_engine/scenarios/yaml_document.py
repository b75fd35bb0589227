"""A YAML document as a tree of nodes that know their places.

Reading is by ruamel.yaml; the tree is built from its events without conversion, so that every key
and value keeps its position and its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.reader import ReaderError

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.limits import MAX_YAML_ENTRIES, MAX_YAML_NESTING, MAX_YAML_VALUES
from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.basics.suggestions import did_you_mean, listed
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
    size: int
    """How many values it stands for, every alias replaced."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A YAML mapping, in the order written; no key occurs twice."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span
    size: int
    """As for `Listing`."""

    def get(self, name: str) -> Node | None:
        """The value at a key."""
        return next((value for key, value in self.entries if key.text == name), None)

    def check(self, where: str, known: Sequence[str], *others: str, expected: str = "") -> None:
        """Raise ProblemError at a key that is neither `known` nor one of `others`."""
        for key, _ in self.entries:
            if key.text not in (*known, *others):
                message = f"unknown key `{key.text}`{where}"
                fix = did_you_mean(key.text, known)
                raise ProblemError(message, key.span, expected or listed(known), fix)


Node = Scalar | Listing | Table


def read_document(source: Source) -> Node | None:
    """The document in a source, or None where there is none.

    Raises ProblemError for what is not YAML, repeated keys, tags, a second document, and nesting or
    alias expansion beyond the limits.
    """
    try:
        return _Builder(source).document()
    except MarkedYAMLError as error:
        raise not_yaml(source.text, error) from error
    except ReaderError as error:
        raise unreadable(source.text, error) from error
    except (ValueError, OverflowError) as error:  # chr() on what an escape in quotes says
        raise no_character(source.text) from error


class _Builder:
    """Takes event after event; the recursion is no deeper than lists and mappings are nested."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._events: Iterator[Any] = YAML(typ="safe", pure=True).parse(source.text)
        self._anchors: dict[str, Node | None] = {}
        """None while what is marked is not complete."""
        self._written = 0

    def document(self) -> Node | None:
        """The root."""
        root, documents = None, 0
        for event in self._events:
            if isinstance(event, NodeEvent):
                root = self._node(event, 0)
            documents += isinstance(event, DocumentStartEvent)
            if documents > 1:
                raise ProblemError(
                    "a second document starts here",
                    _span(event),
                    "one scenario a file",
                    "put it into a file of its own",
                )
        return root

    def _node(self, event: Any, depth: int, key: Scalar | None = None) -> Node:
        """The node that starts with an event; `key` is the one it is the value of."""
        if isinstance(event, AliasEvent):
            node = self._meant(event)
        else:
            if event.tag:
                raise self._no_tag(event)
            if event.anchor:
                self._anchors.setdefault(event.anchor, None)
            if isinstance(event, ScalarEvent):
                node = self._scalar(event, key)
            else:
                node = self._collection(event, depth)
            if event.anchor:
                self._anchors[event.anchor] = node
        self._written += 1
        if self._written > MAX_YAML_ENTRIES:
            raise ProblemError(
                f"a scenario has at most {MAX_YAML_ENTRIES:,} keys and values",
                node.span,
                fix="let a generator such as `normal` make large arrays",
            )
        return node

    def _scalar(self, event: Any, key: Scalar | None) -> Scalar:
        span = _span(event)
        prefix = _ANCHOR.match(self._source.text, span.start) if event.anchor else None
        if prefix:
            span = Span(prefix.end(), max(prefix.end(), span.stop))
        check_characters(event.value, span)
        if key and not event.value and not event.style:
            span = key.span  # nothing is written: only the key can be pointed at
        return Scalar(event.value, event.style or "", span)

    def _collection(self, event: Any, depth: int) -> Listing | Table:
        if depth >= MAX_YAML_NESTING:
            raise ProblemError(
                f"lists and mappings are nested more than {MAX_YAML_NESTING} deep here",
                _span(event),
            )
        nodes: list[Node] = []
        keys: dict[str, Scalar] = {}
        key, size = None, 1
        while not isinstance(inner := next(self._events), CollectionEndEvent):
            node = self._node(inner, depth + 1, key)
            if isinstance(event, MappingStartEvent):
                key = None if key else self._key(node, keys)
            nodes.append(node)
            size += 1 if isinstance(node, Scalar) else node.size
            if size > MAX_YAML_VALUES:
                raise ProblemError(
                    f"this stands for more than {MAX_YAML_VALUES:,} values", node.span
                )
        start, stop = event.start_mark.index, inner.end_mark.index
        stop = max(start + 1, start + len(self._source.text[start:stop].rstrip()))
        if isinstance(event, MappingStartEvent):
            entries = zip(keys.values(), nodes[1::2], strict=True)
            return Table(tuple(entries), Span(start, stop), size)
        return Listing(tuple(nodes), Span(start, stop), size)

    def _key(self, node: Node, keys: dict[str, Scalar]) -> Scalar:
        if not isinstance(node, Scalar):
            raise ProblemError("a key must be a name", node.span, "`name: value`")
        first = keys.setdefault(node.text, node)
        if first is not node:
            line = self._source.position(first.span.start).line
            raise ProblemError(
                f"the key `{node.text}` stands here a second time",
                node.span,
                fix=f"the first is in line {line}; keep one of them",
            )
        return node

    def _meant(self, event: Any) -> Node:
        anchor = event.anchor
        if (node := self._anchors.get(anchor)) is not None:
            return node
        if anchor in self._anchors:
            raise ProblemError(f"`*{anchor}` contains itself", _span(event))
        raise ProblemError(
            f"no `&{anchor}` before `*{anchor}`",
            _span(event),
            fix=f"mark what is meant with `&{anchor}`, or quote the text",
        )

    def _no_tag(self, event: Any) -> ProblemError:
        tag = _TAG.search(self._source.text, event.start_mark.index)
        span = Span(*tag.span()) if tag else _span(event)
        shown = self._source.text[span.start : span.stop]
        return ProblemError(f"the tag `{shown}` is not supported", span, fix="leave it out")


def _span(event: Any) -> Span:
    return Span(event.start_mark.index, event.end_mark.index)
