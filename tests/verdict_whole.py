"""Pairs whose change does too much, or something beside what is wrong."""

from verdict_case import case

OUTER = """
torch.manual_seed(0)
weights = [nn.Parameter(torch.randn(1, 4)), nn.Parameter(torch.randn(4, 1))]
opt = torch.optim.Adam(weights, lr=0.05)
x, y = torch.randn(8, 1), torch.randn(8, 1)
for _ in range(4):
    opt.zero_grad()
    loss = (torch.tanh(x @ weights[0]) @ weights[1] - y).pow(2).mean()
    loss.backward()
    opt.step
"""
SHARED = """
torch.manual_seed(0)
body, head = nn.Linear(2, 3), nn.Linear(3, 1)
first = torch.optim.SGD([*body.parameters()], lr=0.1)
second = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.01)
x, y = torch.randn(8, 2), torch.randn(8, 1)
for _ in range(4):
    first.zero_grad()
    second.zero_grad()
    (head(torch.tanh(body(x))) - y).pow(2).mean().backward()
    first.step()
    second.step
"""
BUMPS = """
class Bumps(nn.Module):
    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.linspace(0.0, 1.0, 5))
        self.width = torch.full((5,), 0.3).log().requires_grad_()
        self.height = nn.Parameter(torch.randn(5))

    def forward(self, x):
        return torch.exp(-(((x - self.centre) / self.width.exp()) ** 2)) @ self.height

torch.manual_seed(0)
net = Bumps()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.rand(8, 1)
for _ in range(3):
    opt.zero_grad()
    loss = (net(x) - x.squeeze(1)).pow(2).mean()
    loss.backward()
    opt.step()
"""
WIDTH = "self.width = torch.full((5,), 0.3).log().requires_grad_()"
PER_SAMPLE = """
torch.manual_seed(0)
net, seen = nn.Linear(3, 2), []
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(6, 3), torch.tensor([0, 1, 1, 0, 1, 0])
for _ in range(3):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y, reduction="none")
    loss.backward()
    opt.step()
    seen.append(loss.mean().item())
"""
RIVALS = """
torch.manual_seed(0)
maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)
made, judged = (torch.optim.SGD(one.parameters(), lr=0.05) for one in (maker, judge))
for _ in range(3):
    for _ in range(2):
        real, fake = torch.randn(6, 2), maker(torch.randn(6, 2)).detach()
        loss = judge(fake).mean() - judge(real).mean()
        loss.backward()
        judged.step()
    made.zero_grad()
    loss = -judge(maker(torch.randn(6, 2))).mean()
    loss.backward()
    made.step()
"""
JUDGED = "        loss.backward()\n        judged.step()\n"
DECAY = """
import math

class Decay(nn.Module):
    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.5))
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        keep = math.exp(-self.rate)
        return self.gain * keep * x

torch.manual_seed(0)
net = Decay()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.rand(8)
for _ in range(3):
    opt.zero_grad()
    loss = (net(x) - 0.2).pow(2).mean()
    loss.backward()
    opt.step()
"""
SPIKES = """
class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, level):
        ctx.save_for_backward(level)
        return (level > 0).float()

    @staticmethod
    def backward(ctx, given):
        level, = ctx.saved_tensors
        return given / (1 + level.abs()) ** 2

class Leaky(nn.Module):
    def __init__(self):
        super().__init__()
        self.weigh = nn.Linear(3, 4)
        self.level = torch.zeros(4)

    def forward(self, x):
        self.level = 0.9 * self.level + self.weigh(x)
        return Spike.apply(self.level - 0.5)

torch.manual_seed(0)
net, out = Leaky(), nn.Linear(4, 1)
opt = torch.optim.SGD([*net.parameters(), *out.parameters()], lr=0.1)
for _ in range(4):
    opt.zero_grad()
    rate = torch.stack([net(torch.rand(3)) for _ in range(5)]).mean(0)
    loss = (out(rate) - 1).pow(2).mean()
    loss.backward()
    opt.step()
"""
FIRST = "        self.decay = nn.Parameter(torch.full((4,), 0.5))\n"
UNSET = SPIKES.replace("        super().__init__()\n", FIRST).replace(
    "0.9 * self.level", "self.decay * self.level.detach()"
)
BY_HAND = """
torch.manual_seed(0)
x, y = torch.randn(12, 2), torch.rand(12)
slope, level = torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True)
for _ in range(4):
    loss = (torch.tanh(x @ slope + level) - y).pow(2).mean()
    loss.backward()
    slope = slope - 0.5 * slope.grad
    with torch.no_grad():
        level -= 0.5 * level.grad
        level.grad.zero_()
print(loss.item())
"""
STEPPED = "    slope = slope - 0.5 * slope.grad\n    with torch.no_grad():\n"
COUNTS = """
torch.manual_seed(0)
net, x = nn.Linear(3, 1), torch.rand(4, 3)
start = torch.tensor([3, 3, 5], requires_grad=True)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = net(x * start).pow(2).mean()
    loss.backward()
    opt.step()
    with torch.no_grad():
        if start.grad is not None:
            start -= 0.1 * start.grad
            start.grad = None
"""
CLEARED = "    opt.zero_grad()\n    rate"

WHOLE = [
    case("a step that is called", OUTER, "opt.step\n", "opt.step()\n", "confirmed"),
    case(
        "a step that is called twice",
        OUTER,
        "opt.step\n",
        "opt.step()\n    opt.step()\n",
        "refuted",
        "4 of 8 optimizer steps use the gradients of the step before again",
    ),
    case("two optimizers of one weight", SHARED, "second.step\n", "second.step()\n", "confirmed"),
    case(
        "a weight that is registered",
        BUMPS,
        WIDTH,
        "self.width = nn.Parameter(torch.full((5,), 0.3).log())",
        "confirmed",
    ),
    case(
        "one number in place of five",
        BUMPS,
        WIDTH,
        "self.width = nn.Parameter(torch.tensor(0.3).log())",
        "refuted",
        "`width` was of shape (5,), and is of shape () now",
    ),
    case(
        "a buffer that requires grad",
        BUMPS,
        WIDTH,
        'self.register_buffer("width", torch.full((5,), 0.3).log().requires_grad_())',
        "refuted",
        "1 of the 1 weights that `parameters()` did not list are still missing",
    ),
    case(
        "a loss for each sample becomes their mean",
        PER_SAMPLE,
        "loss.backward()",
        "loss.mean().backward()",
        "confirmed",
    ),
    case(
        "a loss for each sample becomes their sum",
        PER_SAMPLE,
        "loss.backward()",
        "loss.backward(torch.ones_like(loss))",
        "inconclusive",
        "the loss is the sum of what line 13 takes the mean of",
    ),
    case(
        "gradients are cleared before a pass one of whose gradients is zero",
        RIVALS,
        JUDGED,
        f"        judged.zero_grad()\n{JUDGED}",
        "confirmed",
    ),
    case(
        "gradients are cleared after it",
        RIVALS,
        JUDGED,
        "        loss.backward()\n        judged.zero_grad()\n        judged.step()\n",
        "refuted",
        "6 of 9 optimizer steps now find no gradient",
    ),
    case("a number that stays a tensor", DECAY, "math.exp", "torch.exp", "confirmed"),
    case(
        "a number that becomes a leaf of its own",
        DECAY,
        "math.exp(-self.rate)",
        "torch.tensor(math.exp(-self.rate), requires_grad=True)",
        "refuted",
        "`keep` gets a gradient, but nothing trains it",
    ),
    case(
        "a step by hand into the weight, and its gradient reset behind it",
        BY_HAND,
        STEPPED,
        "    with torch.no_grad():\n        slope -= 0.5 * slope.grad\n"
        "        slope.grad.zero_()\n",
        "confirmed",
    ),
    case(
        "a step by hand, and its gradient never reset",
        BY_HAND,
        STEPPED,
        "    with torch.no_grad():\n        slope -= 0.5 * slope.grad\n",
        "refuted",
    ),
    case(
        "a step by hand that is taken once",
        BY_HAND,
        STEPPED,
        "    slope = slope if slope.grad is None else slope - 0.5 * slope.grad\n"
        "    with torch.no_grad():\n",
        "refuted",
        "`.grad` is still None where line 10 reads it",
    ),
    case(
        "whole numbers become a leaf",
        COUNTS,
        "torch.tensor([3, 3, 5], requires_grad=True)",
        "torch.tensor([3.0, 3.0, 5.0], requires_grad=True)",
        "confirmed",
        "runs to the end",
    ),
    case(
        "whole numbers stay what they are",
        COUNTS,
        "torch.tensor([3, 3, 5], requires_grad=True)",
        "torch.tensor([3, 3, 5])",
        "refuted",
        "now it does not ask for that gradient at all",
    ),
    case(
        "a state with a gradient of its own starts anew",
        SPIKES,
        CLEARED,
        "    net.level = net.level.detach()\n" + CLEARED,
        "confirmed",
        "runs to the end",
    ),
    case(
        "a state with a gradient of its own forgets at once",
        SPIKES,
        "0.9 * self.level +",
        "0.9 * self.level.detach() +",
        "inconclusive",
        "the gradients of the passes before the crash have changed too",
    ),
    case(
        "a layer with a gradient of its own is set up",
        UNSET,
        FIRST,
        "        super().__init__()\n" + FIRST,
        "confirmed",
        "runs to the end",
    ),
    case(
        "a layer with a gradient of its own is set up without a weight",
        UNSET,
        FIRST,
        "        super().__init__()\n        self.decay = torch.full((4,), 0.5)\n",
        "refuted",
    ),
]
