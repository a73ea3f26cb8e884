"""Writes torch.txt: what PyTorch makes of small inputs, for `tests/golden_torch.rs`.

    python tests/golden/torch.py

needs torch 2.13.0 (the CPU build is enough) and nothing else. Inputs are numbers of f32; PyTorch computes in
f64, and what it returns is written as the nearest f32. Images and filters are written with channels last.
"""

import pathlib
import struct
import sys

# This file has the name of the package that it imports.
HERE = pathlib.Path(__file__).resolve().parent
sys.path = [entry for entry in sys.path if pathlib.Path(entry).resolve() != HERE]

import torch
import torch.nn.functional as F

VERSION = "2.13.0"
HEADER = """\
# What PyTorch makes of small inputs; written by torch.py, which says how.
#
# torch VERSION          the version that computed the values
# case NAME              a case begins
# param NAME VALUE       a number or a word
# tensor NAME SHAPE : NUMBERS
#                        row-major; a shape is 4x3, or () for a single number; images are batch x height x
#                        width x channels, filters outputs x height x width x channels of a group
#
# Names: y is the output, dy the gradient that comes in from above, and dNAME the gradient of tensor NAME.
"""
lines = [HEADER, f"torch {VERSION}"]


def single(x):
    """The f32 nearest to x."""
    return struct.unpack("f", struct.pack("f", x))[0]


def shortest(x):
    """The shortest decimal that reads as the f32 nearest to x."""
    x = single(x)
    return next(text for digits in range(1, 10) if single(float(text := f"{x:.{digits}g}")) == x)


def case(name, **params):
    lines.append(f"\ncase {name}")
    for key, value in params.items():
        lines.append(f"param {key} {value}")


def tensor(name, x):
    x = torch.as_tensor(x, dtype=torch.float64).detach()
    shape = "x".join(map(str, x.shape)) or "()"
    lines.append(f"tensor {name} {shape} : " + " ".join(shortest(v) for v in x.flatten().tolist()))


def image(name, x):
    """An image or filters, channels first in PyTorch."""
    tensor(name, x.permute(0, 2, 3, 1))


generator = torch.Generator().manual_seed(20)


def numbers(*shape, spread=1.0):
    """Normal numbers of three decimals, each rounded to f32."""
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * spread
    return torch.round(x, decimals=3).float().double().requires_grad_()


def output(y, write=tensor):
    """Writes an output and a random gradient of it, and sends the gradient back."""
    dy = numbers(*y.shape).detach()
    write("y", y)
    write("dy", dy)
    y.backward(dy)


def operands(write=tensor, **named):
    for name, x in named.items():
        write(name, x)


def gradients(write=tensor, **named):
    for name, x in named.items():
        write("d" + name, x.grad)


def linear():
    activations = {
        "identity": lambda z: z,
        "relu": F.relu,
        "gelu": lambda z: F.gelu(z, approximate="tanh"),
        "gelu-erf": F.gelu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
    }
    for name, activation in activations.items():
        case("linear_" + name.replace("-", "_"), activation=name)
        x, w, bias = numbers(5, 7), numbers(6, 7), numbers(6)
        operands(x=x, w=w, bias=bias)
        output(activation(F.linear(x, w, bias)))
        gradients(x=x, w=w, bias=bias)


def convolutions():
    cases = {
        "plain": ((2, 3, 5, 6), (4, 3, 3, 2), dict()),
        "strided": ((2, 3, 7, 6), (4, 3, 3, 3), dict(stride=2, padding=1)),
        "dilated": ((2, 2, 7, 8), (3, 2, 3, 3), dict(padding=1, dilation=2)),
        "grouped": ((2, 4, 5, 5), (6, 2, 3, 3), dict(groups=2)),
        "depthwise": ((2, 5, 5, 5), (5, 1, 3, 3), dict(padding=1, groups=5)),
    }
    for name, (image_shape, filter_shape, given) in cases.items():
        options = dict(stride=1, padding=0, dilation=1, groups=1) | given
        case("conv2d_" + name, **options)
        x, w, bias = numbers(*image_shape), numbers(*filter_shape), numbers(filter_shape[0])
        operands(image, x=x, w=w)
        operands(bias=bias)
        output(F.conv2d(x, w, bias, **options), image)
        gradients(image, x=x, w=w)
        gradients(bias=bias)


def pools():
    for name, pool in [("max_pool2d", F.max_pool2d), ("avg_pool2d", F.avg_pool2d)]:
        for suffix, options in [
            ("", dict(kernel_size=2, stride=2, padding=0)),
            ("_padded", dict(kernel_size=3, stride=2, padding=1)),
            ("_overlapping", dict(kernel_size=3, stride=1, padding=0)),
        ]:
            case(name + suffix, kernel=options["kernel_size"], stride=options["stride"], padding=options["padding"])
            x = numbers(2, 3, 6, 7)
            operands(image, x=x)
            output(pool(x, **options), image)
            gradients(image, x=x)
    case("max_pool2d_ties", kernel=2, stride=2, padding=0)
    x = torch.tensor([1.0, 1, 2, 0, 0, 1, 2, 2]).double().reshape(1, 1, 2, 4).requires_grad_()
    operands(image, x=x)
    output(F.max_pool2d(x, 2), image)
    gradients(image, x=x)


def embedding():
    case("embedding")
    w, ids = numbers(6, 4), torch.tensor([3, 0, 3, 5, 3])
    operands(w=w, ids=ids)
    output(F.embedding(ids, w))
    gradients(w=w)


def norms():
    case("layer_norm", eps=1e-5)
    x, gamma, beta = numbers(4, 9), numbers(9), numbers(9)
    operands(x=x, gamma=gamma, beta=beta)
    output(F.layer_norm(x, (9,), gamma, beta, eps=1e-5))
    gradients(x=x, gamma=gamma, beta=beta)

    case("rms_norm", eps=1e-6)
    x, gamma = numbers(4, 9), numbers(9)
    operands(x=x, gamma=gamma)
    output(F.rms_norm(x, (9,), gamma, eps=1e-6))
    gradients(x=x, gamma=gamma)

    for suffix, shape in [("", (8, 5)), ("_image", (3, 5, 2, 4))]:
        write = image if suffix else tensor
        for mode in ["training", "evaluation"]:
            case(f"batch_norm_{mode}{suffix}", eps=1e-5, momentum=0.1)
            x, gamma, beta = numbers(*shape), numbers(5), numbers(5)
            mean, var = torch.zeros(5).double(), torch.ones(5).double()
            if mode == "evaluation":
                mean, var = numbers(5).detach(), numbers(5).detach().abs() + 0.5
                var = var.float().double()
            operands(write, x=x)
            operands(gamma=gamma, beta=beta, running_mean=mean, running_var=var)
            options = dict(training=mode == "training", momentum=0.1, eps=1e-5)
            output(F.batch_norm(x, mean, var, gamma, beta, **options), write)
            gradients(write, x=x)
            gradients(gamma=gamma, beta=beta)
            if mode == "training":
                operands(new_running_mean=mean, new_running_var=var)


def dropout():
    case("dropout", p=0.25)
    x = numbers(4, 6)
    kept = (torch.rand(4, 6, generator=generator) >= 0.25).double()
    operands(x=x, kept=kept)
    output(x * kept / (1 - 0.25))
    gradients(x=x)


def losses():
    def loss(value, **inputs):
        tensor("loss", value)
        value.backward()
        gradients(**inputs)

    for suffix, smoothing in [("", 0.0), ("_smoothed", 0.1)]:
        case("cross_entropy" + suffix, smoothing=smoothing)
        x, labels = numbers(6, 5, spread=2.0), torch.tensor([4, 0, 2, 2, 1, 3])
        operands(x=x, labels=labels)
        loss(F.cross_entropy(x, labels, label_smoothing=smoothing), x=x)

    case("mse")
    x, target = numbers(4, 5), numbers(4, 5)
    operands(x=x, target=target)
    loss(F.mse_loss(x, target), x=x)

    case("gaussian_nll")
    mean, log_var, target = numbers(4, 5), numbers(4, 5), numbers(4, 5)
    operands(mean=mean, log_var=log_var, target=target)
    loss(F.gaussian_nll_loss(mean, target, log_var.exp(), full=False, eps=1e-30), mean=mean, log_var=log_var)

    case("bce_with_logits")
    x = numbers(4, 5, spread=3.0)
    target = torch.rand(4, 5, generator=generator).double().round(decimals=2).float().double()
    operands(x=x, target=target)
    loss(F.binary_cross_entropy_with_logits(x, target), x=x)


STEPS = 5


def optimisers():
    sgd = dict(lr=0.1, momentum=0.0, weight_decay=0.0, nesterov=0)
    adam = dict(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0)
    cases = {
        "sgd": sgd,
        "sgd_momentum": sgd | dict(momentum=0.9),
        "sgd_nesterov": sgd | dict(momentum=0.9, nesterov=1),
        "sgd_weight_decay": sgd | dict(momentum=0.9, weight_decay=0.05),
        "adam": adam,
        "adam_weight_decay": adam | dict(beta1=0.8, beta2=0.95, eps=1e-3, weight_decay=0.05),
        "adamw": adam | dict(weight_decay=0.1),
    }
    for name, params in cases.items():
        case(name, **params)
        w, g = numbers(6), numbers(STEPS, 6).detach()
        operands(w=w, g=g)
        options = dict(params)
        if name.startswith("sgd"):
            optimiser = torch.optim.SGD([w], **options | dict(nesterov=bool(params["nesterov"])))
        else:
            options["betas"] = options.pop("beta1"), options.pop("beta2")
            kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
            optimiser = kind([w], **options)
        after = []
        for step in range(STEPS):
            w.grad = g[step].clone()
            optimiser.step()
            after.append(w.detach().clone())
        tensor("w_after", torch.stack(after))


def clipping():
    for suffix, max_norm in [("", 1.5), ("_unused", 100.0)]:
        case("clip_grad_norm" + suffix, max_norm=max_norm)
        a, b = numbers(2, 3), numbers(4)
        a.grad, b.grad = numbers(2, 3).detach(), numbers(4).detach()
        operands(a=a.grad, b=b.grad)
        norm = torch.nn.utils.clip_grad_norm_([a, b], max_norm)
        operands(norm=norm, a_clipped=a.grad, b_clipped=b.grad)


def schedules():
    lr = torch.optim.lr_scheduler
    cases = {
        "step_lr": (lr.StepLR, 0.1, dict(step_size=3, gamma=0.5)),
        "cosine_annealing_lr": (lr.CosineAnnealingLR, 0.1, dict(T_max=9, eta_min=0.01)),
        "one_cycle_lr": (
            lr.OneCycleLR,
            0.1,
            dict(max_lr=0.1, total_steps=10, pct_start=0.3, div_factor=25.0, final_div_factor=1e4),
        ),
        "warm_up": (lr.LinearLR, 0.1, dict(start_factor=0.1, total_iters=4)),
    }
    for name, (schedule, rate, params) in cases.items():
        case(name, **(params if "max_lr" in params else dict(lr=rate) | params))
        optimiser = torch.optim.SGD([numbers(1)], lr=rate)
        options = dict(cycle_momentum=False) if schedule is lr.OneCycleLR else {}
        scheduler = schedule(optimiser, **params, **options)
        rates = []
        for step in range(10):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            # The last rate is that of the tenth step; one more is beyond a one-cycle schedule.
            if step < 9:
                scheduler.step()
        tensor("rates", rates)


assert torch.__version__.split("+")[0] == VERSION, torch.__version__
for write_cases in [linear, convolutions, pools, embedding, norms, dropout, losses, optimisers, clipping, schedules]:
    write_cases()
(HERE / "torch.txt").write_text("\n".join(lines) + "\n")
