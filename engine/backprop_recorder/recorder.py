"""The recorder: stands beside a program, sees every call and every pass, and changes nothing."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import torch

from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_recorder.calls import Calls
from backprop_recorder.deep import DeepMode
from backprop_recorder.functions import FunctionChecks
from backprop_recorder.gradients import Gradients
from backprop_recorder.guarded import Guard, guarded
from backprop_recorder.hooks import Hooks
from backprop_recorder.optimizers import Steps
from backprop_recorder.passes import BackwardPass
from backprop_recorder.places import HERE, TORCH, Places, outside
from backprop_recorder.standing import Mode, Standing
from backprop_recorder.tensors import without_dispatch, without_functions
from backprop_recorder.values import Values
from backprop_recorder.writer import Writer

_autograd: Any = torch.autograd
_C: Any = torch._C
_sequence = _autograd._get_sequence_nr
_is_grad_on, _set_grad = torch.is_grad_enabled, _C._set_grad_enabled
_functorch = _C._functorch.peek_interpreter_stack
_dispatch_modes = _C._len_torch_dispatch_stack
_GRAD, _IN_BACKWARD = FORWARD_FLAGS["grad"], FORWARD_FLAGS["in_backward"]
_ZEROES: Any = torch.Tensor.zero_
_active: list[weakref.ref[Recorder]] = []


class RecordingAlreadyError(RuntimeError):
    """There is a recorder at work."""


class Recorder:
    """Records from `start` to `stop`; as a context manager, the block."""

    def __init__(
        self,
        path: Path,
        *,
        iterations: int | None = None,
        first: int = 0,
        keep: int | None = None,
        until_nan: bool = False,
        values: float = 64,
        with_range: bool = False,
        with_source: bool = True,
        most: float | None = None,
        deep: bool = False,
        check_functions: bool = False,
        script: str = "",
        own: str = "",
    ) -> None:
        """`iterations` are recorded, all where it is None, after the `first` ones were let pass;
        `values` is the budget of whole values in megabytes, and none is larger than a 256th of it;
        `most` is in gigabytes. With `keep`, or `until_nan`, the last iterations alone are kept.
        `deep` looks inside of calls; `check_functions` tries the backwards of custom Functions at
        the end. Files that begin with `own` are no part of the program. Raises OSError.
        """
        kept = (keep or 3) if until_nan else keep
        size = None if most is None else int(most * 1e9)
        self.writer = Writer(path, keep=kept, most=size)
        self.values = Values(self.writer, values * 1e6, with_range=with_range)
        self.places = Places(self.writer, with_source=with_source, own=own)
        self.guard = Guard()
        self.calls = Calls(self.writer, self.values, self.places, is_deep=deep)
        self.steps = Steps(self.writer, self.places, self.calls, self.guard)
        self.gradients = Gradients(self.writer, self.places, self.calls, self.values, self.guard)
        self.hooks = Hooks(self.places)
        self.path, self.script = path, script
        self._mode = DeepMode if deep else Mode
        self.functions = FunctionChecks(self.writer, self.places, self.guard)
        self._checks_functions = check_functions
        self._first, self._iterations = first, iterations
        self._until_nan, self._is_ring = until_nan, kept is not None
        self.on_stop: Callable[[], None] | None = None
        """Called once enough is recorded; what it raises reaches the program."""
        self.is_on = False
        self.iteration = self.pass_count = self._depth = 0
        self._has_optimizer = self._is_spoilt = self._is_changing = False
        self._thread, self._pid = threading.get_ident(), os.getpid()
        self._standing: Standing | None = None
        self._before_kernels = 0
        """How many calls there were before the kernels of the one under way."""

    @property
    def faults(self) -> list[str]:
        """The recorder's own mistakes."""
        return self.guard.faults

    # Coming and going

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(None if isinstance(error, SystemExit) else error)

    def start(self) -> None:
        """Begin. Raises RecordingAlreadyError."""
        if any(reference() is not None and reference().is_on for reference in _active):  # type: ignore[union-attr]
            raise RecordingAlreadyError("a recording is under way already")
        _active[:] = [weakref.ref(self)]
        told = {"torch": torch.__version__, "python": sys.version.split()[0], "argv": sys.argv}
        self.writer.json("start", {**told, "script": self.script, "deep": self._mode is DeepMode})
        self._has_optimizer = self._sees_optimizer()
        self._standing = Standing(self, self._mode)
        self.is_on = True

    @staticmethod
    def _sees_optimizer() -> bool:
        kinds = set(map(type, gc.get_objects()))
        return any(issubclass(kind, torch.optim.Optimizer) for kind in kinds)

    @guarded
    def learn(self, frame: FrameType) -> None:
        """Look at what the variables of `frame` are, of a graph that was not recorded."""
        with without_functions(), without_dispatch(), torch.no_grad():
            for tensor in self.places.name_all(frame):
                if tensor.grad_fn is not None:
                    self.calls.value_of(tensor)

    def stop(self) -> None:
        """Let go of the program; the file stays open."""
        if not self.is_on:
            return
        self.is_on = False
        if self._standing is not None:
            self._standing.leave()
        self._flush()
        self.calls.forget_all()
        self.functions.check()

    @guarded
    def _flush(self) -> None:
        self.gradients.settle()
        self.calls.flush()

    def close(self, error: BaseException | None = None) -> None:
        """Stop, and end the file: with `error`, if that has ended the program."""
        if os.getpid() != self._pid:
            return
        if self.is_on and error is not None:
            self._write_error(error)
        self.stop()
        if self._standing is not None:
            self._standing.leave_mode()
        self.writer.json("end", {"faults": self.faults})
        self.writer.close()

    @guarded
    def _write_error(self, error: BaseException) -> None:
        traceback, frame = error.__traceback__, None
        sites = []
        while traceback is not None:
            frame = traceback.tb_frame
            name = frame.f_code.co_filename
            if not name.startswith((TORCH, HERE, "<frozen")):
                sites.append((frame, traceback.tb_lasti))
            traceback = traceback.tb_next
        stack = self.places.stack_of(list(reversed(sites)))
        self.calls.flush()
        told = {"type": type(error).__name__, "message": str(error)[:2000], "stack": stack}
        self.writer.json("error", told)

    def is_here(self) -> bool:
        """Whether what happens now is recorded: not in a forked child, in another thread, or under
        functorch.
        """
        return (
            self.is_on
            and threading.get_ident() == self._thread
            and os.getpid() == self._pid
            and _functorch() is None
            and self.iteration >= self._first
        )

    # Forward

    def on_call(
        self, func: Any, before: int, args: Any, kwargs: Any, result: Any, frame: FrameType,
        known: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        """Something was called from `frame`, and has come back. `known`: by `id` what was there."""
        try:
            if self.calls.skips(func) or not self.is_here():
                return
            if func is _ZEROES:
                self.gradients.zeroed(args[0])
            if not self._is_changing and not self.steps.is_torchs_own():
                self.calls.before_change |= known or {}
                self._keep(func, (before, _sequence()), args, kwargs, result, 0, frame)
        except Exception as error:  # noqa: BLE001 - the recorder's, not the program's
            self.guard.caught(error)

    def _keep(
        self, func: Any, numbers: tuple[int, int], args: Any, kwargs: Any, result: Any,
        flags: int, frame: FrameType,
    ) -> None:  # fmt: skip
        flags |= _GRAD * _is_grad_on() | _IN_BACKWARD * (self._depth > 0)
        with without_functions():
            if _dispatch_modes():
                with without_dispatch():
                    self.calls.told(func, numbers, args, kwargs, result, flags, frame)
            else:
                self.calls.told(func, numbers, args, kwargs, result, flags, frame)

    def on_function(self, function: Any, args: Any) -> dict[int, int]:
        """A custom Function is about to be applied; the values of its tensors, by `id`."""
        if self._checks_functions and self.is_here():
            self.functions.called(function, args, sys._getframe(1))
        return self.calls.known_of(args) if self.is_here() else {}

    def wants_kernels(self, func: Any) -> bool:
        """Whether the kernels inside of a call are to be told."""
        self._before_kernels = self.calls.count
        is_own = self._is_changing or self.steps.is_torchs_own()
        return self.is_here() and not is_own and self.calls.function(func) >= 0

    @guarded
    def on_kernel(
        self, func: Any, before: int, after: int, args: Any, kwargs: Any, result: Any
    ) -> None:
        """A kernel inside of a call has come back."""
        before = self.calls.end_kernel(self._before_kernels, before, after)
        frame, flags = outside(sys._getframe(1)), FORWARD_FLAGS["inner"]
        self._keep(func, (before, after), args, kwargs, result, flags, frame)

    @guarded
    def on_kernels_done(self) -> None:
        """The call around kernels was told, if there was something to tell."""
        self.calls.end_kernels(self._before_kernels)

    # Backward

    def on_backward(
        self, run: Callable[[], Any], outputs: Any, grads: Any, *, creates: bool
    ) -> Any:
        """A backward pass, which `run` runs."""
        was_collecting = gc.isenabled()
        gc.disable()  # thousands of short-lived objects are no reason to look through the heap
        pass_, error = self._begin_pass(outputs, grads, creates=creates), None
        self._depth += 1
        index, depth = self.pass_count, self._depth - 1
        try:
            # Called by way of a function of torch's the mode is off: checkpoints compute in here.
            if _C._is_torch_function_mode_enabled():
                return run()
            with self._mode(self):
                return run()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._depth -= 1
            if pass_ is not None:
                self._end_pass(pass_, index, depth, error)
                del pass_
            if was_collecting:
                gc.enable()
            if not depth and error is None:
                self._may_stop(ends=not self._has_optimizer)

    def _begin_pass(self, outputs: Any, grads: Any, *, creates: bool) -> BackwardPass | None:
        self.pass_count += 1
        was_on = _is_grad_on()
        try:
            with without_functions(), without_dispatch(), torch.no_grad():
                stack = self.places.here(sys._getframe(1)).stack
                self.gradients.settle()
                pass_ = BackwardPass(self, stack, outputs, grads, creates=creates)
                self._is_spoilt = self._is_spoilt or pass_.is_spoilt
                pass_.attach()
                return pass_
        except Exception as error:  # noqa: BLE001 - the recorder's, not the program's
            self.guard.caught(error)
            return None
        finally:
            _set_grad(was_on)

    def _end_pass(
        self, pass_: BackwardPass, index: int, depth: int, error: BaseException | None
    ) -> None:
        try:
            with without_functions(), without_dispatch(), torch.no_grad():
                pass_.detach()
                pass_.write(index, depth, error)
                self._is_spoilt = self._is_spoilt or self.values.spoilt > pass_.spoilt_before
        except Exception as fault:  # noqa: BLE001 - the recorder's, not the program's
            self.guard.caught(fault)

    # Optimisers

    def on_optimizer(self) -> None:
        """There is an optimiser: its steps end iterations, and passes do not."""
        self._has_optimizer = True

    def on_zero_grad(self, parameters: Iterable[torch.Tensor]) -> None:
        """The gradients of `parameters` were cleared."""
        if self.is_here():
            self.gradients.cleared(parameters)

    def on_grad_set(self, leaf: torch.Tensor) -> None:
        """`.grad` of a tensor was set to None."""
        if self.is_here():
            self.gradients.set_to_none(leaf)

    @guarded
    def on_hook(self, tensor: torch.Tensor) -> None:
        """A hook was registered on a tensor."""
        if self.is_here():
            self.hooks.registered(tensor, sys._getframe(1))

    def on_change(
        self,
        run: Callable[[], Any],
        parameters: Iterable[torch.Tensor],
        how: str,
        factor: Callable[[], float],
    ) -> Any:
        """`run` changes the gradients of `parameters`; `how` is a word of the file, and `factor` is
        asked afterwards.
        """
        changing = self.gradients.changing(parameters) if self.is_here() else None
        if changing is None:
            return run()
        self._is_changing = True  # what torch calls for it is nothing to keep
        try:
            result = run()
        finally:
            self._is_changing = False
        if self.is_on:
            self.gradients.changed(changing, how, factor, self.iteration)
        return result

    def on_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        """An optimiser is about to step."""
        self._has_optimizer = True
        if self.is_here():
            self.steps.before(optimizer)

    def on_step_done(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        """It has stepped."""
        if self.is_on and threading.get_ident() == self._thread and os.getpid() == self._pid:
            if self.iteration >= self._first:
                self.steps.after(optimizer, self.iteration + 1)
            self._may_stop(ends=True)

    def _may_stop(self, *, ends: bool) -> None:
        """After a pass or a step, which `ends` an iteration or not: whether that was enough."""
        if not self.is_on:
            return
        if ends:
            self._end_iteration()
        wanted = None if self._iterations is None else self._first + self._iterations
        is_enough = ends and wanted is not None and self.iteration >= wanted
        if (
            is_enough
            or (self._until_nan and (self._is_spoilt or self.steps.is_spoilt))
            or self.writer.ended
        ):
            self.stop()
            if self.on_stop is not None:
                self.on_stop()

    @guarded
    def _end_iteration(self) -> None:
        self.iteration += 1
        if self.iteration <= self._first:
            return
        self.gradients.settle()
        self.calls.flush()
        self.writer.end_iteration()
        self.places.forget_the_dead()
        self.gradients.forget_the_dead()
        self.hooks.forget_all()
        if self._is_ring:
            self.calls.forget_all()  # what older iterations have kept may be forgotten
            self.values.forget_all()
        else:
            self.calls.forget_the_dead()
