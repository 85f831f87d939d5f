"""Pairs that are alike at the point that is given, or in one part, and nowhere else."""

from verdict_case import case

PRIOR = """
class Springs(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(4))
        self.mass = nn.Parameter(torch.ones(4))

    def stiffness(self):
        return (10.0 * torch.exp(self.raw)).tolist()

def misfit(net):
    k = net.stiffness()
    prior = sum((a - b) ** 2 for a, b in zip(k, k[1:]))
    return (net.mass * sum(k) - 39.0).pow(2).mean() + 0.1 * prior

net = Springs()
opt = torch.optim.SGD(net.parameters(), lr=1e-4)
for _ in range(3):
    opt.zero_grad()
    loss = misfit(net)
    loss.backward()
    opt.step()
"""
LIST = "        return (10.0 * torch.exp(self.raw)).tolist()\n"
SUMMED = "    prior = sum((a - b) ** 2 for a, b in zip(k, k[1:]))\n"

LAYERS = """
spacer = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
index = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
opt = torch.optim.SGD([spacer, index], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    layers = [0.09, spacer, 0.07]
    thickness = torch.tensor(layers, dtype=torch.float64)
    loss = (torch.cos(index * thickness).sum() - 1).pow(2)
    loss.backward()
    opt.step()
"""
MADE = "torch.tensor(layers, dtype=torch.float64)"

BY_NAME = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8)
params = {"w": torch.zeros(3, requires_grad=True), "b": torch.zeros(1, requires_grad=True)}

def descend():
    loss = (x @ params["w"] + params["b"] - y).pow(2).mean()
    loss.backward()
    for name in params:
        step = params[name].grad + 0.01 * params[name].detach()
        params[name] = params[name] - 0.1 * step
    for one in params.values():
        one.grad = None
    return loss.item()

curve = [descend() for _ in range(4)]
"""
STEP = "        params[name] = params[name] - 0.1 * step\n"

TWO_RATES = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
base, shift = nn.Linear(3, 1), nn.Parameter(torch.zeros(1))
first = torch.optim.Adam(base.parameters(), lr=0.02)
(base(x) - y).pow(2).mean().backward()
first.step()
scales = [torch.ones(2, requires_grad=True) * s for s in (0.5, 0.7)]
opt = torch.optim.Adam([{"params": [shift]}, {"params": scales, "lr": 0.005}], lr=0.02)
for _ in range(3):
    opt.zero_grad()
    loss = (base(x) * scales[0][0] + scales[1][1] + shift - y).pow(2).mean()
    loss.backward()
    opt.step()
"""
LEAVES = "torch.ones(2, requires_grad=True) * s for"

CLIPPED = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(4):
    opt.zero_grad()
    loss = (net(x) - y).pow(2).mean()
    opt.step()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
"""
ORDER = """    opt.step()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.5)
"""

CHAIN = """
torch.manual_seed(0)
rate = nn.Parameter(torch.tensor(-1.0))
opt = torch.optim.SGD([rate], lr=0.05)

def force(x):
    x = x.detach().requires_grad_(True)
    return torch.autograd.grad(torch.cos(x).sum(), x, create_graph=True)[0]

x = torch.rand(6)
for _ in range(6):
    moved = x - rate.exp() * force(x)
    loss = (moved - 0.3).pow(2).mean()
    opt.zero_grad
    loss.backward()
    opt.step()
    x = moved.detach()
"""

SLOPED = """
class Dice(nn.Module):
    def __init__(self, size, flat):
        super().__init__()
        if flat:
            self.alpha = torch.zeros(size)
        else:
            self.alpha = torch.zeros(1, size)

    def forward(self, x):
        p = torch.sigmoid(x)
        return self.alpha * (1 - p) * x + p * x

torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
parts = [nn.Linear(3, 4), Dice(4, True), nn.Linear(4, 4), Dice(4, False), nn.Linear(4, 1)]
net = nn.Sequential(*parts)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = (net(x) - y).pow(2).mean()
    loss.backward()
    opt.step()
"""
BRANCHES = """            self.alpha = torch.zeros(size)
        else:
            self.alpha = torch.zeros(1, size)
"""

CONJUGATE = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
net, kept, turns = nn.Linear(3, 1), {}, []
for _ in range(4):
    for one in net.parameters():
        if one.grad is not None:
            one.grad.zero_()
    (net(x) - y).pow(2).mean().backward()
    for number, one in enumerate(net.parameters()):
        last = kept.get(number)
        turn = -0.1 * one.grad
        turns.append(0.0 if last is None else (one.grad - last).norm().item())
        with torch.no_grad():
            one += turn
        kept[number] = one.grad
"""
KEPT = "kept[number] = one.grad\n"

POINTS = [
    case(
        "a list of tensors instead of numbers",
        PRIOR,
        LIST,
        "        return 10.0 * torch.exp(self.raw)\n",
        "confirmed",
    ),
    case(
        "another prior, that is nothing as well at the start",
        PRIOR,
        f"{LIST}\ndef misfit(net):\n    k = net.stiffness()\n{SUMMED}",
        "        return 10.0 * torch.exp(self.raw)\n\ndef misfit(net):\n    k = net.stiffness()\n"
        "    prior = sum((a - b) ** 2 for a, b in zip(net.raw, net.raw[1:]))\n",
        "refuted",
        "with other weights",
    ),
    case(
        "numbers and a tensor, stacked in double precision",
        LAYERS,
        MADE,
        "torch.stack([torch.as_tensor(one, dtype=torch.float64) for one in layers])",
        "confirmed",
    ),
    case(
        "numbers that are rounded before they are stacked",
        LAYERS,
        MADE,
        "torch.stack([torch.as_tensor(one) for one in layers])",
        "inconclusive",
        "is rounded now",
    ),
    case(
        "weights of a dict by their names, in a block",
        BY_NAME,
        STEP,
        "        with torch.no_grad():\n            params[name] -= 0.1 * step\n",
        "confirmed",
    ),
    case(
        "weights of a dict by their names, the other way",
        BY_NAME,
        STEP,
        "        with torch.no_grad():\n            params[name] += 0.1 * step\n",
        "inconclusive",
    ),
    case(
        "leaves for the second of two optimizers",
        TWO_RATES,
        LEAVES,
        "(torch.ones(2) * s).requires_grad_() for",
        "confirmed",
    ),
    case(
        "the step before it is clipped",
        CLIPPED,
        ORDER,
        "    loss.backward()\n    opt.step()\n"
        "    nn.utils.clip_grad_norm_(net.parameters(), 0.5)\n",
        "refuted",
        "clipped after the step",
    ),
    case(
        "the step after it is clipped",
        CLIPPED,
        ORDER,
        "    loss.backward()\n"
        "    nn.utils.clip_grad_norm_(net.parameters(), 0.5)\n    opt.step()\n",
        "confirmed",
    ),
    case(
        "states that are leaves for a while, after other steps",
        CHAIN,
        "    opt.zero_grad\n",
        "    opt.zero_grad()\n",
        "confirmed",
        "fresh ones now",
    ),
    case(
        "a weight of all objects of a class",
        SLOPED,
        BRANCHES,
        BRANCHES.replace("torch.zeros(size)", "nn.Parameter(torch.zeros(size))").replace(
            "torch.zeros(1, size)", "nn.Parameter(torch.zeros(1, size))"
        ),
        "confirmed",
    ),
    case(
        "a weight of some objects of a class",
        SLOPED,
        BRANCHES,
        BRANCHES.replace("torch.zeros(size)", "nn.Parameter(torch.zeros(size))"),
        "inconclusive",
        "`Dice.alpha` is a Parameter of one object",
    ),
    case(
        "a weight that is none any more",
        SLOPED.replace("torch.zeros(size)", "nn.Parameter(torch.zeros(size))"),
        "nn.Parameter(torch.zeros(size))",
        "torch.zeros(size)",
        "refuted",
        "was trained, and is a plain tensor now",
    ),
    case(
        "a gradient that is kept as a copy", CONJUGATE, KEPT, KEPT[:-1] + ".clone()\n", "confirmed"
    ),
    case(
        "something else that is kept as a copy",
        CONJUGATE,
        KEPT,
        "kept[number] = turn.clone()\n",
        "refuted",
        "other values than before",
    ),
]
