"""Where in a person's program something happens: lines, sub-expressions, modules and names."""

from __future__ import annotations

import dis
import linecache
import os
import sys
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Final

import torch

from backprop_recorder.writer import Writer

TORCH: Final = os.path.dirname(torch.__file__) + os.sep  # noqa: PTH120 - compared with code's names
HERE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120
_LAUNCHING: Final = f"{HERE}launching.py"
_BOTTOM: Final = -2
"""The site of whoever runs the script: what is below that is not the person's."""
_MODULE_CALL: Final = torch.nn.Module._call_impl.__code__
_LARGEST_SOURCE: Final = 2_000_000
_STORES: Final = {"STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR"}
_OPTIMIZED: Final = 1
"""The flag of code whose local variables are no dictionary."""


def outside(frame: FrameType) -> FrameType:
    """The first frame, from `frame` on outwards, that is not ours."""
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HERE):
        frame = frame.f_back
    return frame


Line = tuple[CodeType, int]
"""A line of some code."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What frames tell by where each of them is, and no more. Frames are counted outwards."""

    stack: int
    stored: str
    """The name that the result is given there."""
    line: Line | None
    """That of the first frame outside of torch; None where there is none."""
    innermost: int
    """Which that is."""
    module: int
    """Which is the innermost module's call; −1 where there is none."""

    def frame(self, first: FrameType) -> FrameType | None:
        """The first frame outside of torch, from `first` on."""
        return None if self.line is None else outwards(first, self.innermost)


class Places:
    """The sites, stacks, modules and names of a recording."""

    def __init__(self, writer: Writer, *, with_source: bool = True, own: str = "") -> None:
        self._skipped = (TORCH, HERE, "<frozen", *([own] if own else []))
        self._writer, self._with_source = writer, with_source
        self._sites: dict[int, int] = {}
        """By instruction. To hash a code object takes longer than all the rest: an instruction is
        known by its address, as its code has it inside of itself.
        """
        self._chains: dict[int | None, Any] = {}
        """By instruction, that of the next frame outwards and so on, to a Chain: by the bottom's,
        or by None where there is none.
        """
        self._lines: dict[Line, Line] = {}
        """Each by itself: there is one of each."""
        self._codes: list[CodeType] = []
        """What is known by its address stays."""
        self._stored: list[str | None] = []
        self._stacks: dict[tuple[int, ...], int] = {}
        self._files: set[str] = set()
        self._modules: dict[int, tuple[weakref.ref[torch.nn.Module], int]] = {}
        self._module_count = 0
        self._paths: dict[int, str] = {}
        self._roots: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
        self._names: dict[int, tuple[weakref.ref[torch.Tensor], str]] = {}
        self._taken: set[str] = set()
        self._parameters: list[tuple[weakref.ref[torch.Tensor], str]] = []
        self.new_sites: list[list[Any]] = []
        self.new_stacks: list[tuple[int, ...]] = []
        self.new_modules: list[tuple[str, str]] = []

    def stack_of(self, frames: Sequence[tuple[FrameType, int]]) -> int:
        """The stack of frames, innermost first, each at an instruction."""
        chain = []
        for frame, at in frames:
            site = self._sites.get(id(frame.f_code) + at)
            chain.append(self._new_site(frame.f_code, at) if site is None else site)
        return self._stack(tuple(site for site in chain if site >= 0))

    def stack_of_code(self, code: CodeType) -> int:
        """The stack of where a function stands."""
        site = self._sites.get(id(code))
        site = self._new_site(code, 0) if site is None else site
        return self._stack((site,)) if site >= 0 else -1

    def _stack(self, chain: tuple[int, ...]) -> int:
        stack = self._stacks.get(chain)
        if stack is None:
            stack = self._stacks[chain] = len(self._stacks)
            self.new_stacks.append(chain)
        return stack

    def here(self, frame: FrameType) -> Chain:
        """Where `frame` and those around it are."""
        known: Any = self._chains
        outer: FrameType | None = frame
        while outer is not None:
            known = known.get(id(outer.f_code) + outer.f_lasti)
            if known is None or known.__class__ is Chain:
                break
            outer = outer.f_back
        else:
            known = known.get(None)
        chain: Chain = self._new_chain(frame) if known is None else known
        return chain

    def module(self, chain: Chain, first: FrameType) -> int:
        """The number of the module at work in `first`, which is where `chain` says; −1 for none."""
        return -1 if chain.module < 0 else self._module(outwards(first, chain.module))

    def _new_chain(self, first: FrameType) -> Chain:
        sites: list[int] = []
        keys: list[int | None] = []
        innermost = module = -1
        frame: FrameType | None = first
        while frame is not None:
            code, at = frame.f_code, frame.f_lasti
            key = id(code) + at
            site = self._sites.get(key)
            if site is None:
                site = self._new_site(code, at)
            if code is _MODULE_CALL and module < 0:
                module = len(keys)
            if site >= 0 and innermost < 0:
                innermost = len(keys)
            keys.append(key)
            if site == _BOTTOM:
                break
            sites += [site] * (site >= 0)
            frame = frame.f_back
        else:
            keys.append(None)
        stored = self._stored[sites[0]] if sites else None
        at_line = outwards(first, innermost) if sites else None
        line = None if at_line is None else (at_line.f_code, at_line.f_lineno)
        line = None if line is None else self._lines.setdefault(line, line)
        chain = Chain(self._stack(tuple(sites)), stored or "", line, innermost, module)
        known = self._chains
        for instruction in keys[:-1]:
            known = known.setdefault(instruction, {})
        known[keys[-1]] = chain
        return chain

    def _new_site(self, code: CodeType, at: int) -> int:
        name, key = code.co_filename, id(code) + at
        self._codes.append(code)
        if name.startswith(self._skipped):
            site = self._sites[key] = _BOTTOM if name == _LAUNCHING else -1
            return site
        site = self._sites[key] = len(self._stored)
        positions = list(code.co_positions())
        span = positions[at // 2] if at // 2 < len(positions) else (None, None, None, None)
        line = span[0] or code.co_firstlineno
        stored = _stored(code, at)
        self._stored.append(stored)
        self.new_sites.append([name, code.co_qualname, line, *span[1:], stored])
        if self._with_source and name not in self._files:
            self._files.add(name)
            text = "".join(linecache.getlines(name))
            if text and len(text) < _LARGEST_SOURCE:
                self._writer.json("source", {"file": name, "text": text})
        return site

    # Modules and names

    def _module(self, frame: FrameType) -> int:
        module = _local(frame, "self")
        found = self._modules.get(id(module))
        if found is not None and found[0]() is module:
            return found[1]
        if not isinstance(module, torch.nn.Module):
            return -1
        if id(module) not in self._paths:
            root, outermost, outer = module, frame, frame.f_back
            while outer is not None:
                if outer.f_code is _MODULE_CALL:
                    found_root = _local(outer, "self")
                    root, outermost = (
                        (found_root, outer) if found_root is not None else (root, outer)
                    )
                outer = outer.f_back
            self._learn(root, outermost)
        number, self._module_count = self._module_count, self._module_count + 1
        self._modules[id(module)] = weakref.ref(module), number
        self.new_modules.append((self._paths.get(id(module), ""), type(module).__name__))
        return number

    def _learn(self, root: torch.nn.Module, frame: FrameType) -> None:
        """The paths of a model's modules, and the names of its parameters, as torch has them.

        Of a layer that is a model by itself, and where a name is taken, they begin with the
        model's variable.
        """
        if root in self._roots:
            return
        caller = self._caller(frame)
        root = self._whole(root, caller)
        self._roots.add(root)
        prefix = type(root).__name__
        for path, module in root.named_modules():
            self._paths.setdefault(id(module), f"{prefix}.{path}" if path else prefix)
        variable = called = self.variable(root, caller) or prefix
        named = [*root.named_parameters(), *root.named_buffers()]
        is_plain = not type(root).__module__.startswith("torch.") and not any(
            name in self._taken for name, _ in named
        )
        count = 1
        while not is_plain and any(f"{variable}.{name}" in self._taken for name, _ in named):
            count += 1
            variable = f"{called}_{count}"
        for name, tensor in named:
            whole = name if is_plain else f"{variable}.{name}"
            if self.name_of(tensor) not in self._taken:  # `model = nn.Linear(…)` gives none
                self._names[id(tensor)] = weakref.ref(tensor), whole
            self._taken.add(whole)
        self._parameters += [
            (weakref.ref(tensor), self.name_of(tensor)) for _, tensor in root.named_parameters()
        ]

    def _whole(self, root: torch.nn.Module, frame: FrameType | None) -> torch.nn.Module:
        """The model in a variable of `frame` that `root` is a part of, as in `net[0](x)`."""
        if frame is None or self.variable(root, frame):
            return root
        for variables in (frame.f_locals, frame.f_globals):
            for thing in list(variables.values()):
                if isinstance(thing, torch.nn.Module) and root in thing.modules():
                    _forget(frame)
                    return thing
        _forget(frame)
        return root

    @staticmethod
    def _caller(frame: FrameType) -> FrameType | None:
        outer = frame.f_back
        while outer is not None and outer.f_code.co_filename.startswith((TORCH, HERE)):
            outer = outer.f_back
        return outer

    @staticmethod
    def variable(thing: object, frame: FrameType | None) -> str:
        """The variable of `frame` that `thing` is; empty where there is none."""
        if frame is None:
            return ""
        for variables in (frame.f_locals, frame.f_globals):
            for name, value in list(variables.items()):
                if value is thing and not name.startswith("_"):
                    _forget(frame)
                    return name
        _forget(frame)
        return ""

    def name_all(self, frame: FrameType) -> list[torch.Tensor]:
        """Learn the names of the models and tensors that variables of `frame` are: these."""
        tensors = []
        for variables in (frame.f_globals, frame.f_locals):
            for name, thing in list(variables.items()):
                if isinstance(thing, torch.nn.Module):
                    for path, parameter in thing.named_parameters():
                        self.name(parameter, f"{name}.{path}")
                elif isinstance(thing, torch.Tensor) and not name.startswith("_"):
                    self.name(thing, name)
                    tensors.append(thing)
        _forget(frame)
        return tensors

    def name(self, tensor: torch.Tensor, name: str) -> None:
        """From here on `tensor` is called `name`, unless it has a name."""
        if not self.name_of(tensor):
            self._names[id(tensor)] = weakref.ref(tensor), name

    def name_of(self, tensor: torch.Tensor) -> str:
        """What a tensor is called; empty where that is not known."""
        found = self._names.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else ""

    def without_gradient(self) -> list[str]:
        """The known parameters whose `.grad` is None, though they require one."""
        found = []
        for reference, name in self._parameters:
            tensor = reference()
            is_asked = tensor is not None and tensor.is_leaf and tensor.requires_grad
            if tensor is not None and is_asked and tensor.grad is None:
                found.append(name)
        return found

    def forget_the_dead(self) -> None:
        """Let go of what is known of tensors that are no more."""
        self._names = {k: known for k, known in self._names.items() if known[0]() is not None}


def outwards(frame: Any, count: int) -> FrameType:
    """The frame so many calls further out, which must be there."""
    for _ in range(count):
        frame = frame.f_back
    found: FrameType = frame
    return found


def _local(frame: FrameType, name: str) -> Any:
    found = frame.f_locals.get(name)
    _forget(frame)
    return found


def _forget(frame: FrameType) -> None:
    """Before Python 3.13 a frame keeps what it has told of its variables, and so what they were."""
    if sys.version_info < (3, 13) and frame.f_code.co_flags & _OPTIMIZED:
        frame.f_locals.clear()


@lru_cache(maxsize=4096)
def _instructions(code: CodeType) -> list[tuple[int, str, Any]]:
    return [(step.offset, step.opname, step.argval) for step in dis.get_instructions(code)]


def _stored(code: CodeType, at: int) -> str | None:
    """The name that the result of instruction `at` is given, if that is what happens next."""
    for offset, name, value in _instructions(code):
        if offset > at:
            return str(value) if name in _STORES else None
    return None
