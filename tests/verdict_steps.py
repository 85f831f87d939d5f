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
