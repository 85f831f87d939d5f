"""Pairs in which what a function returns, or what is trained, has become something else."""

from verdict_case import case

LEVELS = """
torch.manual_seed(0)
class Tank(nn.Module):
    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.3))

    def forward(self, rain):
        level = torch.zeros(len(rain) + 1, 2)
        out = []
        for t in range(len(rain)):
            out.append(torch.sigmoid(self.rate) * level[t])
            level[t + 1] = level[t] + rain[t] - torch.sigmoid(self.rate) * level[t] ** 2
        return torch.stack(out), level

tank = Tank()
opt = torch.optim.SGD(tank.parameters(), lr=0.1)
for _ in range(3):
    out, level = tank(torch.rand(5, 2))
    loss = (out - 1).pow(2).mean() + level[-1].mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
FILLED = LEVELS[LEVELS.index("        level = ") : LEVELS.index("\ntank")]
LISTED = """\
        level = [torch.zeros(2)]
        out = []
        for t in range(len(rain)):
            out.append(torch.sigmoid(self.rate) * level[t])
            level.append(level[t] + rain[t] - torch.sigmoid(self.rate) * level[t] ** 2)
        return torch.stack(out), torch.stack(level)
"""

STEPS = """
torch.manual_seed(0)
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = torch.full((1,), 0.5).requires_grad_()

    def forward(self, x):
        return torch.tanh(x / self.step)

net = nn.Sequential(nn.Linear(3, 4), Scaled(), nn.Linear(4, 1), Scaled())
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    loss = (net(torch.ones(2, 3)) - 0.2).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
PLAIN = "torch.full((1,), 0.5).requires_grad_()"

TABLES = """
torch.manual_seed(0)
def table(rows, pad=None):
    weight = torch.empty(rows, 3, requires_grad=True)
    with torch.no_grad():
        weight.normal_()
    if pad is not None:
        weight[pad] = 0.0
    return weight

items, users = table(5, pad=0), table(4)
opt = torch.optim.SGD([items, users], lr=0.1)
for _ in range(3):
    loss = (items[:4] * users).sum().sigmoid()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
ZERO = "        weight[pad] = 0.0\n"

CONDENSED = """
torch.manual_seed(0)
real, labels = torch.randn(6, 3), torch.arange(6) % 2
made = torch.randn(2, 3, requires_grad=True) * 0.1
opt = torch.optim.SGD([made], lr=0.5)
for _ in range(3):
    net = nn.Linear(3, 2)
    weights = list(net.parameters())
    wanted = torch.autograd.grad(nn.functional.cross_entropy(net(real), labels), weights)
    loss = nn.functional.cross_entropy(net(made), torch.arange(2))
    found = torch.autograd.grad(loss, weights, create_graph=True)
    match = sum((a - b).pow(2).sum() for a, b in zip(found, wanted))
    opt.zero_grad()
    match.backward()
    opt.step()
"""
SCALED = "torch.randn(2, 3, requires_grad=True) * 0.1"

CHUNKS = """
torch.manual_seed(0)
goal = torch.randn(4, 3)
whole = torch.randn(4, 3)
for start in (0, 2):
    part = whole[start : start + 2].clone().requires_grad_(True)
    for _ in range(3):
        loss = (torch.relu(part) - goal[start : start + 2]).pow(2).sum() + part.pow(2).sum()
        loss.backward()
        part = part - 0.3 * part.grad
    whole[start : start + 2] = part.detach()
print(whole.sum())
"""
REBOUND = "        part = part - 0.3 * part.grad\n"
IN_PLACE = "        with torch.no_grad():\n            part -= 0.3 * part.grad\n"

PENALTY = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    x = torch.randn(5, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(net(x).sum(), x)
    loss = net(x).pow(2).mean() + (slope.norm(dim=1) - 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

HANDED = [
    case(
        "a gradient becomes a part of the loss",
        PENALTY,
        "net(x).sum(), x)",
        "net(x).sum(), x, create_graph=True)",
        "confirmed",
    ),
    case(
        "a gradient is a constant of a later loss",
        CONDENSED,
        SCALED,
        "(torch.randn(2, 3) * 0.1).requires_grad_()",
        "confirmed",
    ),
    case(
        "what is optimized starts elsewhere",
        CONDENSED,
        SCALED,
        "torch.randn(2, 3, requires_grad=True)",
        "inconclusive",
        "with other values",
    ),
    case(
        "a part that is updated where it is",
        CHUNKS,
        REBOUND,
        IN_PLACE + "        part.grad = None\n",
        "confirmed",
    ),
    case(
        "a part that adds up its gradients",
        CHUNKS,
        REBOUND,
        IN_PLACE,
        "refuted",
    ),
    case("rows in a list", LEVELS, FILLED, LISTED, "confirmed"),
    case(
        "a row of a second result is lost",
        LEVELS,
        FILLED,
        LISTED.replace("stack(level)", "stack(level[1:])"),
        "refuted",
        "returned shape (6, 2) and returns shape (5, 2) now",
    ),
    case(
        "a second result is shifted",
        LEVELS,
        FILLED,
        LISTED.replace("stack(level)", "stack(level[1:] + level[-1:])"),
        "refuted",
        "and is now",
    ),
    case("a scale of its shape", STEPS, PLAIN, f"nn.Parameter({PLAIN[:21]})", "confirmed"),
    case(
        "a scale of another shape",
        STEPS,
        PLAIN,
        "nn.Parameter(torch.tensor(0.5))",
        "refuted",
        "`step` was of shape (1,), and is of shape () now",
    ),
    case(
        "a row that is written unseen",
        TABLES,
        ZERO,
        "        with torch.no_grad():\n            weight[pad] = 0.0\n",
        "confirmed",
    ),
    case(
        "a table that is written, and not trained",
        TABLES,
        ZERO,
        "        weight = weight.detach()\n" + ZERO,
        "refuted",
        "requires no grad",
    ),
]
