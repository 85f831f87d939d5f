"""Pairs in which a program catches its own error, has several copies of a weight, or begins with
other ones."""

from verdict_case import case

CAUGHT = """
class Shape(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 3)

    def parts(self, raw):
        p = nn.functional.softplus(raw) * 1.0
        p[1] = p[0] / (1.0 + p[1])
        p[2] = p[1] * p[2] * p[0]
        return p

    def forward(self, x):
        return self.parts(self.net(x))

def main():
    torch.manual_seed(0)
    net, data = Shape(), torch.rand(6, 4)
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(4):
        loss = torch.stack([(net(x) - 1).pow(2).sum() for x in data]).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()

try:
    main()
except RuntimeError as error:
    print("stopped:", error)
"""
PARTS = CAUGHT[CAUGHT.index("        p = nn") : CAUGHT.index("    def forward")]
STACKED = """\
        p = nn.functional.softplus(raw)
        b = p[0] / (1.0 + p[1])
        return torch.stack([p[0], b, b * p[2] * p[0]])

"""

COPIES_OF_ONE = """
class Curve(nn.Module):
    def __init__(self, height=0.5):
        super().__init__()
        self.height = nn.Parameter(torch.tensor(height))
        self.width = nn.Parameter(torch.tensor(1.2))

    @property
    def shape(self):
        return float(self.width), self.height

    def forward(self, x):
        width, height = self.shape
        return height * torch.sin(width * torch.atan(x))

def measured(x):
    known = Curve(0.9)
    with torch.no_grad():
        return known(x)

x = torch.linspace(0, 2, 8)
goal, curve = measured(x), Curve()
opt = torch.optim.SGD(curve.parameters(), lr=0.1)
for _ in range(4):
    loss = (curve(x) - goal).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

ROWS = """
class Lower(nn.Module):
    def __init__(self):
        super().__init__()
        self.off = nn.Linear(2, 3)

    def factor(self, c):
        rest, k = self.off(c), 0
        full = torch.eye(3).unsqueeze(0).expand(len(c), 3, 3)
        for i in range(1, 3):
            full[:, i, :i] = rest[:, k : k + i]
            k += i
        return full

    def forward(self, c, x):
        return torch.einsum("nij,nj->ni", self.factor(c), x).pow(2).mean()

torch.manual_seed(0)
net, c, x = Lower(), torch.randn(8, 2), torch.randn(8, 3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
try:
    for _ in range(3):
        opt.zero_grad()
        net(c, x).backward()
        opt.step()
except RuntimeError as error:
    print("stopped:", error)
"""
FILLED = ROWS[ROWS.index("expand(") : ROWS.index(" = rest")]

ANGLES = """
class Angles(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.weight = torch.empty(n, d).normal_(std=0.5).requires_grad_(True)

    def forward(self, x):
        return nn.functional.normalize(x) @ nn.functional.normalize(self.weight).T

torch.manual_seed(0)
net, head = nn.Linear(3, 4), Angles(2, 4)
opt = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.5)
for _ in range(3):
    loss = nn.functional.cross_entropy(head(net(torch.randn(6, 3))), torch.arange(6) % 2)
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
DRAWN = "torch.empty(n, d).normal_(std=0.5).requires_grad_(True)"

BENT = """
import math
w, k = torch.tensor(0.5, requires_grad=True), torch.tensor(0.25, requires_grad=True)
opt = torch.optim.SGD([w, k], lr=0.05)
for _ in range(3):
    rate = math.exp(float(w) * float(k))
    loss = (3 * torch.relu(w - 0.5) + 2 * torch.relu(k - 0.25) + rate - 2) ** 2
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
RATE = "math.exp(float(w) * float(k))"

CAUGHT_ERRORS = [
    case("a cut at a kink", BENT, RATE, "torch.exp(w * k)", "confirmed"),
    case("half of a cut at a kink", BENT, RATE, "torch.exp(w * k.detach())", "inconclusive"),
    case("an error that is caught", CAUGHT, PARTS, STACKED, "confirmed", "runs to the end"),
    case(
        "an error that is caught, and another function",
        CAUGHT,
        PARTS,
        STACKED.replace("b * p[2] * p[0]", "p[1] * p[2] * p[0]"),
        "refuted",
    ),
    case(
        "an error that is caught, and a stop",
        CAUGHT,
        PARTS,
        STACKED.replace("b = p[0] /", "b = p[0].detach() /"),
        "refuted",
    ),
    case(
        "a weight of which there is a copy",
        COPIES_OF_ONE,
        "float(self.width), self",
        "self.width, self",
        "confirmed",
    ),
    case(
        "a copy of a weight, and half of it",
        COPIES_OF_ONE,
        "float(self.width), self",
        "self.width / 2, self",
        "refuted",
    ),
    case(
        "rows of their own",
        ROWS,
        FILLED,
        FILLED.replace("3, 3)", "3, 3).clone()"),
        "confirmed",
    ),
    case(
        "rows of their own, the other way round",
        ROWS,
        FILLED,
        FILLED.replace("3, 3)", "3, 3).clone()").replace("i, :i", ":i, i"),
        "refuted",
    ),
    case(
        "a weight that is registered",
        ANGLES,
        DRAWN,
        "nn.Parameter(torch.empty(n, d).normal_(std=0.5))",
        "confirmed",
    ),
    case(
        "a weight that is registered, of another size",
        ANGLES,
        DRAWN,
        "nn.Parameter(torch.randn(n, d))",
        "refuted",
        "began with a sum of",
    ),
]
