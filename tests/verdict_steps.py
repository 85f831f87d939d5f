"""Pairs in which training goes on as it should in part: for some weights, passes or numbers."""

from verdict_case import case

GROWS = """
class Base(nn.Module):
    def __init__(self, lr):
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.opt = torch.optim.Adam(self.parameters(), lr=lr)

    def learn(self, x, y):
        self.opt.zero_grad()
        loss = (self(x) - y).pow(2).mean()
        loss.backward()
        self.opt.step()

class Linear(Base):
    def __init__(self):
        super().__init__(0.02)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.body(x))

class Deep(Base):
    def __init__(self):
        super().__init__(0.03)
        self.top = nn.Linear(4, 1)

    def forward(self, x):
        return self.top(torch.tanh(self.body(x)))

torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
for made in (Linear(), Deep()):
    for _ in range(3):
        made.learn(x, y)
"""
HEAD_AND_TOP = (
    "        self.head = nn.Linear(4, 1)\n",
    "        self.top = nn.Linear(4, 1)\n",
)
REPLACED = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
body, head = nn.Linear(3, 4), nn.Linear(4, 2)
net = nn.Sequential(body, nn.Tanh(), head)
opt = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
schedule = torch.optim.lr_scheduler.StepLR(opt, 1, gamma=0.5)
net[2] = nn.Linear(4, 1)
for _ in range(4):
    opt.zero_grad()
    (net(x) - y).pow(2).mean().backward()
    opt.step()
    schedule.step()
"""
NEW_HEAD = "net[2] = nn.Linear(4, 1)\n"
SAME_NUMBERS = "opt = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)\n"
RESCHEDULED = "schedule = torch.optim.lr_scheduler.StepLR(opt, 1, gamma=0.5)\n"
ACCUMULATES = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for turn in range(8):
    loss = (net(x[turn : turn + 1]) - y[turn]).pow(2).mean() / 2
    loss.backward()
    if turn % 2:
        opt.zero_grad()
        opt.step()
"""
CLEARED_AND_STEPPED = "        opt.zero_grad()\n        opt.step()\n"
CLIPPED = """
from torch.nn.utils import clip_grad_norm_ as clip

torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for turn in range(4):
    loss = (net(x) - y).pow(2).mean()
    opt.zero_grad()
    clip(net.parameters(), 0.1)
    opt.step()
    loss.backward()
"""
CLIPPED_TOO_EARLY = "    clip(net.parameters(), 0.1)\n    opt.step()\n    loss.backward()\n"
GAN = """
def learn(opt, loss):
    opt.zero_grad()
    opt.step()
    loss.backward()

torch.manual_seed(0)
x, z = torch.randn(8, 3), torch.randn(8, 2)
maker, judge = nn.Linear(2, 3), nn.Linear(3, 1)
opts = [torch.optim.SGD(one.parameters(), lr=0.1) for one in (maker, judge)]
for turn in range(4):
    learn(opts[1], (judge(x) - 1).pow(2).mean() + judge(maker(z).detach()).pow(2).mean())
    learn(opts[0], (judge(maker(z)) - 1).pow(2).mean())
"""
STEPPED_TOO_EARLY = "    opt.step()\n    loss.backward()\n"

IN_PART = [
    case(
        "a group for the weights of one class of two",
        GROWS,
        HEAD_AND_TOP[0],
        HEAD_AND_TOP[0]
        + '        self.opt.add_param_group({"params": [*self.head.parameters()]})\n',
        "refuted",
        "`top.weight` and `top.bias`",
        "still never moves",
    ),
    case(
        "a new head gets an optimizer and a schedule of its own",
        REPLACED,
        NEW_HEAD,
        NEW_HEAD + SAME_NUMBERS + RESCHEDULED,
        "confirmed",
        "did not move before",
    ),
    case(
        "a new head gets an optimizer that the schedule does not know",
        REPLACED,
        NEW_HEAD,
        NEW_HEAD + SAME_NUMBERS,
        "refuted",
        "a scheduler is left",
    ),
    case(
        "a new head gets a group with another learning rate",
        REPLACED,
        NEW_HEAD,
        NEW_HEAD + 'opt.add_param_group({"params": net[2].parameters(), "lr": 0.01})\n',
        "inconclusive",
        "with numbers that no weight had before",
    ),
    case(
        "two passes before a step, and both are used",
        ACCUMULATES,
        CLEARED_AND_STEPPED,
        "        opt.step()\n        opt.zero_grad()\n",
        "confirmed",
    ),
    case(
        "two passes before a step, and the first is thrown away",
        ACCUMULATES.replace("    loss.backward()\n", "    # here\n    loss.backward()\n"),
        "    # here\n    loss.backward()\n    if turn % 2:\n" + CLEARED_AND_STEPPED,
        "    opt.zero_grad()\n    loss.backward()\n    if turn % 2:\n        opt.step()\n",
        "refuted",
        "are thrown away",
    ),
    case(
        "clipped before the step",
        CLIPPED,
        CLIPPED_TOO_EARLY,
        "    loss.backward()\n    clip(net.parameters(), 0.1)\n    opt.step()\n",
        "confirmed",
    ),
    case(
        "clipped before there is a gradient",
        CLIPPED,
        CLIPPED_TOO_EARLY,
        "    clip(net.parameters(), 0.1)\n    loss.backward()\n    opt.step()\n",
        "refuted",
        "when there are still none",
    ),
    case(
        "what one part of two throws away is used for the other",
        GAN,
        STEPPED_TOO_EARLY,
        "    loss.backward()\n    opt.step()\n",
        "confirmed",
    ),
]
LOADS = """
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(6, 4), nn.Linear(4, 2)

    def load(self, vectors):
        self.emb.weight = nn.Parameter(vectors.clone())

    def forward(self, x):
        return self.out(self.emb(x))

torch.manual_seed(0)
x, vectors = torch.randint(0, 6, (8,)), torch.randn(6, 4)
net = Tagger()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
net.load(vectors)
for _ in range(3):
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), x % 2).backward()
    opt.step()
"""
LATENT = """
torch.manual_seed(0)
x = torch.randn(5, 3)
net = nn.Linear(2, 3)
z = torch.randn(5, 2, requires_grad=True) * 0.2
opt = torch.optim.Adam([*net.parameters(), z], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    (net(z) - x).pow(2).mean().backward()
    opt.step()
"""
LOW_RANK = """
class Low(nn.Module):
    def __init__(self):
        super().__init__()
        self.base, self.out = nn.Linear(3, 3), nn.Linear(3, 1)
        for p in self.base.parameters():
            p.requires_grad = False
        self.more = [nn.Parameter(torch.randn(3, 3))]

    def forward(self, x):
        return self.out(self.base(x) + x @ self.more[0])

torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
net = Low()
opt = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    (net(x) - y).pow(2).mean().backward()
    opt.step()
"""
MORE = "        self.more = [nn.Parameter(torch.randn(3, 3))]\n"
LISTED = "        self.more = nn.ParameterList([nn.Parameter(torch.randn(3, 3))])\n"
CONSTANTS = """
class Spring(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)
        self.known = [nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(2.0))]

def lost(spring, t):
    a, b = spring.known
    return (a * spring.net(t) - b * t).pow(2).mean()

torch.manual_seed(0)
t = torch.rand(8, 1)
spring = Spring()
opt = torch.optim.SGD(spring.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    lost(spring, t).backward()
    opt.step()
"""
ITS_OWN = "torch.optim.SGD(spring.parameters(), lr=0.1)"
FLAT = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randint(0, 2, (8,))
net = nn.Linear(3, 2)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    out = net(x)
    wrong = 1 - (out.argmax(1) == y).float().mean()
    wrong.requires_grad = True
    opt.zero_grad()
    wrong.backward()
    opt.step()
"""
ATTACK = """
def push(net, x, y):
    moved = x.clone().requires_grad_(True)
    for _ in range(3):
        nn.functional.cross_entropy(net(moved), y).backward()
        moved += 0.1 * moved.grad.sign()
        moved.grad.zero_()
    return moved.detach()

torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randint(0, 2, (8,))
net = nn.Linear(3, 2)
pushed = push(net, x, y)
"""
OF_A_COPY = "    moved = x.clone().requires_grad_(True)\n"
ONE_PUSH = "        moved += 0.1 * moved.grad.sign()\n"

IN_PART += [
    case(
        "vectors are loaded into the weight that the optimizer has",
        LOADS,
        "self.emb.weight = nn.Parameter(vectors.clone())",
        "self.emb.weight.data.copy_(vectors)",
        "confirmed",
        "`emb.weight` did not move before",
    ),
    case(
        "what an optimizer did not take is a leaf now",
        LATENT,
        "torch.randn(5, 2, requires_grad=True) * 0.2",
        "(torch.randn(5, 2) * 0.2).requires_grad_()",
        "confirmed",
    ),
    case(
        "what an optimizer did not take is no more than data now",
        LATENT,
        "torch.randn(5, 2, requires_grad=True) * 0.2",
        "torch.randn(5, 2) * 0.2",
        "refuted",
        "requires no grad now",
    ),
    case("weights beside frozen ones are listed", LOW_RANK, MORE, LISTED, "confirmed"),
    case(
        "weights are listed, and frozen ones are trained as well",
        LOW_RANK,
        MORE,
        LISTED + "        self.base.requires_grad_(True)\n",
        "inconclusive",
        "was frozen",
    ),
    case(
        "both of two unlisted weights are given to the optimizer",
        CONSTANTS,
        ITS_OWN,
        "torch.optim.SGD([*spring.parameters(), *spring.known], lr=0.1)",
        "confirmed",
    ),
    case(
        "one of two unlisted weights is given to the optimizer",
        CONSTANTS,
        ITS_OWN,
        "torch.optim.SGD([*spring.parameters(), spring.known[0]], lr=0.1)",
        "refuted",
    ),
    case(
        "the loss has a graph now, and a gradient of zeros",
        FLAT,
        "    wrong.requires_grad = True\n",
        "    wrong = wrong + 0 * out.sum()\n",
        "refuted",
        "still find no gradient other than one of zeros",
    ),
    case(
        "an attack on a copy",
        ATTACK,
        ONE_PUSH,
        "        with torch.no_grad():\n            moved += 0.1 * moved.grad.sign()\n",
        "confirmed",
    ),
    case(
        "an attack that overwrites what it was given",
        ATTACK.replace(ONE_PUSH, "        moved.data += 0.1 * moved.grad.sign()\n").replace(
            OF_A_COPY, OF_A_COPY + "    assert not moved.is_leaf, 'requires_grad'\n"
        ),
        OF_A_COPY + "    assert not moved.is_leaf, 'requires_grad'\n",
        "    moved = x.requires_grad_(True)\n",
        "refuted",
        "`x` is written to now",
    ),
]
