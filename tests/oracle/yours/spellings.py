"""Engines that are right, as public ones are spelt: by name their source."""

from __future__ import annotations

from tests.oracle.yours.engines import MICROGRAD
from tests.oracle.yours.tensor_engines import FUNCTIONS, PATHS, TENSOR

LOCAL_DERIVATIVES = """\
import math

class Value:
    __slots__ = ('data', 'grad', '_children', '_local_grads')

    def __init__(self, data, children=(), local_grads=()):
        self.data = data
        self.grad = 0
        self._children = children
        self._local_grads = local_grads

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1, 1))

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n): return Value(self.data**n, (self,), (n * self.data**(n-1),))
    def log(self): return Value(math.log(self.data), (self,), (1/self.data,))
    def exp(self): return Value(math.exp(self.data), (self,), (math.exp(self.data),))
    def relu(self): return Value(max(0, self.data), (self,), (float(self.data > 0),))
    def __neg__(self): return self * -1
    def __radd__(self, other): return self + other
    def __sub__(self, other): return self + (-other)
    def __rsub__(self, other): return other + (-self)
    def __rmul__(self, other): return self * other
    def __truediv__(self, other): return self * other**-1
    def __rtruediv__(self, other): return other * self**-1

    def backward(self):
        topo = []
        visited = set()
        def build_topo(v):
            if v not in visited:
                visited.add(v)
                for child in v._children:
                    build_topo(child)
                topo.append(v)
        build_topo(self)
        self.grad = 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad
"""
"""Local derivatives kept beside the operands, one loop for all."""

CREATORS = """\
import weakref
import heapq
import numpy as np

class Variable:
    def __init__(self, data):
        self.data = data if isinstance(data, np.ndarray) else np.array(float(data))
        self.grad = None
        self.creator = None
        self.generation = 0

    def set_creator(self, func):
        self.creator = func
        self.generation = func.generation + 1

    def cleargrad(self):
        self.grad = None

    def backward(self):
        if self.grad is None:
            self.grad = np.ones_like(self.data)
        funcs = []
        seen_set = set()
        def add_func(f):
            if f not in seen_set:
                funcs.append(f)
                seen_set.add(f)
                funcs.sort(key=lambda x: x.generation)
        add_func(self.creator)
        while funcs:
            f = funcs.pop()
            gys = [output().grad for output in f.outputs]
            gxs = f.backward(*gys)
            if not isinstance(gxs, tuple):
                gxs = (gxs,)
            for x, gx in zip(f.inputs, gxs):
                if x.grad is None:
                    x.grad = gx
                else:
                    x.grad = x.grad + gx
                if x.creator is not None:
                    add_func(x.creator)
            for y in f.outputs:
                y().grad = None

def as_array(x): return np.array(x) if np.isscalar(x) else x
def as_variable(obj): return obj if isinstance(obj, Variable) else Variable(obj)

class Function:
    def __call__(self, *inputs):
        inputs = [as_variable(x) for x in inputs]
        ys = self.forward(*[x.data for x in inputs])
        if not isinstance(ys, tuple):
            ys = (ys,)
        outputs = [Variable(as_array(y)) for y in ys]
        self.generation = max([x.generation for x in inputs])
        for output in outputs:
            output.set_creator(self)
        self.inputs = inputs
        self.outputs = [weakref.ref(output) for output in outputs]
        return outputs if len(outputs) > 1 else outputs[0]

class Add(Function):
    def forward(self, x0, x1): return x0 + x1
    def backward(self, gy): return gy, gy

class Mul(Function):
    def forward(self, x0, x1): return x0 * x1
    def backward(self, gy):
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        return gy * x1, gy * x0

class Neg(Function):
    def forward(self, x): return -x
    def backward(self, gy): return -gy

class Square(Function):
    def forward(self, x): return x ** 2
    def backward(self, gy): return 2 * self.inputs[0].data * gy

class Exp(Function):
    def forward(self, x): return np.exp(x)
    def backward(self, gy): return np.exp(self.inputs[0].data) * gy

def add(x0, x1): return Add()(x0, x1)
def mul(x0, x1): return Mul()(x0, x1)
def neg(x): return Neg()(x)
def square(x): return Square()(x)
def exp(x): return Exp()(x)

Variable.__add__ = add
Variable.__radd__ = add
Variable.__mul__ = mul
Variable.__rmul__ = mul
Variable.__neg__ = neg
"""
"""Functions that know inputs and outputs, and generations; gradients are let go."""

KINDS = """\
import math

class Scalar:
    def __init__(self, value, op=None, parents=None):
        self.value = value
        self.op = op
        self.parents = parents or []
        self.gradient = 0.0

    @staticmethod
    def wrap(x):
        return x if isinstance(x, Scalar) else Scalar(x)

    def __add__(self, other):
        other = Scalar.wrap(other)
        return Scalar(self.value + other.value, "+", [self, other])

    def __mul__(self, other):
        other = Scalar.wrap(other)
        return Scalar(self.value * other.value, "*", [self, other])

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return Scalar(-self.value, "neg", [self])

    def __sub__(self, other):
        return self + -Scalar.wrap(other)

    def sigmoid(self):
        return Scalar(1 / (1 + math.exp(-self.value)), "sigmoid", [self])

    def _send(self):
        if self.op == "+":
            for p in self.parents:
                p.gradient += self.gradient
        elif self.op == "*":
            a, b = self.parents
            a.gradient += b.value * self.gradient
            b.gradient += a.value * self.gradient
        elif self.op == "neg":
            self.parents[0].gradient -= self.gradient
        elif self.op == "sigmoid":
            s = self.value
            self.parents[0].gradient += s * (1 - s) * self.gradient

    def backward(self):
        pending = {}
        stack = [self]
        while stack:
            node = stack.pop()
            for p in node.parents:
                if p not in pending:
                    pending[p] = 0
                    stack.append(p)
                pending[p] += 1
        self.gradient = 1.0
        ready = [self]
        while ready:
            node = ready.pop()
            node._send()
            for p in node.parents:
                pending[p] -= 1
                if pending[p] == 0:
                    ready.append(p)
"""
"""A chain of cases, and consumers counted."""

RIGHT = {
    "micrograd": MICROGRAD,
    "operands in a tuple": MICROGRAD.replace("set(_children)", "_children"),
    "operands in a list": MICROGRAD.replace("set(_children)", "list(_children)"),
    "parents, value and gradient": (
        MICROGRAD.replace("_prev", "parents").replace("data", "value").replace(".grad", ".gradient")
    ),
    "local derivatives": LOCAL_DERIVATIVES,
    "tensors": TENSOR,
    "functions": FUNCTIONS,
    "paths": PATHS,
    "creators": CREATORS,
    "kinds": KINDS,
}
