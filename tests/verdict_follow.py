"""Pairs of which one does the first thing right, and something that follows wrong."""

from verdict_case import case

ATTACK = """
def attack(model, x, y, size=0.1, turns=3):
    change = torch.zeros_like(x)
    for _ in range(turns):
        moved = x.clone().requires_grad_(True) + change
        model.zero_grad()
        (model(moved) - y).pow(2).mean().backward()
        if moved.grad is not None:
            change = (change + size * moved.grad.sign()).clamp(-0.3, 0.3)
    return (x + change).detach()

torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(4):
    seen = attack(model, x, y)
    opt.zero_grad()
    loss = (model(seen) - y).pow(2).mean()
    loss.backward()
    opt.step()
"""
MOVED = "        moved = x.clone().requires_grad_(True) + change\n"
KEEPER = """
import copy

class Keeper:
    def __init__(self):
        self.least, self.held = float("inf"), None

    def look(self, value, model):
        if value < self.least:
            self.least = value
            self.held = model.state_dict()

    def give_back(self, model):
        model.load_state_dict(self.held)

def main():
    torch.manual_seed(0)
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    keeper = Keeper()
    for turn in range(8):
        loss = (model(x) - y).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            keeper.look((model(x) - y).abs().max().item() - (turn == 3), model)
    keeper.give_back(model)
    with torch.no_grad():
        print("least", (model(x) - y).pow(2).mean().item())

main()
"""
HELD = "self.held = model.state_dict()"
OUTER = """
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))

def outer():
    begun = net.state_dict()
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(3):
        x = torch.rand(6, 1)
        loss = (net(x) - x.sin()).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    ended = net.state_dict()
    net.load_state_dict({k: begun[k] + 0.3 * (ended[k] - begun[k]) for k in begun})

for _ in range(3):
    outer()
"""
BEGUN = "    begun = net.state_dict()\n"
COPIED = "    begun = {k: v.clone() for k, v in net.state_dict().items()}\n"
ENDED = "    ended = net.state_dict()\n"
SLOW = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
weight = nn.Parameter(torch.randn(3, 1))
for turn in range(5):
    before = weight.data
    loss = (x @ weight - y).pow(2).mean()
    weight.grad = None
    loss.backward()
    with torch.no_grad():
        weight -= 0.1 * weight.grad
        weight += 0.5 * (weight - before)
"""
BEFORE = "    before = weight.data\n"
RATE = """
def rate(x, scale):
    found = x.exp()
    found.mul_(scale)
    return found

torch.manual_seed(0)
x, scale, seen = torch.randn(8, 3), torch.rand(8) + 0.5, torch.rand(8)
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = (rate(model(x)[:, 0], scale) - seen).pow(2).mean()
    loss.backward()
    opt.step()
"""
WRITTEN = "    found.mul_(scale)\n"
PLANE = """
torch.manual_seed(0)
x, z = torch.randn(8, 2), torch.randn(8)
plane = torch.tensor([0, 0, 1], requires_grad=True)
opt = torch.optim.Adam([plane], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = (plane[0] * x[:, 0] + plane[1] * x[:, 1] + plane[2] - z).abs().mean()
    loss.backward()
    opt.step()
"""
WHOLE = "torch.tensor([0, 0, 1], requires_grad=True)"
WINDOWS = """
class Windows:
    def __init__(self, record):
        self.record = record

    def __getitem__(self, i):
        window = self.record[4 * i : 4 * i + 4]
        window.data.mul_(1.0 + 0.3 * torch.rand(()))
        return window

torch.manual_seed(0)
windows = Windows(torch.randn(16))
net = nn.Linear(4, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = net(torch.stack([windows[i] for i in range(4)])).pow(2).mean()
    loss.backward()
    opt.step()
"""

FOLLOW = [
    case(
        "a gradient that is kept",
        ATTACK,
        MOVED,
        MOVED + "        moved.retain_grad()\n",
        "confirmed",
    ),
    case(
        "a gradient of a leaf",
        ATTACK,
        MOVED,
        "        moved = (x + change).requires_grad_(True)\n",
        "confirmed",
    ),
    case(
        "a gradient of a leaf that stays where it was",
        ATTACK,
        MOVED,
        "        moved = x.clone().requires_grad_(True)\n",
        "refuted",
        "would go on otherwise",
    ),
    case(
        "the best weights, copied",
        KEEPER,
        HELD,
        "self.held = copy.deepcopy(model.state_dict())",
        "confirmed",
    ),
    case(
        "the best weights, copied one by one",
        KEEPER,
        HELD,
        "self.held = {k: v.clone() for k, v in model.state_dict().items()}",
        "confirmed",
    ),
    case(
        "the first weights, copied",
        KEEPER,
        HELD,
        "self.held = self.held or copy.deepcopy(model.state_dict())",
        "refuted",
        "would go on otherwise",
    ),
    case("what is begun with, copied", OUTER, BEGUN, COPIED, "confirmed"),
    case(
        "what is ended with, copied",
        OUTER,
        ENDED,
        "    ended = {k: v.clone() for k, v in net.state_dict().items()}\n",
        "refuted",
        "nothing that follows",
    ),
    case(
        "what is begun with, copied, and something else to go on from",
        OUTER,
        OUTER[OUTER.index(BEGUN) : OUTER.index(" for k in begun")],
        OUTER[OUTER.index(BEGUN) : OUTER.index(" for k in begun")]
        .replace(BEGUN, COPIED)
        .replace("begun[k] +", "ended[k] +"),
        "refuted",
        "would go on otherwise",
    ),
    case(
        "what was before, copied", SLOW, BEFORE, "    before = weight.data.clone()\n", "confirmed"
    ),
    case(
        "what was before, copied and halved",
        SLOW,
        BEFORE,
        "    before = weight.data.clone() / 2\n",
        "refuted",
        "other values than before",
    ),
    case(
        "a write that makes a new tensor", RATE, WRITTEN, "    found = found * scale\n", "confirmed"
    ),
    case(
        "a write that autograd does not see",
        RATE,
        WRITTEN,
        "    found.data.mul_(scale)\n",
        "refuted",
        "autograd does not see",
    ),
    case(
        "a write without gradients",
        RATE,
        WRITTEN,
        "    found.detach().mul_(scale)\n",
        "refuted",
    ),
    case(
        "numbers with a point",
        PLANE,
        WHOLE,
        "torch.tensor([0.0, 0.0, 1.0], requires_grad=True)",
        "confirmed",
    ),
    case(
        "numbers of another type than the data",
        PLANE,
        WHOLE,
        "torch.tensor([0, 0, 1], dtype=torch.float64, requires_grad=True)",
        "inconclusive",
        "another type",
    ),
    case(
        "a window of its own",
        WINDOWS,
        "self.record[4 * i : 4 * i + 4]",
        "self.record[4 * i : 4 * i + 4].clone()",
        "confirmed",
    ),
    case(
        "a window that is still written through",
        WINDOWS,
        "window.data.mul_",
        "window.mul_",
        "inconclusive",
        "shared memory",
    ),
]
