"""Pairs in which a repair changes the type of what is computed, returned or trained."""

from verdict_case import case

GATE = """
torch.manual_seed(0)
class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, x):
        return torch.tensor(self.inner(x).tolist()).tanh()

gate, head = Gate(), nn.Linear(4, 1)
opt = torch.optim.SGD([*gate.parameters(), *head.parameters()], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = head(gate(torch.randn(5, 3)).float()).pow(2).mean()
    loss.backward()
    opt.step()
"""
CUT = "torch.tensor(self.inner(x).tolist()).tanh()"

SPREAD = """
torch.manual_seed(0)
net = nn.Linear(3, 4)
opt = torch.optim.SGD(net.parameters(), lr=0.1)

def spread(h):
    return h - torch.tensor(h.mean(0).tolist())

for _ in range(3):
    opt.zero_grad()
    wide = spread(net(torch.randn(5, 3)))
    loss = wide.float().pow(2).mean()
    loss.backward()
    opt.step()
"""
MEAN = "h - torch.tensor(h.mean(0).tolist())"

SCALED = """
torch.manual_seed(0)
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.scale = torch.full((4,), 0.5, requires_grad=True)

    def forward(self, x):
        return self.inner(x) * self.scale.float()

net = Scaled()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = net(torch.randn(5, 3)).pow(2).mean()
    loss.backward()
    opt.step()
"""
SCALE = "torch.full((4,), 0.5, requires_grad=True)"

TUNED = """
torch.manual_seed(0)
gain = torch.ones(3, requires_grad=True).double()
x = torch.randn(5, 3).double()
for _ in range(3):
    loss = (x * gain).pow(2).mean()
    loss.backward()
    with torch.no_grad():
        gain -= 0.1 * gain.grad
        gain.grad = None
"""

TABLE = """
import numpy as np
torch.manual_seed(0)
TABLE = np.linspace(0.1, 1.0, 4)
class Curve(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, x):
        return torch.from_numpy(np.cos(self.inner(x).detach().numpy()) * TABLE)

curve, head = Curve(), nn.Linear(4, 1)
opt = torch.optim.SGD([*curve.parameters(), *head.parameters()], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = head(curve(torch.randn(5, 3)).float()).pow(2).mean()
    loss.backward()
    opt.step()
"""
TURNED = "torch.from_numpy(np.cos(self.inner(x).detach().numpy()) * TABLE)"

READY = """
torch.manual_seed(0)
def ready(x):
    return torch.tensor(x, dtype=torch.float32)

net = nn.Linear(2, 2)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    state = ready([0.5, 1.0])
    for _ in range(2):
        state = ready(torch.tanh(net(state)))
    loss = state.pow(2).sum()
    loss.backward()
    opt.step()
"""
MADE = "torch.tensor(x, dtype=torch.float32)"

DTYPES = [
    case("a tensor of one type", READY, MADE, "torch.as_tensor(x).to(torch.float32)", "confirmed"),
    case(
        "a tensor of any type",
        READY,
        MADE,
        "x if torch.is_tensor(x) else torch.tensor(x)",
        "inconclusive",
        "takes the type of `x`",
    ),
    case("a module that keeps its type", GATE, CUT, "self.inner(x).tanh()", "confirmed"),
    case(
        "a module that computes wider inside",
        GATE,
        CUT,
        "self.inner(x).double().tanh().float()",
        "confirmed",
    ),
    case(
        "a module that returns another type",
        GATE,
        CUT,
        "self.inner(x).double().tanh()",
        "refuted",
        "the result of `Gate` was a `float32` and is a `float64` now",
    ),
    case(
        "a module that computes narrower inside",
        GATE,
        CUT,
        "self.inner(x).half().tanh().float()",
        "refuted",
        "goes through `float16` now",
    ),
    case("a function that keeps its type", SPREAD, MEAN, "h - h.mean(0)", "confirmed"),
    case(
        "a function that returns another type",
        SPREAD,
        MEAN,
        "h - h.double().mean(0)",
        "refuted",
        "`spread` was a `float32` and is a `float64` now",
    ),
    case("a weight of its type", SCALED, SCALE, "nn.Parameter(torch.full((4,), 0.5))", "confirmed"),
    case(
        "a weight of another type",
        SCALED,
        SCALE,
        "nn.Parameter(torch.full((4,), 0.5, dtype=torch.float64))",
        "refuted",
        "scale` was a `float32` and is a `float64` now",
    ),
    case(
        "a leaf of the type that it was turned to",
        TUNED,
        "torch.ones(3, requires_grad=True).double()",
        "torch.ones(3, dtype=torch.float64, requires_grad=True)",
        "confirmed",
    ),
    case(
        "the type that a value had before NumPy widened it",
        TABLE,
        TURNED,
        "torch.cos(self.inner(x)) * torch.from_numpy(TABLE).float()",
        "confirmed",
    ),
    case(
        "the type that NumPy gave to a value",
        TABLE,
        TURNED,
        "torch.cos(self.inner(x)) * torch.from_numpy(TABLE)",
        "confirmed",
    ),
]
