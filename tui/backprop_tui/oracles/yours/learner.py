"""A learner's file: what stands in it, and how it is run.

Standard library and numpy alone: this runs in the process that runs the learner's file.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterator, Sequence
from functools import cached_property
from inspect import isabstract
from pathlib import Path
from typing import Any, Final

from backprop_tui.oracles.yours.absent import Absent
from backprop_tui.oracles.yours.packages import package_of
from backprop_tui.oracles.yours.statements import run_leniently

ENGINE, LAYERS, ANSWERS = "engine", "layers", "answers"
FILE: Final = 1_000_000
"""The lines of the second file are numbered from here on, and so forth."""
MODULE: Final = "learner"
"""What the file is called while it runs: no `__main__`, whose block stays out."""
_HERE: Final = Path(__file__).parent
_OURS: Final = str(_HERE)
"""A learner may be in a clone of this project, whose code then is below theirs."""
_MOST_ABSENT: Final = 8
_FORWARD, _BACKWARD, _LOSS = "_forward", "_backward", "_loss"


class LearnerError(Exception):
    """What is wrong with the file as it is: nothing of it can be judged."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Learner:
    """One file, read; and what it has defined, once it has been run."""

    def __init__(self, path: str) -> None:
        """LearnerError where it cannot be read."""
        self.path, self.folder = path, str(Path(path).resolve().parent)
        try:
            text = Path(path).read_bytes()
            self.tree = ast.parse(text, path)
            self.code = compile(self.tree, path, "exec", dont_inherit=True)
        except OSError as error:
            raise LearnerError(f"it cannot be read: {error.strerror}") from None
        except SyntaxError as error:
            raise LearnerError(f"{error.msg}", error.lineno) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise LearnerError(f"Python cannot read it: {error}") from None
        self.names: dict[str, Any] = {}
        self.left_out: dict[int, BaseException] = {}
        """By line, statements that failed and that what is judged can do without."""

    def kind(self, name: str, names: Sequence[str]) -> str:
        """What is to be judged in it: `name`, or what there is beside a scenario's `names`."""
        if name:
            is_pair = name.endswith((_FORWARD, _BACKWARD, _LOSS)) or name in self.layers()
            return LAYERS if is_pair else ENGINE
        if any(map(_has_backward, self._classes())):
            return ENGINE
        return LAYERS if self.layers() else ANSWERS if self.answers(names) else ENGINE

    def layers(self) -> list[str]:
        """`affine` for `affine_forward` and `affine_backward`; `softmax_loss` as it is."""
        defined = {node.name for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        pairs = {name.removesuffix(_FORWARD) for name in defined if name.endswith(_FORWARD)}
        losses = {
            node.name
            for node in self.tree.body
            if isinstance(node, ast.FunctionDef) and _is_loss(node)
        }
        return sorted({name for name in pairs if name + _BACKWARD in defined} | losses)

    def parameters(self) -> dict[str, list[str]]:
        """By layer, what its forward function, or the loss, takes."""
        return {
            node.name.removesuffix(_FORWARD): [each.arg for each in node.args.args]
            for node in self.tree.body
            if isinstance(node, ast.FunctionDef) and node.name.endswith((_FORWARD, _LOSS))
        }

    def answers(self, names: Sequence[str]) -> dict[str, int]:
        """`logits` for each `dlogits = …` at top level where that is one of `names`; its line."""
        found: dict[str, int] = {}
        for node in self.tree.body:
            for target in _targets(node):
                if target[:1] == "d" and target[1:] in names:
                    found[target[1:]] = node.lineno
        return found

    def run(self, given: dict[str, Any]) -> None:
        """Run it, with names that it finds there; of a package as a part of that, where it imports
        others. LearnerError where it stops.
        """
        absent = Absent()
        self._absent = None if given else absent.names
        while True:
            try:
                module = self._run(given)
            except ModuleNotFoundError as error:
                name = (error.name or "").partition(".")[0]
                if not name or name in absent.names or len(absent.names) == _MOST_ABSENT:
                    raise self._stopped(error) from None
                absent.add(name)
            except BaseException as error:  # noqa: BLE001 - whatever the file raises
                raise self._stopped(error) from None
            else:
                self.names = module.__dict__
                return

    def _run(self, given: dict[str, Any]) -> types.ModuleType:
        package = None if given else package_of(self.path, self.tree, self._execute)
        if package is not None:
            self.folder = str(package.folders[0])
            sys.path[:0] = [str(package.root), str(package.folders[-1])]
            return package.run()
        if self.folder not in sys.path:
            sys.path.insert(0, self.folder)
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = module
        module.__dict__.update(given)
        self.names = module.__dict__
        self._execute(module)
        return module

    def _execute(self, module: types.ModuleType) -> None:
        module.__file__ = self.path
        if self._absent is None:  # answers: each may need the one before
            exec(self.code, module.__dict__)  # noqa: S102 - that is what this process is for
        else:
            self.left_out = run_leniently(self.tree, self.path, module.__dict__, self._absent)

    def _stopped(self, error: BaseException) -> LearnerError:
        return LearnerError(f"it stops with {told(error)}", self.line_of(error))

    def run_by_itself(self) -> None:
        """Run it without a scenario's names. LearnerError where it stops, or defines nothing."""
        self.run({})
        if self.left_out and not any(map(_is_engine, self.names.values())):
            line, error = next(iter(self.left_out.items()))
            hint = "; answers (`dh = …`) are for a scenario, which is named after the file"
            is_name = isinstance(error, NameError) and not any(self._classes())
            message = f"it stops with {told(error)}{hint if is_name else ''}"
            raise LearnerError(message, self.line_of(error) or line)

    def engine(self, name: str) -> type:
        """The class that is to be judged. LearnerError where there is none, or more than one."""
        if name:
            named: Any = self.names.get(name)
            if not isinstance(named, type):
                raise LearnerError(f"there is no class `{name}` in it")
            return named
        classes = _chosen([thing for thing in self.names.values() if _is_engine(thing)])
        if not classes:
            raise LearnerError(
                "there is nothing to judge in it: no class with `backward` and operators, no "
                "`NAME_forward` with `NAME_backward`, no `dNAME = …` for a scenario that is named"
            )
        if len(classes) > 1:
            options = " or ".join(f"FILE:{cls.__name__}" for cls in classes)
            raise LearnerError(f"it has {len(classes)} engines; say which: {options}")
        return classes[0]

    def turn_to(self, cls: type) -> None:
        """Have the lines be those of the file beside this one that an engine is imported from."""
        code = getattr(getattr(cls, "backward", None), "__code__", None)
        if (
            code is not None
            and code.co_filename != self.path
            and self.is_learners(code.co_filename)
        ):
            there = Learner(code.co_filename)
            self.path, self.tree = there.path, there.tree

    @cached_property
    def files(self) -> list[str]:
        """The file, and the others of the learner's that it has imported."""
        loaded = (str(getattr(module, "__file__", "")) for module in list(sys.modules.values()))
        return [self.path, *sorted(name for name in {*loaded, self.path} if self._is_other(name))]

    def place(self, frame: types.FrameType) -> int:
        """The line a frame is at; of another file than this one, with that file's number."""
        name = frame.f_code.co_filename
        others = self.files[1:] if self._is_other(name) else []
        return frame.f_lineno + FILE * (others.index(name) + 1 if name in others else 0)

    def _is_other(self, name: str) -> bool:
        return name != self.path and self.is_learners(name)

    def line_of(self, error: BaseException) -> int | None:
        """The last line of the learner's file that an exception came through."""
        line, entry = None, error.__traceback__
        while entry is not None:
            if entry.tb_frame.f_code.co_filename == self.path:
                line = entry.tb_lineno
            entry = entry.tb_next
        return line

    def is_learners(self, filename: str) -> bool:
        """Whether code of that file is the learner's: the file itself, or one beside or below."""
        return filename == self.path or (
            filename.startswith(self.folder)
            and "site-packages" not in filename
            and not filename.startswith(_OURS)
        )

    def is_ours(self, error: BaseException) -> bool:
        """Whether what watches the learner's code has raised it: that is no mistake in there."""
        is_ours, entry = False, error.__traceback__
        while entry is not None:
            filename = entry.tb_frame.f_code.co_filename
            if Path(filename).parent == _HERE:
                is_ours = True
            elif self.is_learners(filename):
                is_ours = False
            entry = entry.tb_next
        return is_ours

    def _classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in self.tree.body if isinstance(node, ast.ClassDef))


def told(error: BaseException) -> str:
    """An exception in one line, also where it cannot be printed."""
    kind = type(error).__name__
    try:
        said = " ".join(str(error).split())
    except BaseException:  # noqa: BLE001 - `__str__` of the learner's own
        said = "which cannot be printed"
    return f"{kind}: {said}"[:500] if said else kind


def _is_loss(node: ast.FunctionDef) -> bool:
    """Whether it is a function that gives a loss and its gradient."""
    returned = (each.value for each in ast.walk(node) if isinstance(each, ast.Return))
    return node.name.endswith(_LOSS) and any(map(_is_pair, returned))


def _is_pair(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Tuple) and len(value.elts) > 1


def _has_backward(node: ast.ClassDef) -> bool:
    names = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    return "backward" in names and any(
        name.startswith("__") and name in _OPERATORS for name in names
    )


def _is_engine(thing: Any) -> bool:
    return (
        isinstance(thing, type)
        and callable(getattr(thing, "backward", None))
        and any(name in base.__dict__ for base in thing.__mro__[:-1] for name in _COMPUTING)
        and not thing.__module__.startswith(("numpy", "torch"))
    )


def _chosen(engines: list[type]) -> list[type]:
    """Of a class and what is derived of it, the derived one; the class where there are several."""
    classes = list(dict.fromkeys(engines))
    roots = [cls for cls in classes if not any(base in classes for base in cls.__mro__[1:])]
    chosen = []
    for root in roots:
        derived = [cls for cls in classes if root in cls.__mro__]
        last = [cls for cls in derived if not any(cls in other.__mro__[1:] for other in derived)]
        computes = last[0].__dict__.keys() & {*_OPERATORS, "backward"}
        chosen.append(last[0] if len(last) == 1 and (computes or isabstract(root)) else root)
    return chosen


def _targets(node: ast.stmt) -> Iterator[str]:
    """The names that a statement gives values to."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    while targets:
        target = targets.pop()
        if isinstance(target, ast.Name):
            yield target.id
        elif isinstance(target, ast.Tuple | ast.List):
            targets += target.elts
        elif isinstance(target, ast.Subscript):
            targets.append(target.value)


_OPERATORS: Final = frozenset(["__add__", "__mul__", "__matmul__"])
_COMPUTING: Final = _OPERATORS | {"add", "mul", "dot"}
