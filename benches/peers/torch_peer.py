"""PyTorch's side of the comparison: obeys one JSON object a line on standard input, and answers each with one.

`prepare` makes one piece of work ready, `run` calls it and reports the seconds, `answer` writes what the last
call left to a file, 32-bit floats one array after the other.
"""
import ctypes
import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

RATE = 0.5


def read(folder, name, *shape):
    data = torch.from_file(os.path.join(folder, name), size=torch.Size(shape).numel(), dtype=torch.float32)
    return data.clone().reshape(shape)


class Forward:
    """A function without gradients."""

    def __init__(self, function):
        self.function = function

    def call(self):
        self.output = self.function()

    def answer(self):
        return [self.output]


class Step:
    """A function and the gradients of its arguments."""

    def __init__(self, function, arguments, gradient):
        self.function = function
        self.arguments = [argument.requires_grad_(True) for argument in arguments]
        self.gradient = gradient

    def call(self):
        for argument in self.arguments:
            argument.grad = None
        self.output = self.function(*self.arguments)
        self.output.backward(self.gradient)

    def answer(self):
        return [self.output] + [argument.grad for argument in self.arguments]


def dense(inputs, outputs):
    """A layer with the initial weights of He et al. (2015), which PyTorch's own choice is not."""
    layer = nn.Linear(inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


class Training:
    """A network that learns one batch."""

    def __init__(self, folder, training):
        widths = training["widths"]
        layers = [nn.Dropout(training["input_rate"])]
        for inputs, outputs in zip(widths[:-2], widths[1:-1]):
            layers += [dense(inputs, outputs), nn.ReLU(), nn.Dropout(RATE)]
        self.model = nn.Sequential(*layers, dense(*widths[-2:]))
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=training["learning_rate"], momentum=training["momentum"]
        )
        self.x = read(folder, "x", training["batch"], widths[0])
        self.labels = read(folder, "labels", training["batch"]).long()
        self.least, self.steps = training["steps"], 0
        self.before = self.evaluate()

    def evaluate(self):
        self.model.eval()
        with torch.no_grad():
            loss = F.cross_entropy(self.model(self.x), self.labels)
        self.model.train()
        return loss.item()

    def call(self):
        self.steps += 1
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(self.x), self.labels).backward()
        self.optimizer.step()

    def answer(self):
        while self.steps < self.least:
            self.call()
        return [torch.tensor([self.before, self.evaluate()])]


def fused(x, w, bias):
    return F.dropout(F.relu(F.linear(x, w, bias)), RATE, True)


def mask(n):
    kept = torch.empty(n, dtype=torch.bool)
    return Forward(lambda: kept.bernoulli_(1 - RATE))


def prepare(work, folder, training):
    op = work["op"]
    if op == "mask":
        return mask(work["n"])
    if op == "train":
        return Training(folder, training)
    if op in ("dropout", "dropout-step"):
        x, g = (read(folder, name, work["n"]) for name in "xg")
        if op == "dropout":
            return Forward(lambda: F.dropout(x, RATE, True))
        return Step(lambda x: F.dropout(x, RATE, True), [x], g)
    m, k, n = work["m"], work["k"], work["n"]
    x, w, bias, g = (
        read(folder, name, *shape) for name, shape in (("x", (m, k)), ("w", (n, k)), ("bias", (n,)), ("g", (m, n)))
    )
    if op == "linear":
        return Forward(lambda: F.linear(x, w))
    if op == "fused":
        return Forward(lambda: fused(x, w, bias))
    if op == "fused-step":
        return Step(fused, [x, w, bias], g)
    return None


def seconds(work, calls):
    start = time.perf_counter()
    for _ in range(calls):
        work.call()
    return time.perf_counter() - start


def write(file, tensors):
    tensors = [tensor.detach().float().contiguous() for tensor in tensors]
    with open(file, "wb") as out:
        for tensor in tensors:
            out.write(ctypes.string_at(tensor.data_ptr(), 4 * tensor.numel()))
    return [tensor.numel() for tensor in tensors]


def obey(order, work):
    """The reply to an order, and the work to hold from then on."""
    what = order["do"]
    if what == "describe":
        torch.set_num_threads(order["threads"])
        return {"version": torch.__version__}, work
    if what == "prepare":
        work = prepare(order["work"], order["folder"], order["training"])
        return {"prepared": work is not None}, work
    if what == "run":
        return {"seconds": seconds(work, order["calls"])}, work
    return {"lengths": write(order["file"], work.answer())}, work


def main():
    torch.manual_seed(0)
    work = None
    for line in sys.stdin:
        try:
            reply, work = obey(json.loads(line), work)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


main()
