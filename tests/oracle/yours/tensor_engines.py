"""Engines of arrays that are right, as public ones are spelt."""

from __future__ import annotations

TENSOR = """\
import numpy as np


def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


class Tensor:
    def __init__(self, data, requires_grad=False, parents=(), op=""):
        self.data = np.asarray(data, dtype=np.float64)
        self.requires_grad = requires_grad or any(p.requires_grad for p in parents)
        self.grad = np.zeros_like(self.data)
        self.parents = list(parents)
        self.op = op
        self._backward = None

    @property
    def shape(self):
        return self.data.shape

    @staticmethod
    def ensure(x):
        return x if isinstance(x, Tensor) else Tensor(x)

    def _accumulate(self, grad):
        if self.requires_grad:
            self.grad += unbroadcast(grad, self.shape)

    def __add__(self, other):
        other = Tensor.ensure(other)
        out = Tensor(self.data + other.data, parents=(self, other), op="add")

        def _backward():
            self._accumulate(out.grad)
            other._accumulate(out.grad)
        out._backward = _backward
        return out

    def __mul__(self, other):
        other = Tensor.ensure(other)
        out = Tensor(self.data * other.data, parents=(self, other), op="mul")

        def _backward():
            self._accumulate(out.grad * other.data)
            other._accumulate(out.grad * self.data)
        out._backward = _backward
        return out

    def __pow__(self, power):
        out = Tensor(self.data**power, parents=(self,), op="pow")

        def _backward():
            self._accumulate(out.grad * power * self.data**(power - 1))
        out._backward = _backward
        return out

    def __matmul__(self, other):
        out = Tensor(self.data @ other.data, parents=(self, other), op="matmul")

        def _backward():
            self._accumulate(out.grad @ other.data.T)
            other._accumulate(self.data.T @ out.grad)
        out._backward = _backward
        return out

    def __neg__(self): return self * -1.0
    def __sub__(self, other): return self + (-Tensor.ensure(other))
    def __rsub__(self, other): return Tensor.ensure(other) - self
    def __radd__(self, other): return self + other
    def __rmul__(self, other): return self * other
    def __truediv__(self, other): return self * Tensor.ensure(other)**-1.0
    def __rtruediv__(self, other): return Tensor.ensure(other) / self

    def sum(self, axis=None, keepdims=False):
        out = Tensor(self.data.sum(axis=axis, keepdims=keepdims), parents=(self,), op="sum")

        def _backward():
            grad = out.grad
            if axis is not None and not keepdims:
                grad = np.expand_dims(grad, axis)
            self._accumulate(np.broadcast_to(grad, self.shape))
        out._backward = _backward
        return out

    def mean(self, axis=None, keepdims=False):
        n = self.data.size if axis is None else self.data.shape[axis]
        return self.sum(axis, keepdims) * (1.0 / n)

    def reshape(self, *shape):
        out = Tensor(self.data.reshape(*shape), parents=(self,), op="reshape")

        def _backward():
            self._accumulate(out.grad.reshape(self.shape))
        out._backward = _backward
        return out

    @property
    def T(self):
        out = Tensor(self.data.T, parents=(self,), op="T")

        def _backward():
            self._accumulate(out.grad.T)
        out._backward = _backward
        return out

    def zero_grad(self):
        self.grad = np.zeros_like(self.data)

    def backward(self, grad=None):
        order, seen = [], set()

        def visit(t):
            if id(t) in seen:
                return
            seen.add(id(t))
            for p in t.parents:
                visit(p)
            order.append(t)
        visit(self)
        self.grad = np.ones_like(self.data) if grad is None else np.asarray(grad, dtype=np.float64)
        for t in reversed(order):
            if t._backward is not None:
                t._backward()


def exp(x):
    out = Tensor(np.exp(x.data), parents=(x,), op="exp")

    def _backward():
        x._accumulate(out.grad * out.data)
    out._backward = _backward
    return out


def log(x):
    out = Tensor(np.log(x.data), parents=(x,), op="log")

    def _backward():
        x._accumulate(out.grad / x.data)
    out._backward = _backward
    return out


def relu(x):
    out = Tensor(np.maximum(x.data, 0), parents=(x,), op="relu")

    def _backward():
        x._accumulate(out.grad * (x.data > 0))
    out._backward = _backward
    return out
"""
"""Arrays, summed back to shape; functions of the module beside methods."""

FUNCTIONS = """\
import numpy as np

class Function:
    def __init__(self, *tensors):
        self.parents = tensors
        self.saved_tensors = []

    def save_for_backward(self, *x):
        self.saved_tensors.extend(x)

    @classmethod
    def apply(cls, *x):
        x = [t if isinstance(t, Tensor) else Tensor(t, requires_grad=False) for t in x]
        ctx = cls(*x)
        requires_grad = any(t.requires_grad for t in x)
        ret = Tensor(ctx.forward(*[t.data for t in x]), requires_grad=requires_grad)
        ret._ctx = ctx
        return ret

class Tensor:
    def __init__(self, data, requires_grad=True):
        self.data = np.array(data, dtype=np.float32)
        self.grad = None
        self.requires_grad = requires_grad
        self._ctx = None

    def __add__(self, o): return Add.apply(self, o)
    def __radd__(self, o): return Add.apply(o, self)
    def __mul__(self, o): return Mul.apply(self, o)
    def __rmul__(self, o): return Mul.apply(o, self)
    def __sub__(self, o): return Sub.apply(self, o)
    def __rsub__(self, o): return Sub.apply(o, self)
    def __truediv__(self, o): return self * (o ** -1.0)
    def __pow__(self, p): return Pow.apply(self, p)
    def relu(self): return ReLU.apply(self)
    def exp(self): return Exp.apply(self)
    def sum(self): return Sum.apply(self)

    def deepwalk(self):
        def _deepwalk(node, visited, nodes):
            visited.add(node)
            if node._ctx:
                for i in node._ctx.parents:
                    if i not in visited:
                        _deepwalk(i, visited, nodes)
                nodes.append(node)
            return nodes
        return _deepwalk(self, set(), [])

    def backward(self):
        self.grad = Tensor(np.ones_like(self.data), requires_grad=False)
        for t0 in reversed(self.deepwalk()):
            grads = t0._ctx.backward(t0.grad.data)
            if len(t0._ctx.parents) == 1:
                grads = [grads]
            for t, g in zip(t0._ctx.parents, grads):
                if g is not None and t.requires_grad:
                    while g.ndim > t.data.ndim:
                        g = g.sum(axis=0)
                    for i, n in enumerate(t.data.shape):
                        if n == 1 and g.shape[i] != 1:
                            g = g.sum(axis=i, keepdims=True)
                    g = g if t.grad is None else t.grad.data + g
                    t.grad = Tensor(g, requires_grad=False)

class Add(Function):
    def forward(self, x, y): return x + y
    def backward(self, g): return g, g

class Sub(Function):
    def forward(self, x, y): return x - y
    def backward(self, g): return g, -g

class Mul(Function):
    def forward(self, x, y):
        self.save_for_backward(x, y)
        return x * y
    def backward(self, g):
        x, y = self.saved_tensors
        return y * g, x * g

class Pow(Function):
    def forward(self, x, y):
        self.save_for_backward(x, y)
        return x ** y
    def backward(self, g):
        x, y = self.saved_tensors
        return y * x ** (y - 1) * g, None

class ReLU(Function):
    def forward(self, x):
        self.save_for_backward(x)
        return np.maximum(x, 0)
    def backward(self, g):
        x, = self.saved_tensors
        return g * (x >= 0)

class Exp(Function):
    def forward(self, x):
        ret = np.exp(x)
        self.save_for_backward(ret)
        return ret
    def backward(self, g):
        ret, = self.saved_tensors
        return g * ret

class Sum(Function):
    def forward(self, x):
        self.save_for_backward(x)
        return np.array(x.sum())
    def backward(self, g):
        x, = self.saved_tensors
        return g * np.ones_like(x)
"""
"""A context with a `backward` for each operation, in float32."""

PATHS = """\
import numpy as np
from typing import NamedTuple, Callable, List

class Dependency(NamedTuple):
    tensor: 'Tensor'
    grad_fn: Callable

class Tensor:
    def __init__(self, data, requires_grad=False, depends_on=None):
        self.data = np.array(data, dtype=float)
        self.requires_grad = requires_grad
        self.depends_on = depends_on or []
        self.shape = self.data.shape
        self.grad = None
        if self.requires_grad:
            self.zero_grad()

    def zero_grad(self):
        self.grad = Tensor(np.zeros_like(self.data))

    def backward(self, grad=None):
        assert self.requires_grad, "called backward on non-requires-grad tensor"
        if grad is None:
            if self.shape == ():
                grad = Tensor(1.0)
            else:
                raise RuntimeError("grad must be specified for non-0-tensor")
        self.grad.data = self.grad.data + grad.data
        for dependency in self.depends_on:
            backward_grad = dependency.grad_fn(grad.data)
            dependency.tensor.backward(Tensor(backward_grad))

    def __add__(self, o): return _add(self, ensure(o))
    def __radd__(self, o): return _add(ensure(o), self)
    def __mul__(self, o): return _mul(self, ensure(o))
    def __rmul__(self, o): return _mul(ensure(o), self)
    def __neg__(self): return _neg(self)
    def __sub__(self, o): return self + (-ensure(o))
    def __rsub__(self, o): return ensure(o) + (-self)
    def sum(self): return tensor_sum(self)

def ensure(x): return x if isinstance(x, Tensor) else Tensor(x)

def tensor_sum(t):
    data = t.data.sum()
    depends_on = []
    if t.requires_grad:
        def grad_fn(grad):
            return grad * np.ones_like(t.data)
        depends_on.append(Dependency(t, grad_fn))
    return Tensor(data, t.requires_grad, depends_on)

def fit(grad, t):
    for _ in range(grad.ndim - t.data.ndim):
        grad = grad.sum(axis=0)
    for i, dim in enumerate(t.shape):
        if dim == 1:
            grad = grad.sum(axis=i, keepdims=True)
    return grad

def _add(t1, t2):
    depends_on = []
    if t1.requires_grad:
        def grad_fn1(grad):
            return fit(grad, t1)
        depends_on.append(Dependency(t1, grad_fn1))
    if t2.requires_grad:
        def grad_fn2(grad):
            return fit(grad, t2)
        depends_on.append(Dependency(t2, grad_fn2))
    return Tensor(t1.data + t2.data, t1.requires_grad or t2.requires_grad, depends_on)

def _mul(t1, t2):
    depends_on = []
    if t1.requires_grad:
        def grad_fn1(grad):
            return fit(grad * t2.data, t1)
        depends_on.append(Dependency(t1, grad_fn1))
    if t2.requires_grad:
        def grad_fn2(grad):
            return fit(grad * t1.data, t2)
        depends_on.append(Dependency(t2, grad_fn2))
    return Tensor(t1.data * t2.data, t1.requires_grad or t2.requires_grad, depends_on)

def _neg(t):
    depends_on = [Dependency(t, lambda x: -x)] if t.requires_grad else []
    return Tensor(-t.data, t.requires_grad, depends_on)

def tanh(tensor):
    data = np.tanh(tensor.data)
    depends_on = []
    if tensor.requires_grad:
        def grad_fn(grad):
            return grad * (1 - data * data)
        depends_on.append(Dependency(tensor, grad_fn))
    return Tensor(data, tensor.requires_grad, depends_on)
"""
"""Each path by itself, and a function an operand."""
