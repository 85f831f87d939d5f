"""Pairs about gradients: cuts of the graph, stops that are meant, and crashes of autograd."""

from verdict_case import case

SCRIPT = """
torch.manual_seed(0)
first, second = nn.Linear(3, 4), nn.Linear(4, 1)
x, y = torch.randn(8, 3), torch.randn(8, 1)
opt = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    h = torch.tensor(torch.tanh(first(x)).tolist())
    ((second(h) - y) ** 2).mean().backward()
    opt.step()
"""
CUT = "torch.tensor(torch.tanh(first(x)).tolist())"

FUNCTION = """
def rotation(angle):
    a, b = torch.cos(angle), torch.sin(angle)
    return torch.tensor([a.item(), b.item()])
"""

FORWARD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.outer = nn.Linear(4, 2)

    def forward(self, x):
        h = torch.from_numpy(self.inner(x).detach().numpy())
        return self.outer(torch.tanh(h))
"""

PLAIN_CLASS = """
class Spring:
    def __init__(self, stiffness: float = 2.0):
        self.stiffness = stiffness

    def energy(self, x: torch.Tensor):
        stretch = (x * x).sum()
        return torch.tensor(stretch.item()) * self.stiffness
"""

BESIDE = """
a = torch.tensor(0.5, requires_grad=True)
b = torch.tensor(2.37, requires_grad=True)
pair = torch.tensor([a.item(), b.item()])
loss = (pair ** 2).sum() + a
loss.backward()
"""

TD = """
torch.manual_seed(0)
inner, q, target = nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(3, 2)
s, s2, r = torch.randn(6, 3), torch.randn(6, 3), torch.randn(6)
opt = torch.optim.SGD([*inner.parameters(), *q.parameters()], lr=0.1)
for _ in range(2):
    with torch.no_grad():
        goal = r + 0.9 * q(torch.tanh(inner(s2))).max(1).values
    h = torch.tanh(inner(s)).data
    loss = ((q(h)[:, 0] - goal) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

EMA = """
import copy
torch.manual_seed(0)
first, second = nn.Linear(3, 4), nn.Linear(4, 1)
mean = copy.deepcopy(second)
x = torch.randn(8, 3)
opt = torch.optim.Adam([*first.parameters(), *second.parameters()])
for _ in range(3):
    h = first(x).relu().clone().detach()
    loss = ((second(h) - mean(h).detach() - 1) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for slow, fast in zip(mean.parameters(), second.parameters()):
            slow.mul_(0.9).add_(fast, alpha=0.1)
"""

GAN = """
torch.manual_seed(0)
gen, dis = nn.Linear(2, 3), nn.Linear(3, 1)
gen_opt = torch.optim.SGD(gen.parameters(), lr=0.1)
dis_opt = torch.optim.SGD(dis.parameters(), lr=0.1)
for _ in range(2):
    fake = torch.tanh(gen(torch.randn(4, 2)))
    real = torch.randn(4, 3)
    dis_opt.zero_grad()
    dis_loss = (dis(fake.detach()) - dis(real)).sigmoid().mean()
    dis_loss.backward()
    dis_opt.step()
    gen_opt.zero_grad()
    gen_loss = -dis(fake.data).sigmoid().mean()
    gen_loss.backward()
    gen_opt.step()
"""

NO_GRAD = """
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.outer = nn.Linear(4, 2)

    def forward(self, x):
        with torch.no_grad():
            h = torch.tanh(self.inner(x))
        return self.outer(h)
"""

CUTS = [
    case("cut in a script", SCRIPT, CUT, "torch.tanh(first(x))", "confirmed", "2 of 4", "4 of 4"),
    case("cut moved elsewhere", SCRIPT, CUT, "torch.tanh(first(x)).detach()", "refuted"),
    case("other values", SCRIPT, CUT, "torch.tanh(first(x)) * 1.01", "refuted", "is now"),
    case(
        "cut in a function",
        FUNCTION,
        "torch.tensor([a.item(), b.item()])",
        "torch.stack([a, b])",
        "confirmed",
        "finite differences agree",
    ),
    case(
        "half of a cut",
        FUNCTION,
        "torch.tensor([a.item(), b.item()])",
        "torch.stack([a, b.detach()])",
        "refuted",
        "still stop",
    ),
    case(
        "half of a cut, by the stop of before",
        FUNCTION,
        "torch.tensor([a.item(), b.item()])",
        "torch.stack([a, torch.tensor(b.item())])",
        "refuted",
        "still stop",
    ),
    case(
        "swapped",
        FUNCTION,
        "torch.tensor([a.item(), b.item()])",
        "torch.stack([b, a])",
        "refuted",
        "the result was",
    ),
    case(
        "cut in a forward",
        FORWARD,
        "torch.from_numpy(self.inner(x).detach().numpy())",
        "self.inner(x)",
        "confirmed",
        "2 of 4",
        "4 of 4",
    ),
    case(
        "cut in a plain class",
        PLAIN_CLASS,
        "torch.tensor(stretch.item())",
        "stretch",
        "confirmed",
        "identical",
    ),
    case(
        "same values of another function",
        BESIDE,
        "torch.tensor([a.item(), b.item()])",
        "torch.stack([a, b * 0 + 2.37])",
        "refuted",
    ),
    case(
        "the function itself",
        BESIDE,
        "torch.tensor([a.item(), b.item()])",
        "torch.stack([a, b])",
        "confirmed",
    ),
    case(
        "`no_grad` removed",
        NO_GRAD,
        "        with torch.no_grad():\n            h = torch.tanh(self.inner(x))\n",
        "        h = torch.tanh(self.inner(x))\n",
        "confirmed",
        "4 of 4",
    ),
    case(
        "`no_grad` around one line less",
        NO_GRAD,
        "            h = torch.tanh(self.inner(x))\n",
        "            h = self.inner(x)\n        h = torch.tanh(h)\n",
        "inconclusive",
        "nothing to confirm",
    ),
]

MEANT = [
    case("a TD target stays held", TD, "(inner(s)).data", "(inner(s))", "confirmed", "4 of 4"),
    case(
        "a moving average stays held",
        EMA,
        "first(x).relu().clone().detach()",
        "first(x).relu()",
        "confirmed",
        "4 of",
    ),
    case("a discriminator stays held", GAN, "fake.data", "fake", "confirmed"),
    case("the wrong stop is removed", GAN, "fake.detach()", "fake", "refuted"),
]

IN_PLACE = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 3)

    def forward(self, x):
        h = torch.sigmoid(self.inner(x))
        h += x
        return h * 2
"""

RECURRENT = """
torch.manual_seed(0)
cell, head = nn.GRUCell(2, 3), nn.Linear(3, 1)
opt = torch.optim.SGD([*cell.parameters(), *head.parameters()], lr=0.1)
h = torch.zeros(4, 3)
for step in range(3):
    h = cell(torch.ones(4, 2) * step, h)
    loss = (head(h) - step).pow(2).mean()
    opt.zero_grad()
    loss.backward()
"""

LEAF = """
w = torch.ones(3, requires_grad=True)
for _ in range(3):
    loss = ((w - torch.tensor([0.5, 2.0, 3.0])) ** 2).sum()
    loss.backward()
    w -= 0.1 * w.grad
    w.grad.zero_()
"""

CRASHES = [
    case("a write in place", IN_PLACE, "h += x", "h = h + x", "confirmed", "runs to the end"),
    case("a write of the wrong sign", IN_PLACE, "h += x", "h = h - x", "refuted"),
    case("a write to a copy that is lost", IN_PLACE, "h += x", "h.clone().add_(x)", "refuted"),
    case(
        "a state that is cut at the boundary",
        RECURRENT,
        "* step, h)",
        "* step, h.detach())",
        "confirmed",
        "a second time",
    ),
    case(
        "a state that is kept with its graph",
        RECURRENT,
        "loss.backward()",
        "loss.backward(retain_graph=True)",
        "refuted",
        "grows",
    ),
    case(
        "a step by hand",
        LEAF,
        "    w -= 0.1 * w.grad\n",
        "    with torch.no_grad():\n        w -= 0.1 * w.grad\n",
        "confirmed",
        "runs to the end",
    ),
    case(
        "a step by hand that makes a new tensor",
        LEAF,
        "    w -= 0.1 * w.grad\n",
        "    w = w - 0.1 * w.grad\n",
        "refuted",
    ),
    case(
        "still the same crash",
        LEAF,
        "w -= 0.1 * w.grad",
        "w -= w.grad * 0.1",
        "inconclusive",
        "nothing to confirm",
    ),
]

TRUTH = """
torch.manual_seed(0)

class Pair(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.angles = nn.Parameter(torch.tensor([first, second]))

    def forward(self):
        return torch.tensor([self.angles[0] ** 2, self.angles[1] ** 2])

with torch.no_grad():
    seen = Pair(0.3, 0.4)()
model = Pair(0.1, 0.2)
loss = ((model() - seen) ** 2).sum()
loss.requires_grad_()
loss.backward()
"""

ROUNDED = """
class Rounded(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Parameter(torch.tensor(0.3))
        self.inner = nn.Linear(3, 3)

    def forward(self, x):
        h = self.inner(x) / self.step
        h = h + (h.round() - h)
        return h * self.step
"""

SUM_OF_STOPS = """
class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, x):
        h = self.inner(x)
        mean, std = h.data.mean(0), h.data.std(0)
        return torch.tanh((h - mean) / std)
"""

PICKED = """
torch.manual_seed(0)
logits, table = nn.Linear(3, 5), nn.Embedding(5, 2)
pick = nn.functional.gumbel_softmax(logits(torch.ones(4, 3)), hard=True)
words = table(pick.argmax(-1))
words.pow(2).mean().backward()
"""

STOPS = [
    case(
        "what a caller only evaluates does not move",
        TRUTH,
        "torch.tensor([self.angles[0] ** 2, self.angles[1] ** 2])",
        "torch.stack([self.angles[0] ** 2, self.angles[1] ** 2])",
        "confirmed",
    ),
    case(
        "a surrogate for what jumps",
        ROUNDED,
        "(h.round() - h)",
        "(h.round() - h).detach()",
        "inconclusive",
        "jumps",
    ),
    case(
        "both stops of a statement",
        SUM_OF_STOPS,
        "h.data.mean(0), h.data.std(0)",
        "h.mean(0), h.std(0)",
        "confirmed",
    ),
    case(
        "one of two stops of a statement",
        SUM_OF_STOPS,
        "h.data.mean(0)",
        "h.mean(0)",
        "refuted",
        "still stop",
    ),
    case(
        "a hard choice that lets its gradient through",
        PICKED,
        "table(pick.argmax(-1))",
        "pick @ table.weight",
        "confirmed",
    ),
]
