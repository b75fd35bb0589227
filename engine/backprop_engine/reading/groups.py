"""The groups that nodes belong to (modules, iterations) as a tree, each with what leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.trace import Group, GroupKind, Trace

NO_GROUP = -1


@dataclass(frozen=True, eq=False)
class GroupTree:
    """Groups by number, from 0: a group stands before those inside of it."""

    trace: Trace
    names: tuple[str, ...]
    """`encoder.layers.2`, `i=2`: what each is called inside of the group around it."""
    kinds: tuple[GroupKind, ...]
    parents: tuple[int, ...]
    """The group around each; NO_GROUP for an outermost one."""
    of_node: np.ndarray
    """By node the innermost group that it is in, int32; NO_GROUP for none."""

    def __len__(self) -> int:
        return len(self.names)

    def around(self, group: int) -> Iterator[int]:
        """`group` and those around it, the innermost first."""
        return _around(self.parents, group)

    def path(self, group: int) -> str:
        """The names of all around it: `i=2, j=0`, `#1, encoder.layers.2`."""
        text = ""
        for each in reversed(list(self.around(group))):
            is_module = self.kinds[each] is GroupKind.MODULE
            is_within = is_module and self.kinds[self.parents[each]] is GroupKind.MODULE
            gap = "." if is_within and self.parents[each] != NO_GROUP else ", "
            text = f"{text}{gap}{self.names[each]}" if text else self.names[each]
        return text

    @cached_property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """By group what stands in it, and at the very end what stands outside of all: nodes, and
        ~group for a group, those first that were computed last.
        """
        held: list[list[int]] = [[] for _ in range(len(self) + 1)]
        seen: set[int] = set()
        for node in range(len(self.of_node) - 1, -1, -1):
            inner = node
            for group in self.around(int(self.of_node[node])):
                held[group].append(inner)
                inner = ~group
                if group in seen:
                    break
                seen.add(group)
            else:
                held[-1].append(inner)
        return tuple(map(tuple, held))

    @cached_property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """By group the computed nodes by which gradients come in: those that a consumer outside
        has, and those that a backward pass starts from.
        """
        found: list[list[int]] = [[] for _ in self.names]
        trace, starts = self.trace, {pass_.output for pass_ in self.trace.passes}
        for node in np.flatnonzero(self.of_node != NO_GROUP).tolist():
            if not trace.nodes.requires_grad[node] or trace.is_leaf(node):
                continue
            users = [set(self.around(int(self.of_node[user]))) for user in trace.consumers(node)]
            for group in self.around(int(self.of_node[node])):
                if node not in starts and all(group in user for user in users):
                    break  # and all around it have the users inside, too
                found[group].append(node)
        return tuple(map(tuple, found))


def group_tree(trace: Trace) -> GroupTree | None:
    """The groups of `trace`; None where its nodes belong to none."""
    return _Growing(trace).tree()


class _Growing:
    """Grows the tree, node by node."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._names: list[str] = []
        self._kinds: list[GroupKind] = []
        self._parents: list[int] = []
        self._known: dict[tuple[int, Group], int] = {}
        self._last: dict[int, int] = {}
        """By group the iteration in it that was on last."""

    def tree(self) -> GroupTree | None:
        """All of it; None where there is nothing of it."""
        trace = self._trace
        of_node = np.full(len(trace.nodes), NO_GROUP, np.int32)
        for node in range(len(trace.nodes)):
            groups = trace.nodes.groups(node)
            if groups and (not trace.is_leaf(node) or node not in trace.input_nodes):
                of_node[node] = self._group(groups)
        if not self._names:
            return None
        self._take_in_leaves(of_node)
        return self._without_containers(of_node)

    def _group(self, groups: tuple[Group, ...]) -> int:
        parent = NO_GROUP
        for group in groups:
            parts = group.name.split(".") if group.kind is GroupKind.MODULE else [group.name]
            for part in parts:
                parent = self._inside(parent, Group(group.kind, part))
        return parent

    def _inside(self, parent: int, group: Group) -> int:
        number = self._known.get((parent, group))
        is_iteration = group.kind is GroupKind.ITERATION
        # A loop of the same name that comes later has iterations of its own.
        if number is None or (is_iteration and self._last.get(parent) != number):
            number = self._known[parent, group] = len(self._names)
            self._names.append(group.name)
            self._kinds.append(group.kind)
            self._parents.append(parent)
        if is_iteration:
            self._last[parent] = number
        return number

    def _take_in_leaves(self, of_node: np.ndarray) -> None:
        """A leaf belongs where all that use it do: a weight to its layer."""
        trace = self._trace
        common: dict[int, list[int]] = {}
        for node, operands in enumerate(trace.nodes.operands):
            leaves = [operand for operand in operands if trace.is_leaf(operand)]
            path = self._path(int(of_node[node])) if leaves else []
            for leaf in leaves:
                common[leaf] = _shared(common.get(leaf, path), path)
        for leaf, path in common.items():
            if len(path) > len(self._path(int(of_node[leaf]))):
                of_node[leaf] = path[-1]

    def _path(self, group: int) -> list[int]:
        return list(_around(self._parents, group))[::-1]

    def _without_containers(self, of_node: np.ndarray) -> GroupTree:
        """Modules that compute nothing themselves lend those in them their names."""
        own = set(of_node.tolist())
        count = len(self._names)
        with_modules = {
            self._parents[group] for group in range(count) if self._kinds[group] is GroupKind.MODULE
        }
        number = [NO_GROUP] * count
        names: list[str] = []
        kinds: list[GroupKind] = []
        parents: list[int] = []
        prefixes: dict[int, str] = {}
        for group in range(count):
            parent, name = self._parents[group], self._names[group]
            name = prefixes.get(parent, "") + name
            outer = parent if parent == NO_GROUP else number[parent]
            is_empty = group not in own and group in with_modules
            if is_empty and self._kinds[group] is GroupKind.MODULE:
                prefixes[group], number[group] = f"{name}.", outer
                continue
            number[group] = len(names)
            names.append(name)
            kinds.append(self._kinds[group])
            parents.append(outer)
        renumbered = np.array([*number, NO_GROUP], np.int32)[of_node]
        return GroupTree(self._trace, tuple(names), tuple(kinds), tuple(parents), renumbered)


def _around(parents: Sequence[int], group: int) -> Iterator[int]:
    while group != NO_GROUP:
        yield group
        group = parents[group]


def _shared(one: list[int], other: list[int]) -> list[int]:
    """What both paths begin with."""
    length = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        length += 1
    return one[:length]
