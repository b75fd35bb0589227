"""Where the recorder stands in torch while it records, and how it leaves again."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode

from backprop_recorder.tensors import without_functions

_autograd: Any = torch.autograd
_C: Any = torch._C
_sequence = _autograd._get_sequence_nr
_FAST = (
    torch.nn.TransformerEncoder,
    torch.nn.TransformerEncoderLayer,
    torch.nn.MultiheadAttention,
)
"""They look whether a mode is on, and then compute otherwise."""


class Hears(Protocol):
    """Who is told of what happens. Nothing of this raises, but `on_backward` and `on_step_done`
    what the program itself raises or is to be ended by.
    """

    is_on: bool

    def is_here(self) -> bool:
        """Whether what happens now is to be told."""

    def on_call(self, func: Any, before: int, args: Any, kwargs: Any, result: Any) -> None:
        """Something of torch's was called, and has come back."""

    def on_backward(
        self, run: Callable[[], Any], outputs: Any, grads: Any, *, creates: bool
    ) -> Any:
        """A backward pass, which `run` runs."""

    def on_optimizer(self) -> None:
        """There is an optimiser."""

    def on_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """An optimiser is about to step."""

    def on_step_done(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """It has stepped."""

    def on_zero_grad(self) -> None:
        """Gradients were cleared."""


class Mode(TorchFunctionMode):
    """Tells of every call of torch's functions and methods."""

    def __init__(self, hears: Hears) -> None:
        super().__init__()
        self._hears = hears

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = _sequence()
        result = func(*args, **kwargs) if kwargs else func(*args)
        if not self._hears.is_on:
            return result
        if isinstance(result, torch.Tensor | tuple | list):
            self._hears.on_call(func, before, args, kwargs or {}, result)
        elif result is None and args and _sequence() > before:  # `y[0] = …` makes nodes
            self._hears.on_call(func, before, args, kwargs or {}, args[0])
        return result


class _Engine:
    """Stands before torch's engine, so that no way into a backward pass is missed."""

    def __init__(self, real: Any, hears: Hears) -> None:
        self._real, self._hears = real, hears

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def run_backward(
        self,
        outputs: Any,
        grads: Any,
        keep_graph: bool,
        create_graph: bool,
        *rest: Any,
        **options: Any,
    ) -> Any:
        run = functools.partial(
            self._real.run_backward, outputs, grads, keep_graph, create_graph, *rest, **options
        )
        if not self._hears.is_here():
            return run()
        return self._hears.on_backward(run, outputs, grads, creates=create_graph)


class Standing:
    """Everything that is put in the place of something of torch's."""

    def __init__(self, hears: Hears) -> None:
        self._hears = hears
        self._undo: list[Callable[[], object]] = []
        self._mode = Mode(hears)
        self._watch_engine()
        self._watch_functions()
        self._watch_optimizers()
        self._watch_fast_paths()
        self._run_compiled_code_eagerly()
        _C._push_on_torch_function_stack(self._mode)

    def leave(self) -> None:
        """Let all be as it was."""
        self.leave_mode()
        for undo in reversed(self._undo):
            undo()
        self._undo = []

    def leave_mode(self) -> None:
        """Take our mode from under the program's own. In a call of torch's it is put aside, and
        comes back: then it does nothing until the recording is closed.
        """
        above = []
        while _C._len_torch_function_stack():
            mode = _C._pop_torch_function_stack()
            if mode is self._mode:
                break
            above.append(mode)
        for mode in reversed(above):
            _C._push_on_torch_function_stack(mode)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        """Put `value` in the place of an attribute, until the recording stops."""
        is_own = name in vars(owner)
        real = vars(owner).get(name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, real) if is_own else delattr(owner, name))

    def _watch_engine(self) -> None:
        variable = _autograd.Variable
        self._replace(
            variable, "_execution_engine", _Engine(variable._execution_engine, self._hears)
        )

    def _watch_functions(self) -> None:
        real = vars(_autograd.Function)["apply"]

        def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
            before = _sequence()
            result = real.__get__(None, cls)(*args, **kwargs)
            if isinstance(result, torch.Tensor | tuple | list):
                with without_functions():
                    self._hears.on_call(cls, before, args, kwargs, result)
            return result

        self._replace(_autograd.Function, "apply", classmethod(apply))

    def _watch_optimizers(self) -> None:
        optimizer = torch.optim.Optimizer
        handles = [
            register_optimizer_step_pre_hook(self._hears.on_step),
            register_optimizer_step_post_hook(self._hears.on_step_done),
        ]
        self._undo += [handle.remove for handle in handles]
        made, clear = optimizer.__init__, optimizer.zero_grad

        @functools.wraps(made)
        def watched(instance: Any, *args: Any, **kwargs: Any) -> None:
            self._hears.on_optimizer()
            made(instance, *args, **kwargs)

        @functools.wraps(clear)
        def zero_grad(instance: Any, *args: Any, **kwargs: Any) -> Any:
            done = clear(instance, *args, **kwargs)
            self._hears.on_zero_grad()
            return done

        self._replace(optimizer, "__init__", watched)
        self._replace(optimizer, "zero_grad", zero_grad)

    def _watch_fast_paths(self) -> None:
        for kind in _FAST:
            self._replace(kind, "forward", self._with_fast_path(kind.forward))

    def _with_fast_path(self, real: Any) -> Any:
        @functools.wraps(real)
        def forward(module: Any, *args: Any, **kwargs: Any) -> Any:
            if module.training or torch.is_grad_enabled() or not self._hears.is_here():
                return real(module, *args, **kwargs)
            before = _sequence()
            with without_functions():
                result = real(module, *args, **kwargs)
                if isinstance(result, torch.Tensor | tuple):
                    self._hears.on_call(real, before, args, kwargs, result)
            return result

        return forward

    def _run_compiled_code_eagerly(self) -> None:
        """Inside of compiled code nothing could be seen. To import Dynamo takes seconds, so it is
        left to whoever compiles.
        """
        is_told = False

        def tell() -> None:
            nonlocal is_told
            if not is_told:
                is_told = True
                stance: Any = torch.compiler.set_stance("force_eager")
                self._undo.append(lambda: stance.__exit__(None, None, None))

        if "torch._dynamo" in sys.modules:
            tell()
        real = torch.compile

        @functools.wraps(real)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if self._hears.is_here():
                tell()
            return real(*args, **kwargs)

        self._replace(torch, "compile", compiled)
