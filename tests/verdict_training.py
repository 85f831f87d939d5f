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

COMPARED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.base, self.head = nn.Linear(3, 4, bias=False), nn.Linear(4, 1)
        self.base.weight.requires_grad == False

    def forward(self, x):
        return self.head(torch.tanh(self.base(x)))
"""

ATTRIBUTE = """
torch.manual_seed(0)
maker, critic = nn.Linear(2, 3), nn.Linear(3, 1)

def toggle(module, flag):
    module.requires_grad = flag

def critic_step():
    critic(torch.ones(4, 3)).pow(2).mean().backward()

toggle(critic, False)
critic(torch.tanh(maker(torch.ones(4, 2)))).mean().backward()
toggle(critic, True)
critic_step()
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
        "refuted",
        "still trained",
    ),
    case(
        "frozen with more than was named",
        FREEZE,
        "for parameter in base.parameters():\n    parameter.require_grad = False\n",
        "for parameter in [*base.parameters(), head.bias]:\n    parameter.requires_grad = False\n",
        "refuted",
        "as well",
    ),
    case(
        "frozen by a comparison",
        COMPARED,
        "self.base.weight.requires_grad == False",
        "self.base.weight.requires_grad = False",
        "confirmed",
        "frozen now",
    ),
    case(
        "another layer than the comparison names is frozen",
        COMPARED,
        "self.base.weight.requires_grad == False",
        "self.head.requires_grad_(False)",
        "refuted",
        "still trained",
    ),
    case(
        "frozen by the attribute of a module",
        ATTRIBUTE,
        "module.requires_grad = flag",
        "module.requires_grad_(flag)",
        "confirmed",
        "frozen now",
    ),
    case(
        "half of a module is frozen",
        ATTRIBUTE,
        "module.requires_grad = flag",
        "module.weight.requires_grad_(flag)",
        "refuted",
    ),
    case(
        "frozen for good",
        ATTRIBUTE,
        "module.requires_grad = flag",
        "module.requires_grad_(False)",
        "refuted",
    ),
]

TIED = """
class Twins(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(3, 2)
        self.second.weight.data = self.first.weight.data[:2]

    def forward(self, x):
        return torch.tanh(self.first(x)) * self.second(x)
"""

PREVIOUS = """
x = torch.ones(3, requires_grad=True)
(x**3).sum().backward()
for _ in range(3):
    kept = x.grad
    with torch.no_grad():
        x -= 0.01 * x.grad
        x.grad.zero_()
    (x**3).sum().backward()
    change = (x.grad - kept).abs().sum()
"""

MEMORY = [
    case(
        "a weight that starts from a copy of another",
        TIED,
        "self.first.weight.data[:2]",
        "self.first.weight.data[:2].clone()",
        "confirmed",
        "copies",
    ),
    case(
        "a weight that becomes another one",
        TIED,
        "self.second.weight.data = self.first.weight.data[:2]",
        "self.second.weight = self.first.weight",
        "refuted",
        "of its own",
    ),
    case(
        "a copy of a gradient",
        PREVIOUS,
        "kept = x.grad",
        "kept = x.grad.clone()",
        "confirmed",
        "copies",
    ),
    case(
        "a gradient without its graph",
        PREVIOUS,
        "kept = x.grad",
        "kept = x.grad.detach()",
        "refuted",
    ),
]

ONCE = """
torch.manual_seed(0)
words, goal = torch.randn(6, 3), torch.randn(6, 1)
net, head = nn.Linear(3, 4), nn.Linear(4, 1)
opt = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
codes = torch.tanh(net(words))
for _ in range(3):
    opt.zero_grad()
    loss = ((head(codes) - goal) ** 2).mean()
    loss.backward()
    opt.step()
"""

RIVALS = """
torch.manual_seed(0)
maker, critic = nn.Linear(2, 3), nn.Linear(3, 1)
maker_opt = torch.optim.SGD(maker.parameters(), lr=0.1)
critic_opt = torch.optim.SGD(critic.parameters(), lr=0.1)
for _ in range(3):
    fake = torch.tanh(maker(torch.ones(4, 2)))
    (critic(fake.detach()) - critic(torch.ones(4, 3))).mean().sigmoid().backward()
    critic_opt.step()
    maker_opt.zero_grad()
    (-critic(fake)).mean().sigmoid().backward()
    maker_opt.step()
"""

CLOSURE = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.LBFGS(net.parameters(), lr=0.5)

def closure():
    opt.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward
    return loss

for _ in range(2):
    opt.step(closure)
"""

ROWS = """
class Prefix(nn.Module):
    def __init__(self):
        super().__init__()
        self.base, self.shift = nn.Linear(3, 3), nn.Embedding(4, 3)

    def forward(self, x):
        rows = torch.tanh(self.base(x[:1])).expand(4, -1)
        for number in range(1, 4):
            rows[number] += self.shift.weight[number]
        return rows

torch.manual_seed(0)
net = Prefix()
net(torch.randn(4, 3)).pow(2).sum().backward()
"""

BY_HAND = """
w = torch.ones(3, requires_grad=True)
for _ in range(3):
    loss = ((w - torch.tensor([0.5, 2.0, 3.0])) ** 2).sum()
    loss.backward()
    w = w - 0.1 * w.grad
"""

PASSES = [
    case(
        "a graph for each pass",
        ONCE,
        "codes = torch.tanh(net(words))\nfor _ in range(3):\n    opt.zero_grad()\n",
        "for _ in range(3):\n    codes = torch.tanh(net(words))\n    opt.zero_grad()\n",
        "confirmed",
        "runs to the end",
    ),
    case(
        "one graph for all passes, which is kept",
        ONCE,
        "loss.backward()",
        "loss.backward(retain_graph=True)",
        "refuted",
        "has changed its weights",
    ),
    case(
        "what another loss has left behind is cleared",
        RIVALS,
        "    fake =",
        "    critic_opt.zero_grad()\n    fake =",
        "confirmed",
        "fresh",
    ),
    case(
        "cleared before another loss adds its own",
        RIVALS,
        "    maker_opt.zero_grad()\n",
        "    critic_opt.zero_grad()\n    maker_opt.zero_grad()\n",
        "refuted",
        "still adds",
    ),
    case(
        "a closure that leaves a gradient",
        CLOSURE,
        "loss.backward\n",
        "loss.backward()\n",
        "confirmed",
    ),
    case(
        "a closure that leaves none",
        CLOSURE,
        "loss.backward\n",
        "loss.backward()\n    opt.zero_grad()\n",
        "refuted",
        "find no gradient",
    ),
    case(
        "rows that are apart",
        ROWS,
        ".expand(4, -1)",
        ".repeat(4, 1)",
        "confirmed",
        "apart",
    ),
    case(
        "rows that all get what one should",
        ROWS,
        "rows[number] += self.shift.weight[number]",
        "rows = rows + self.shift.weight[number]",
        "refuted",
        "rows of their own",
    ),
    case(
        "a step of the other sign",
        BY_HAND,
        "w = w - 0.1 * w.grad",
        "w = (w + 0.1 * w.grad).detach().requires_grad_()",
        "inconclusive",
        "another tensor",
    ),
    case(
        "a step into a name that nothing reads",
        BY_HAND.replace("w = w - 0.1", "w -= 0.1"),
        "    w -= 0.1 * w.grad\n",
        "    with torch.no_grad():\n        v = w - 0.1 * w.grad\n",
        "refuted",
        "no weight changes",
    ),
    case(
        "a write in place that becomes a result",
        BY_HAND.replace("w = w - 0.1 * w.grad", "w.clamp_(min=0.0)"),
        "    w.clamp_(min=0.0)\n",
        "    w.clamp(min=0.0)\n",
        "refuted",
        "thrown away",
    ),
]
