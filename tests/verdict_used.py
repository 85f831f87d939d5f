"""Pairs about what becomes of gradients: read, part of a loss, held on to, or left to no step."""

from verdict_case import case

RESIDUAL = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
rate = nn.Parameter(torch.tensor(0.3))
x = torch.linspace(0, 2, 9).reshape(-1, 1).requires_grad_()
opt = torch.optim.SGD([*net.parameters(), rate], lr=0.05)
for _ in range(3):
    opt.zero_grad()
    y = 1.0 + (1 - torch.exp(-rate * x).detach()) * net(x)
    slope = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
    loss = ((slope + y) ** 2).mean()
    loss.backward()
    opt.step()
"""
TABLE = """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 3, padding_idx=0)
        self.last = nn.Linear(3, 2)
        self.table.weight = torch.randn(5, 3)

    def forward(self, words):
        return self.last(self.table(words).mean(1))

torch.manual_seed(0)
words = torch.tensor([[1, 2, 0], [3, 0, 0]])
net = Tagger()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(words), torch.tensor([0, 1]))
    loss.backward()
    opt.step()
"""
OWN_STEP = """
class Anchored(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})
        self.full = None

    def remember(self):
        self.full = [p.grad for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self, others):
        for p, full, other in zip(self.param_groups[0]["params"], self.full, others):
            p.sub_(0.1 * (p.grad - other + full))

torch.manual_seed(0)
net = nn.Linear(3, 1)
x = torch.randn(8, 3)
opt = Anchored(net.parameters())
for _ in range(2):
    opt.zero_grad(set_to_none=False)
    (net(x) ** 2).mean().backward()
    opt.remember()
    opt.zero_grad(set_to_none=False)
    (net(x[:4]) ** 2).mean().backward()
    opt.step([torch.zeros_like(p) for p in net.parameters()])
"""
METER = """
class Meter:
    def __init__(self):
        self.total = 0.0

    def update(self, value):
        self.total += value

torch.manual_seed(0)
net = nn.Linear(3, 1)
x = torch.randn(8, 3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
meter = Meter()
for _ in range(9):
    loss = (net(x) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    meter.update(loss)
shown = meter.total
"""
GREEKS = """
def greeks(spots):
    spots = spots.clone().requires_grad_()
    price = spots * torch.sigmoid((spots - 100) / 9)
    price.backward()
    return price.detach(), spots.grad

greeks(torch.linspace(80, 120, 9))
"""
LAYERS = """
torch.manual_seed(0)
first, second = nn.Linear(3, 4), nn.Linear(4, 2)
x = torch.randn(5, 3, requires_grad=True)
one = torch.tanh(first(x))
two = torch.tanh(second(one))
(one.pow(2).sum() + two.pow(2).sum()).backward()
sizes = [a.grad.norm().item() if a.grad is not None else 1.0 for a in (one, two)]
"""
TWO_OPTIMIZERS = """
torch.manual_seed(0)
actor, critic = nn.Linear(3, 1), nn.Linear(3, 1)
x = torch.randn(8, 3)
optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in (actor, critic)]
for _ in range(3):
    loss = (actor(x) ** 2).mean() + (critic(x) ** 2).mean()
    for opt in optimizers:
        opt.zero_grad()
    loss.backward()
    for opt in optimizers:
        opt.step
"""
RENEWED = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
x = torch.randn(8, 3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(4):
    opt.zero_grad()
    (net(x) ** 2).mean().backward()
    opt.step()
    w = net.weight.detach()
    net.weight = nn.Parameter(w / w.norm())
"""
USED = [
    case(
        "a gradient that is part of a loss",
        RESIDUAL,
        "torch.exp(-rate * x).detach()",
        "torch.exp(-rate * x)",
        "confirmed",
    ),
    case(
        "a gradient that is part of a loss, and the loss another one",
        RESIDUAL,
        "torch.exp(-rate * x).detach()",
        "torch.exp(-rate * x).pow(2)",
        "refuted",
    ),
    case(
        "an optimizer whose step takes something else than a closure",
        OWN_STEP,
        "[p.grad for group",
        "[p.grad.clone() for group",
        "confirmed",
        "copies",
    ),
    case(
        "graphs in an object are given back",
        METER,
        "meter.update(loss)",
        "meter.update(loss.item())",
        "confirmed",
        "graphs of all steps",
    ),
    case(
        "graphs in an object are held to the end",
        METER,
        "shown = meter.total",
        "shown = meter.total.item()",
        "refuted",
        "held on to",
    ),
    case(
        "the derivative of each value",
        GREEKS,
        "price.backward()",
        "price.sum().backward()",
        "confirmed",
    ),
    case(
        "the derivative of a mean is handed out",
        GREEKS,
        "price.backward()",
        "price.mean().backward()",
        "inconclusive",
        "of a mean",
    ),
    case(
        "gradients of layers are kept",
        LAYERS,
        "two = torch.tanh(second(one))\n",
        "two = torch.tanh(second(one))\none.retain_grad()\ntwo.retain_grad()\n",
        "confirmed",
    ),
    case(
        "gradients of layers that lack a part",
        LAYERS,
        "(one.pow(2)",
        "one, two = (a.detach().requires_grad_() for a in (one, two))\n(one.pow(2)",
        "refuted",
    ),
    case(
        "all optimizers take a step",
        TWO_OPTIMIZERS,
        "        opt.step\n",
        "        opt.step()\n",
        "confirmed",
    ),
    case(
        "only the last optimizer takes a step",
        TWO_OPTIMIZERS,
        "    for opt in optimizers:\n        opt.step\n",
        "    opt.step()\n",
        "refuted",
        "never takes a step",
    ),
    case(
        "weights are written to, and not made anew",
        RENEWED,
        "net.weight = nn.Parameter(w / w.norm())",
        "w.div_(w.norm())",
        "confirmed",
    ),
    case(
        "the padding of an embedding is not trained",
        TABLE,
        "self.table.weight = torch.randn(5, 3)",
        "self.table.weight = nn.Parameter(torch.randn(5, 3))",
        "confirmed",
    ),
    case(
        "weights are written to with other values",
        RENEWED,
        "net.weight = nn.Parameter(w / w.norm())",
        "w.mul_(w.norm())",
        "refuted",
    ),
]
