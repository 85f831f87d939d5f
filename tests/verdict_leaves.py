"""Pairs about leaves: gradients that a program reads by itself, and tensors that it optimises."""

from verdict_case import case

SALIENCY = '''
def saliency(net: nn.Linear, x: torch.Tensor):
    """x: (4, 3)"""
    raw = x.clone().requires_grad_(True)
    scaled = (raw - 0.5) / 0.3
    net(scaled).pow(2).sum().backward()
    return torch.zeros_like(x) if scaled.grad is None else scaled.grad.abs()
'''
BACKWARD = "    net(scaled).pow(2).sum().backward()\n"

STATES = """
torch.manual_seed(0)
cell = nn.RNNCell(2, 3)
h, states = torch.zeros(4, 3), []
for step in range(3):
    h = cell(torch.ones(4, 2) * step, h)
    states.append(h)
h.pow(2).mean().backward()
norms = [0.0 if one.grad is None else one.grad.norm().item() for one in states]
"""

PLAN = '''
def plan(start: torch.Tensor, goal: torch.Tensor, steps: int = 3):
    """start, goal: (2,)"""
    straight = start + torch.linspace(0, 1, 5)[:, None] * (goal - start)
    path = straight.clone().requires_grad_(True) + 0.1
    opt = torch.optim.SGD([path], lr=0.1)
    for _ in range(steps):
        opt.zero_grad()
        loss = (path[1:] - path[:-1]).pow(2).sum() + path.pow(4).sum()
        loss.backward()
        opt.step()
    return path.detach()
'''
LEAF = "straight.clone().requires_grad_(True) + 0.1"

REBOUND = """
torch.manual_seed(0)
data = torch.randn(20)
mean = torch.zeros(1, requires_grad=True)
scale = torch.ones(1, requires_grad=True)
for step in range(4):
    scale = scale * 1.5
    loss = ((data - mean) / scale).pow(2).mean() + scale.log().sum()
    loss.backward()
    with torch.no_grad():
        mean -= 0.1 * mean.grad
        if scale.grad is not None:
            scale -= 0.1 * scale.grad
        mean.grad.zero_()
    scale = scale.detach().requires_grad_()
"""

FEATURES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        self.kept = torch.tanh(self.body(x))
        return self.head(self.kept).pow(2).sum()

torch.manual_seed(0)
net = Net()
net(torch.ones(2, 3)).backward()
weights = net.kept.grad
"""

LEVELS = """
def levels(step: torch.Tensor):
    return nn.Parameter(step.exp() * torch.arange(3.0))

def distance(x: torch.Tensor, step: torch.Tensor):
    return (x[:, None] - levels(step)).pow(2).sum()
"""

INTEGERS = """
torch.manual_seed(0)
scores = torch.randint(1, 5, (4,)).requires_grad_()
opt = torch.optim.SGD([scores], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = scores.pow(2).sum()
    loss.backward()
    opt.step()
"""

LEAVES = [
    case(
        "a gradient that is kept",
        SALIENCY,
        BACKWARD,
        "    scaled.retain_grad()\n" + BACKWARD,
        "confirmed",
        "is the gradient now",
    ),
    case(
        "a gradient that is kept too late",
        SALIENCY,
        BACKWARD,
        BACKWARD + "    scaled.retain_grad()\n",
        "refuted",
        "still None",
    ),
    case(
        "a leaf in the place of what is read",
        SALIENCY,
        "(raw - 0.5) / 0.3",
        "((raw - 0.5) / 0.3).detach().requires_grad_()",
        "confirmed",
    ),
    case(
        "each state keeps its gradient",
        STATES,
        "    states.append(h)\n",
        "    h.retain_grad()\n    states.append(h)\n",
        "confirmed",
        "is the gradient now",
    ),
    case(
        "the last state keeps its gradient",
        STATES,
        "h.pow(2).mean().backward()\n",
        "states[-1].retain_grad()\nh.pow(2).mean().backward()\n",
        "refuted",
        "still None",
    ),
    case(
        "what is read becomes a leaf, and the layers before it get nothing",
        FEATURES,
        "torch.tanh(self.body(x))",
        "torch.tanh(self.body(x)).detach().requires_grad_()",
        "refuted",
    ),
    case(
        "what is optimised is a leaf",
        PLAN,
        LEAF,
        "(straight + 0.1).detach().requires_grad_(True)",
        "confirmed",
        "runs to the end",
    ),
    case(
        "what is optimised starts elsewhere",
        PLAN,
        LEAF,
        "straight.detach().clone().requires_grad_(True)",
        "refuted",
    ),
    case(
        "a leaf that is cut off instead",
        REBOUND,
        "scale = scale * 1.5",
        "scale = (scale * 1.5).detach()",
        "refuted",
    ),
    case(
        "whole numbers as a leaf",
        INTEGERS,
        "(4,)).requires_grad_()",
        "(4,)).float().requires_grad_()",
        "confirmed",
        "runs to the end",
    ),
    case(
        "no leaf at all",
        INTEGERS,
        "(4,)).requires_grad_()",
        "(4,)).float()",
        "refuted",
    ),
]

ONE_WAY = [
    # The other way round each turn makes a new leaf, which does get a gradient.
    case(
        "a leaf keeps its name",
        REBOUND,
        "    scale = scale * 1.5\n"
        "    loss = ((data - mean) / scale).pow(2).mean() + scale.log().sum()\n",
        "    wide = scale * 1.5\n"
        "    loss = ((data - mean) / wide).pow(2).mean() + wide.log().sum()\n",
        "confirmed",
    ),
    # The other way round it makes a new leaf of data, which may be wanted.
    case(
        "a helper that returns what it computes",
        LEVELS,
        "nn.Parameter(step.exp() * torch.arange(3.0))",
        "step.exp() * torch.arange(3.0)",
        "confirmed",
    ),
]
