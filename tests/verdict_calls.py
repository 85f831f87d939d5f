"""Pairs in which something is called otherwise, or computes something else for the log."""

from verdict_case import case

EVERY = """
def train(net, opt, data, every):
    opt.zero_grad()
    for i, (x, y) in enumerate(data):
        loss = (net(x) - y).pow(2).mean() / every
        opt.zero_grad()
        loss.backward()
        if (i + 1) % every == 0:
            opt.step()
            opt.zero_grad()

torch.manual_seed(0)
net = nn.Linear(3, 1)
data = [(torch.randn(4, 3), torch.randn(4, 1)) for _ in range(8)]
train(net, torch.optim.SGD(net.parameters(), lr=0.1), data, 4)
"""
STEPPED = """\
        opt.zero_grad()
        loss.backward()
        if (i + 1) % every == 0:
            opt.step()
            opt.zero_grad()
"""
KEPT = STEPPED.removeprefix("        opt.zero_grad()\n")
EACH = "        opt.zero_grad()\n        loss.backward()\n        opt.step()\n"
NOW_AND_THEN = EVERY.replace(" / every", "")

BUILT = """
torch.manual_seed(0)
class Base(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

class Net(Base):
    def __init__(self, width):
        self.one = nn.Linear(2, width)
        super().__init__(0.5)
        self.two = nn.Linear(width, 1)

    def forward(self, x):
        return self.two(torch.tanh(self.one(x)))

net = Net(4)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    net(torch.ones(2, 2)).pow(2).mean().backward()
    opt.step()
"""
LATE = "        self.one = nn.Linear(2, width)\n        super().__init__(0.5)\n"
FIRST = "        super().__init__(0.5)\n        self.one = nn.Linear(2, width)\n"
FURTHER = LATE.replace("        super().__init__(0.5)\n", "")

LOGGED = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
class Meter:
    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, value, n):
        self.total += value * n
        self.count += n

def epoch(batches):
    meter = Meter()
    for x in batches:
        rest, size = net(x).pow(2).mean(), net.weight.abs().sum()
        loss = rest + 0.1 * size
        opt.zero_grad()
        loss.backward()
        opt.step()
        meter.update(loss, len(x))
    return meter

seen = epoch([torch.randn(4, 3) for _ in range(8)])
"""
SHOWN = LOGGED + 'print(f"loss {float(seen.total / seen.count):.4f}")\n'
SUMMED = """
torch.manual_seed(0)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
total, sizes = 0.0, 0.0
for _ in range(8):
    size = net.weight.abs().sum()
    loss = (net(torch.randn(4, 3)) - 3).pow(2).mean() + 0.1 * size
    opt.zero_grad()
    loss.backward()
    opt.step()
    total += loss
    sizes += size
print("mean", total / 8)
"""
SUMS = "    total += loss\n    sizes += size\n"

ENTRIES = """
class Weighted(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.logs = {k: nn.Parameter(torch.tensor(v)) for k, v in start.items()}

    def forward(self, terms):
        return sum(torch.exp(-self.logs[k]) * v + self.logs[k] for k, v in terms.items())

torch.manual_seed(0)
net, mix = nn.Linear(3, 2), Weighted({"a": 0.1, "b": -0.2})
opt = torch.optim.SGD([*net.parameters(), *mix.parameters()], lr=0.1)
for _ in range(3):
    out = net(torch.randn(4, 3))
    loss = mix({"a": out[:, 0].pow(2).mean(), "b": out[:, 1].abs().mean()})
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
ENTRY = "{k: nn.Parameter(torch.tensor(v)) for k, v in start.items()}"
ROWS = ENTRIES.replace(ENTRY, "[nn.Parameter(torch.tensor(v)) for v in start.values()]").replace(
    "sum(torch.exp(-self.logs[k]) * v + self.logs[k] for k, v in terms.items())",
    "sum(torch.exp(-s) * v + s for s, v in zip(self.logs, terms.values()))",
)
ROW = "[nn.Parameter(torch.tensor(v)) for v in start.values()]"

HIDDEN = """
torch.manual_seed(0)
class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = []
        for _ in range(3):
            self.layers.append(nn.Linear(2, 2))

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x

net = Deep()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    net(torch.ones(4, 2)).sub(0.3).pow(2).mean().backward()
    opt.step()
"""

CALLS = [
    case("gradients add up", EVERY, STEPPED, KEPT, "confirmed"),
    case(
        "a step each time, though divided",
        EVERY,
        STEPPED,
        EACH,
        "refuted",
        "still divided by `every`",
    ),
    case("gradients add up undivided", NOW_AND_THEN, STEPPED, KEPT, "confirmed"),
    case(
        "a step each time",
        NOW_AND_THEN,
        STEPPED,
        EACH,
        "inconclusive",
        "takes no notice of `every`",
    ),
    case("the base is built first", BUILT, LATE, FIRST, "confirmed"),
    case(
        "the base is passed over",
        BUILT,
        LATE,
        "        nn.Module.__init__(self)\n" + FURTHER,
        "inconclusive",
        "not the constructor of its base `Base`",
    ),
    case(
        "the base is passed over by super",
        BUILT,
        LATE,
        "        super(Base, self).__init__()\n" + FURTHER,
        "inconclusive",
        "`super(Base, self).__init__`, and not the constructor of its base `Base`",
    ),
    case("numbers for a meter", SHOWN, "update(loss,", "update(loss.item(),", "confirmed"),
    case("values for a meter", LOGGED, "update(loss,", "update(loss.detach(),", "confirmed"),
    case("rounded for a meter", SHOWN, "update(loss,", "update(int(loss),", "refuted"),
    case("rounded and not shown", LOGGED, "update(loss,", "update(int(loss),", "refuted"),
    case("without its count", LOGGED, "loss, len(x))", "loss.item(), 1)", "refuted"),
    case(
        "numbers for sums",
        SUMMED,
        SUMS,
        "    total += loss.item()\n    sizes += size.detach()\n",
        "confirmed",
    ),
    case(
        "numbers of another term",
        SUMMED,
        SUMS,
        "    total += loss.item()\n    sizes += loss.item()\n",
        "refuted",
        "`sizes` holds other values",
    ),
    case("entries that are listed", ENTRIES, ENTRY, f"nn.ParameterDict({ENTRY})", "confirmed"),
    case(
        "entries of another shape",
        ENTRIES,
        ENTRY,
        f"nn.ParameterDict({ENTRY.replace('(v)', '([v])')})",
        "refuted",
        "was of shape (), and is of shape (1,) now",
    ),
    case("rows that are listed", ROWS, ROW, f"nn.ParameterList({ROW})", "confirmed"),
    case(
        "rows of another shape",
        ROWS,
        ROW,
        f"nn.ParameterList({ROW.replace('(v)', '([v])')})",
        "refuted",
        "was of shape (), and is of shape (1,) now",
    ),
    case(
        "layers that are listed",
        HIDDEN,
        "self.layers = []",
        "self.layers = nn.ModuleList()",
        "confirmed",
    ),
    case(
        "layers that are given to an optimizer",
        HIDDEN,
        "SGD(net.parameters(),",
        "SGD([p for one in net.layers for p in one.parameters()],",
        "inconclusive",
    ),
    case(
        "one layer that is given to an optimizer",
        HIDDEN,
        "SGD(net.parameters(),",
        "SGD(net.layers[-1].parameters(),",
        "refuted",
        "neither `parameters()` nor an optimizer has it",
    ),
]
