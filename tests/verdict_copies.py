"""Pairs about copies of one of several things that change."""

from verdict_case import case

SECANT = """
class Secant(torch.optim.Optimizer):
    def __init__(self, given):
        super().__init__(given, {"lr": 0.05})

    @torch.no_grad()
    def step(self):
        for p in self.param_groups[0]["params"]:
            state, size = self.state[p], 0.05
            if "place" in state:
                slope, move = p.grad - state["slope"], p - state["place"]
                bend = (slope * move).sum().abs()
                size = min(float((move * move).sum() / bend), 0.5) if bend > 0 else size
            state["slope"] = p.grad
            state["place"] = p
            p.add_(p.grad, alpha=-size)

torch.manual_seed(0)
w = torch.randn(3).requires_grad_()
opt = Secant([w])
for _ in range(6):
    opt.zero_grad(set_to_none=False)
    loss = ((w - torch.arange(3.0)) * torch.tensor([1.0, 2.0, 3.0])).pow(2).sum()
    loss.backward()
    opt.step()
print(round(loss.item(), 4))
"""
STATE = '            state["slope"] = p.grad\n            state["place"] = p\n'

SMOOTHER = """
class Smoother(nn.Module):
    def __init__(self):
        super().__init__()
        self.rate, self.damp = nn.Parameter(torch.tensor(0.2)), nn.Parameter(torch.tensor(0.9))

    def forward(self, y):
        level, trend = torch.zeros(6), torch.zeros(6)
        for t in range(1, 6):
            damped = self.damp.sigmoid() * trend[t - 1]
            level[t] = self.rate * y[t] + (1 - self.rate) * (level[t - 1] + damped)
            trend[t] = level[t] - level[t - 1] + damped
        return level

torch.manual_seed(0)
model, y = Smoother(), torch.arange(6.0)
opt = torch.optim.Adam(model.parameters(), lr=0.1)
for _ in range(4):
    opt.zero_grad()
    (model(y) - y).pow(2).mean().backward()
    opt.step()
"""

COPIES = [
    case(
        "what a recurrence reads is copied",
        SMOOTHER,
        "trend[t - 1]\n",
        "trend[t - 1].clone()\n",
        "confirmed",
    ),
    case(
        "both are copied",
        SECANT,
        STATE,
        STATE.replace("p.grad\n", "p.grad.clone()\n").replace("= p\n", "= p.clone()\n"),
        "confirmed",
    ),
    case(
        "one of two is copied",
        SECANT,
        STATE,
        STATE.replace("p.grad\n", "p.grad.clone()\n"),
        "inconclusive",
        "nothing that follows is",
    ),
    case(
        "the other one of two is copied",
        SECANT,
        STATE,
        STATE.replace("= p\n", "= p.clone()\n"),
        "inconclusive",
        "nothing to confirm",
    ),
]
