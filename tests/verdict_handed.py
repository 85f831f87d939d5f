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

HANDED = [
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
