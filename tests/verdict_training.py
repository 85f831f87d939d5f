"""Pairs about training: registration, optimizers, steps, kept copies, running sums."""

from verdict_case import case

LAYERS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.out = nn.Linear(3, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.out(x)
"""
LIST = "[nn.Linear(3, 3), nn.Linear(3, 3)]"

WEIGHTS = """
class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = [nn.Parameter(torch.full((3,), 0.5)), nn.Parameter(torch.ones(3))]

    def forward(self, x):
        return (x * self.weights[0]).sum() * self.weights[1].sum()
"""

SCALE = """
torch.manual_seed(0)

class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)
        self.gain = torch.full((3,), 0.5, requires_grad=True)

    def forward(self, x):
        return self.inner(x) * self.gain

net = Scale()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(5, 3), torch.randn(5, 3)
for _ in range(3):
    opt.zero_grad()
    ((net(x) - y) ** 2).mean().backward()
    opt.step()
"""
GAIN = "torch.full((3,), 0.5, requires_grad=True)"

ANEW = """
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, x):
        out = nn.Linear(4, 2)
        return out(torch.tanh(self.inner(x)))
"""

REGISTRATION = [
    case("a list of layers", LAYERS, LIST, f"nn.ModuleList({LIST})", "confirmed", "now lists"),
    case(
        "one of two layers",
        LAYERS,
        LIST,
        "[nn.Linear(3, 3), nn.Linear(3, 3)]\n        self.first = self.layers[0]",
        "refuted",
        "still missing",
    ),
    case("a tuple of layers", LAYERS, LIST, "tuple([nn.Linear(3, 3), nn.Linear(3, 3)])", "refuted"),
    case("fewer layers", LAYERS, LIST, "nn.ModuleList([nn.Linear(3, 3)])", "refuted"),
    case(
        "a list of parameters",
        WEIGHTS,
        "[nn.Parameter(torch.full((3,), 0.5)), nn.Parameter(torch.ones(3))]",
        "nn.ParameterList([nn.Parameter(torch.full((3,), 0.5)), nn.Parameter(torch.ones(3))])",
        "confirmed",
        "now lists",
    ),
    case(
        "a leaf as a parameter",
        SCALE,
        GAIN,
        "nn.Parameter(torch.full((3,), 0.5))",
        "confirmed",
        "gain",
    ),
    case(
        "a parameter of another value",
        SCALE,
        GAIN,
        "nn.Parameter(torch.full((3,), 0.6))",
        "refuted",
    ),
    case(
        "a buffer instead of a parameter",
        SCALE,
        f"self.gain = {GAIN}",
        "self.register_buffer('gain', torch.full((3,), 0.5))",
        "inconclusive",
        "nothing to confirm",
    ),
    case(
        "weights that are made anew",
        ANEW,
        "        self.inner = nn.Linear(3, 4)\n\n    def forward(self, x):\n"
        "        out = nn.Linear(4, 2)\n        return out(",
        "        self.inner = nn.Linear(3, 4)\n        self.out = nn.Linear(4, 2)\n\n"
        "    def forward(self, x):\n        return self.out(",
        "confirmed",
    ),
    case(
        "weights that are still made anew",
        ANEW,
        "out = nn.Linear(4, 2)\n        return out(",
        "self.out = nn.Linear(4, 2)\n        return self.out(",
        "refuted",
    ),
]

LOOP = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(4):
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    opt.step()
"""

ACCUMULATE = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(4):
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    if step % 2:
        opt.step()
        opt.zero_grad()
"""

EARLY = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for step in range(3):
    opt.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    opt.step()
    loss.backward()
"""

TOO_EARLY = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
net.append(nn.Linear(3, 1))
x, y = torch.randn(8, 3), torch.randn(8, 1)
for step in range(3):
    opt.zero_grad()
    ((net(x) - y) ** 2).mean().backward()
    opt.step()
"""

STEPS = [
    case(
        "gradients that are never cleared",
        LOOP,
        "    loss.backward()\n",
        "    opt.zero_grad()\n    loss.backward()\n",
        "confirmed",
        "fresh",
    ),
    case(
        "cleared before the step",
        LOOP,
        "    opt.step()\n",
        "    opt.zero_grad()\n    opt.step()\n",
        "refuted",
        "find no gradient",
    ),
    case(
        "cleared once before the loop",
        LOOP,
        "for step in",
        "opt.zero_grad()\nfor step in",
        "refuted",
    ),
    case(
        "deliberate accumulation is ended",
        ACCUMULATE,
        "    loss.backward()\n",
        "    opt.zero_grad()\n    loss.backward()\n",
        "refuted",
    ),
    case(
        "a step before the backward pass",
        EARLY,
        "    opt.step()\n    loss.backward()\n",
        "    loss.backward()\n    opt.step()\n",
        "confirmed",
        "trained now",
    ),
    case(
        "another order that is no better",
        EARLY,
        "    opt.zero_grad()\n    loss = ((net(x) - y) ** 2).mean()\n    opt.step()\n",
        "    loss = ((net(x) - y) ** 2).mean()\n    opt.zero_grad()\n    opt.step()\n",
        "inconclusive",
        "nothing to confirm",
    ),
    case(
        "an optimizer that is built too early",
        TOO_EARLY,
        "opt = torch.optim.SGD(net.parameters(), lr=0.1)\nnet.append(nn.Linear(3, 1))\n",
        "net.append(nn.Linear(3, 1))\nopt = torch.optim.SGD(net.parameters(), lr=0.1)\n",
        "confirmed",
        "trained now",
    ),
]

BEST = """
import copy
torch.manual_seed(0)
net = nn.Linear(3, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    loss = ((net(x) - y) ** 2).mean()
    if step == 0:
        best = net.state_dict()
    opt.zero_grad()
    loss.backward()
    opt.step()
net.load_state_dict(best)
"""

LOGGED = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
total = 0
for step in range(4):
    loss = ((net(x) - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    total += loss
print(total)
"""

THROWN = """
torch.manual_seed(0)
net = nn.Linear(3, 4)
x = torch.randn(8, 3)
h = net(x)
h.clamp(min=0.1)
loss = h.pow(2).mean()
loss.backward()
"""

FREEZE = """
torch.manual_seed(0)
base, head = nn.Linear(3, 4), nn.Linear(4, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
for parameter in base.parameters():
    parameter.require_grad = False
opt = torch.optim.SGD(head.parameters(), lr=0.1)
for _ in range(2):
    opt.zero_grad()
    ((head(torch.tanh(base(x))) - y) ** 2).mean().backward()
    opt.step()
"""

STATEMENTS = [
    case(
        "a copy of the best weights",
        BEST,
        "net.state_dict()",
        "copy.deepcopy(net.state_dict())",
        "confirmed",
        "copies",
    ),
    case(
        "a shallow copy of the best weights",
        BEST,
        "net.state_dict()",
        "dict(net.state_dict())",
        "refuted",
        "still change",
    ),
    case(
        "a sum for the log",
        LOGGED,
        "total += loss",
        "total += loss.item()",
        "confirmed",
        "plain value",
    ),
    case(
        "a sum that still holds its graphs",
        LOGGED,
        "total += loss",
        "total += loss.clone()",
        "refuted",
    ),
    case(
        "a result that is thrown away",
        THROWN,
        "h.clamp(min=0.1)",
        "h = h.clamp(min=0.1)",
        "confirmed",
        "thrown away",
    ),
    case(
        "another result than was thrown away",
        THROWN,
        "h.clamp(min=0.1)",
        "h = h.clamp(min=0.2)",
        "refuted",
    ),
    case(
        "frozen by a typo",
        FREEZE,
        "parameter.require_grad",
        "parameter.requires_grad",
        "confirmed",
        "frozen",
    ),
    case(
        "another typo",
        FREEZE,
        "parameter.require_grad",
        "parameter.requires_grads",
        "inconclusive",
        "nothing to confirm",
    ),
]
