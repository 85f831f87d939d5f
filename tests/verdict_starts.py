"""Pairs in which something starts: a leaf of its own, rows of their own, training after a test."""

from verdict_case import case

DRIFT = """
torch.manual_seed(0)
level, slope = torch.tensor(0.3, requires_grad=True), torch.tensor(0.7, requires_grad=True)
goal = torch.linspace(0.0, 2.0, 5)
opt = torch.optim.SGD([level, slope], lr=0.1)
for _ in range(3):
    now = float(level)
    begin = torch.full((5,), now)
    loss = (begin + slope * torch.arange(5.0) - goal).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
KNOWN = """
import math
class Turn(nn.Module):
    def __init__(self, angle):
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(angle))
        self.gain = nn.Parameter(torch.tensor(0.0))

    def axis(self):
        a, b = math.cos(self.angle), math.sin(self.angle)
        return torch.tensor([a, b])

    def forward(self, x):
        return self.gain.exp() * (x @ self.axis())

torch.manual_seed(0)
x = torch.randn(6, 2)
truth, net = Turn(0.0), Turn(0.3)
with torch.no_grad():
    truth.gain.fill_(0.7)
    y = truth(x)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    loss = (net(x) - y).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
TURN = """\
        a, b = math.cos(self.angle), math.sin(self.angle)
        return torch.tensor([a, b])
"""
PRUNED = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
layers = [part for part in net if isinstance(part, nn.Linear)]
masks = {}
for part in layers:
    sizes = part.weight.detach().abs()
    masks[part] = (sizes > sizes.median()).float()
with torch.no_grad():
    for part in layers:
        part.weight.mul_(masks[part])
for _ in range(3):
    loss = (net(torch.rand(6, 3)) - 0.2).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    for part in layers:
        part.weight = nn.Parameter(part.weight * masks[part])
"""
WRAPPED = "        part.weight = nn.Parameter(part.weight * masks[part])\n"
BEGIN = """now = float(level)
    begin = torch.full((5,), now)"""

TABLE = """
torch.manual_seed(0)
w = nn.Parameter(torch.randn(2, 2))
opt = torch.optim.SGD([w], lr=0.1)
for _ in range(2):
    m = torch.eye(2).expand(4, 2, 2)
    for i in range(2):
        m[:, i] += w[i]
    loss = (m * torch.arange(4.0)[:, None, None]).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

PHASES = """
from contextlib import contextmanager
torch.manual_seed(0)

@contextmanager
def testing(net):
    net.eval()
    torch.set_grad_enabled(False)
    yield
    net.train()

net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(12, 3)
for _ in range(3):
    for part in x.split(3):
        loss = net(part).pow(2).mean()
        if loss.requires_grad:
            opt.zero_grad()
            loss.backward()
            opt.step()
    with testing(net):
        net(x).sum().item()
"""

CLASSES = """
torch.manual_seed(0)
net = nn.Linear(3, 4)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(8, 3), torch.arange(8) % 4
for _ in range(3):
    scores = net(x)
    found = scores.argmax(1).float()
    loss = nn.functional.mse_loss(found, y.float())
    loss.requires_grad = True
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.inference_mode():
        kept = net(x).argmax(1)
        right = (kept == y).float().mean().item()
"""
MISSED = """    loss = nn.functional.mse_loss(found, y.float())
    loss.requires_grad = True
"""

ECHO = """
torch.manual_seed(0)
a = nn.Parameter(torch.tensor([0.4, -0.2]))
u, goal = torch.randn(3, 6), torch.randn(3, 6)
opt = torch.optim.SGD([a], lr=0.1)
for _ in range(2):
    y = u.new_zeros(3, 8)
    for n in range(6):
        past = y[:, n : n + 2]
        y[:, n + 2] = torch.tanh(u[:, n] + (past * a).sum(1))
    loss = (y[:, 2:] - goal).abs().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

ORTHOGONAL = """
class Turned(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.turns = {}
        for name in ("left", "right"):
            turn = nn.Parameter(torch.empty(3, 3))
            nn.init.orthogonal_(turn)
            self.turns[name] = turn

    def forward(self, x, name):
        return (x * self.scale) @ self.turns[name]

torch.manual_seed(0)
model = Turned()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.rand(4, 3)
for name in ("left", "right"):
    loss = model(x, name).pow(3).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
SHORTCUT = """
class Block(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.n, self.m = n, m
        self.one, self.two = nn.Linear(n, m), nn.Linear(m, m)

    def forward(self, x):
        h = self.two(torch.relu(self.one(x)))
        return h + (nn.Linear(self.n, self.m, bias=True)(x) if self.n != self.m else x)

torch.manual_seed(0)
net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), Block(8, 4), Block(4, 4), nn.Linear(4, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    loss = net(torch.randn(6, 1, 6)).sub(1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
MADE = SHORTCUT[SHORTCUT.index("        self.one, self") : SHORTCUT.index("\ntorch.manual_seed")]
KEPT = MADE.replace("nn.Linear(self.n, self.m, bias=True)(x)", "self.way(x)").replace(
    "nn.Linear(m, m)\n",
    "nn.Linear(m, m)\n        self.way = WAY if n != m else None\n",
)

WIDENED = """
image = torch.full((4, 4), 0.3, requires_grad=True).to(torch.float64)
opt = torch.optim.SGD([image], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = (image.pow(2).sum() - 1).pow(2)
    loss.backward()
    opt.step()
"""
LEVEL = "torch.full((4, 4), 0.3, requires_grad=True).to(torch.float64)"

STARTS = [
    case(
        "a layer that is made once",
        SHORTCUT,
        MADE,
        KEPT.replace("WAY", "nn.Linear(n, m)"),
        "confirmed",
    ),
    case(
        "a layer that is made once, of another kind",
        SHORTCUT,
        MADE,
        KEPT.replace("WAY", "nn.Linear(n, m, bias=False)"),
        "refuted",
    ),
    case(
        "weights that an initialiser asks for their device",
        ORTHOGONAL,
        "self.turns = {}",
        "self.turns = nn.ParameterDict()",
        "confirmed",
        "now lists",
    ),
    case("a value that is spread", DRIFT, BEGIN, "begin = level.expand(5)", "confirmed"),
    case(
        "a leaf that nothing trains",
        DRIFT,
        "(5,), now)",
        "(5,), now, requires_grad=True)",
        "refuted",
        "nothing trains it",
    ),
    case(
        "rows of their own by other numbers",
        TABLE,
        "expand(4, 2, 2)",
        "repeat(4, 1, 1)",
        "confirmed",
    ),
    case(
        "rows of their own with other values",
        TABLE,
        "torch.eye(2).expand(4, 2, 2)",
        "torch.ones(4, 2, 2)",
        "refuted",
        "with rows of their own",
    ),
    case(
        "training goes on after a test",
        PHASES,
        "    yield\n",
        "    yield\n    torch.set_grad_enabled(True)\n",
        "confirmed",
        "an optimizer took 4 steps before, and takes 12 now",
    ),
    case(
        "another loss for one that jumps",
        CLASSES,
        MISSED,
        "    loss = nn.functional.cross_entropy(scores, y)\n",
        "inconclusive",
        "jumps",
    ),
    case(
        "a copy of what is overwritten", ECHO, "n : n + 2]\n", "n : n + 2].clone()\n", "confirmed"
    ),
    case(
        "a stop instead of a copy of what is overwritten",
        ECHO,
        "y[:, n : n + 2]\n",
        "y.detach()[:, n : n + 2].clone()\n",
        "refuted",
    ),
    case(
        "a mask of the first weights, applied in place",
        PRUNED,
        WRAPPED,
        "        part.weight.data.mul_(masks[part])\n",
        "confirmed",
        "finite differences agree",
    ),
    case(
        "a mask of the first weights, applied to new ones in place",
        PRUNED,
        WRAPPED,
        "        part.weight.data.normal_().mul_(masks[part])\n",
        "refuted",
    ),
    case(
        "operations of torch whose results are made numbers again",
        KNOWN,
        "math.cos(self.angle), math.sin(self.angle)",
        "torch.cos(self.angle), torch.sin(self.angle)",
        "inconclusive",
    ),
    case(
        "a model with known weights beside the one that is trained",
        KNOWN,
        TURN,
        "        return torch.stack([torch.cos(self.angle), torch.sin(self.angle)])\n",
        "confirmed",
    ),
    case(
        "a leaf of the wider type, whose values were rounded on the way to it",
        WIDENED,
        LEVEL,
        "torch.full((4, 4), 0.3, dtype=torch.float64, requires_grad=True)",
        "confirmed",
    ),
    case(
        "a leaf of the wider type, that starts a little apart",
        WIDENED,
        LEVEL,
        "torch.full((4, 4), 0.30001, dtype=torch.float64, requires_grad=True)",
        "inconclusive",
    ),
    case(
        "a leaf of the narrower type, with the values that it had there",
        WIDENED,
        LEVEL,
        "torch.full((4, 4), 0.3, requires_grad=True)",
        "refuted",
    ),
]
