"""Pairs in which a repair is made by half, or does something else beside."""

from verdict_case import case

STRAIGHT = """
torch.manual_seed(0)
encoder, book, decoder = nn.Linear(3, 4), nn.Embedding(5, 4), nn.Linear(4, 3)
x = torch.randn(6, 3)
opt = torch.optim.SGD([*encoder.parameters(), *book.parameters(), *decoder.parameters()], lr=0.1)
for _ in range(2):
    z = encoder(x)
    q = book(torch.cdist(z, book.weight).argmin(1))
    passed = z + (q - z).detach()
    rebuilt = decoder(passed.data)
    loss = (rebuilt - x).pow(2).mean() + (q - z.detach()).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

HEADS = """
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 5)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))

def run(net, opt, x, y):
    for _ in range(3):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        opt.step()

net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
run(net, opt, torch.randn(8, 3), torch.arange(8) % 5)
net.head = nn.Linear(4, 2)
run(net, opt, torch.randn(8, 3), torch.arange(8) % 2)
"""
NEW_HEAD = "net.head = nn.Linear(4, 2)\n"

PEERS = """
import copy
torch.manual_seed(0)
net = nn.Linear(3, 4)
peer = copy.deepcopy(net)
x, far = torch.randn(5, 3), torch.randn(5, 3)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    z = net(x)
    every = torch.cat([one.detach() for one in (z, peer(far))])
    loss = nn.functional.cross_entropy(z @ every.T, torch.arange(5))
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

WIDE = """
torch.manual_seed(0)
colour = torch.rand(4, 3, requires_grad=True).to(torch.float64)
x, y = torch.randn(6, 4), torch.randn(6, 3)
opt = torch.optim.SGD([colour], lr=0.1)
for _ in range(3):
    loss = (x.to(colour.dtype) @ colour - y).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
CONVERTED = "torch.rand(4, 3, requires_grad=True).to(torch.float64)"

KICK = """
torch.manual_seed(0)
raw = nn.Parameter(torch.randn(2))
opt = torch.optim.SGD([raw], lr=0.1)
for _ in range(2):
    u = torch.tanh(raw).unsqueeze(0).expand(4, -1)
    u[0] = u[0] + 0.5
    loss = (u * torch.arange(1.0, 5.0)[:, None]).pow(2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""

SPEC = '''
import json
spec = json.loads("""{"angles": [30, 45], "steps": 3}""")
angles = torch.tensor(spec["angles"], requires_grad=True)
opt = torch.optim.SGD([angles], lr=0.1)
for _ in range(spec["steps"]):
    opt.zero_grad()
    (angles / 90.0).sin().sum().backward()
    opt.step()
'''

BOUNDED = """
torch.manual_seed(0)
class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha, self.layer = nn.Parameter(torch.full((3,), 0.4)), nn.Linear(3, 3)

    def forward(self, x):
        self.alpha = self.alpha.clamp(0.0, 1.0)
        return self.alpha * self.layer(x)

net = Mix()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(2):
    opt.zero_grad()
    net(torch.randn(5, 3)).pow(2).sum().backward()
    opt.step()
"""

SCALED = """
torch.manual_seed(0)
class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.scale = torch.ones(2).requires_grad_()

    def forward(self, x):
        return self.scale * self.layer(x)

head = Head()
opt = torch.optim.SGD(head.parameters(), lr=0.1)
for _ in range(2):
    opt.zero_grad()
    head(torch.ones(4, 3)).pow(2).sum().backward()
    opt.step()
"""

MOVED = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8)

def descend(ws):
    return [(w - 0.1 * w.grad).detach() if w.grad is not None else w for w in ws]

ws = [torch.zeros(3, requires_grad=True)]
for _ in range(4):
    loss = (x @ ws[0] - y).pow(2).mean()
    loss.backward()
    ws = descend(ws)
"""

PROJECT = """
torch.manual_seed(0)
class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.full((3,), 0.9))

    def project(self):
        self.gain = nn.Parameter(self.gain.detach().clamp(0.0, 1.0))

model = Mixer()
opt = torch.optim.SGD(model.parameters(), lr=0.5)
for _ in range(3):
    opt.zero_grad()
    (model.gain - 3.0).pow(2).sum().backward()
    opt.step()
    model.project()
"""
PROJECTION = "        self.gain = nn.Parameter(self.gain.detach().clamp(0.0, 1.0))\n"

CRITIC = """
def main():
    torch.manual_seed(0)
    policy, critic = nn.Linear(2, 3), nn.Linear(2, 1)
    opt = torch.optim.SGD([*policy.parameters(), *critic.parameters()], lr=0.1)
    x, mean = torch.ones(6, 2), torch.zeros(6)
    for _ in range(3):
        chances = policy(x).log_softmax(1)[:, 0]
        mean = 0.9 * mean + 0.1 * torch.tanh(critic(x)).squeeze(1)
        gain = (1.0 - mean).detach()
        loss = -(gain * chances).mean() + (1.0 - mean).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()

if __name__ == "__main__":
    main()
"""
PAST = """mean = 0.9 * mean + 0.1 * torch.tanh(critic(x)).squeeze(1)
        gain = (1.0 - mean).detach()"""

FRAMES = """
torch.manual_seed(0)
def advance(x):
    x[0] = x[0] * 0.5 + 1.0
    return x

def rollout(start):
    frames, x = [start], start
    with torch.no_grad():
        for _ in range(3):
            x = advance(x)
            frames.append(x)
    return torch.stack(frames)

start = torch.randn(2, 3)
frames = rollout(start)
"""

BESIDE = [
    case(
        "a copy of the first of many",
        FRAMES,
        "frames, x = [start], start",
        "frames, x = [start], start.clone()",
        "inconclusive",
        "joined with itself",
    ),
    case("the stop goes", STRAIGHT, "passed.data", "passed", "confirmed"),
    case(
        "another way than the one that is stopped",
        STRAIGHT,
        "passed.data",
        "q",
        "refuted",
        "not what the original's changed lines stop",
    ),
    case(
        "a new layer is trained",
        HEADS,
        NEW_HEAD,
        NEW_HEAD + 'opt.add_param_group({"params": net.head.parameters()})\n',
        "confirmed",
    ),
    case(
        "half of a new layer is trained",
        HEADS,
        NEW_HEAD,
        NEW_HEAD + 'opt.add_param_group({"params": [net.head.weight]})\n',
        "refuted",
        "still never moves",
    ),
    case(
        "a new optimizer for old weights",
        HEADS,
        NEW_HEAD,
        NEW_HEAD + "opt = torch.optim.Adam(net.parameters(), lr=0.01)\n",
        "inconclusive",
        "averages are lost",
    ),
    case(
        "another rate for old weights",
        HEADS.replace("Adam", "SGD"),
        NEW_HEAD,
        NEW_HEAD + "opt = torch.optim.SGD(net.parameters(), lr=0.5)\n",
        "inconclusive",
        "other numbers",
    ),
    case(
        "a peer that nothing trains stays stopped",
        PEERS,
        "[one.detach() for one in (z, peer(far))]",
        "[z, peer(far).detach()]",
        "confirmed",
    ),
    case(
        "a peer that nothing trains gets a gradient",
        PEERS,
        "one.detach() for",
        "one for",
        "inconclusive",
        "no optimizer has",
    ),
    case(
        "a leaf of the type that was meant",
        WIDE,
        CONVERTED,
        "torch.rand(4, 3).to(torch.float64).requires_grad_()",
        "confirmed",
    ),
    case(
        "a leaf of another type",
        WIDE,
        CONVERTED,
        "torch.rand(4, 3, requires_grad=True)",
        "refuted",
        "is `float32` now",
    ),
    case("a row of its own", KICK, ".expand(4, -1)", ".expand(4, -1).clone()", "confirmed"),
    case(
        "all rows instead of one",
        KICK,
        "u[0] = u[0] + 0.5",
        "u = u + 0.5",
        "refuted",
        "with rows of their own",
    ),
    case(
        "numbers that can be differentiated",
        SPEC,
        'spec["angles"], ',
        'spec["angles"], dtype=torch.float32, ',
        "confirmed",
    ),
    case("other data", SPEC, "[30, 45]", "[30.0, 45.0]", "inconclusive", "the data"),
    case(
        "a name of its own for what is bounded",
        BOUNDED,
        "self.alpha = self.alpha.clamp(0.0, 1.0)\n        return self.alpha *",
        "alpha = self.alpha.clamp(0.0, 1.0)\n        return alpha *",
        "confirmed",
    ),
    case(
        "a weight that is bounded behind the back of autograd",
        BOUNDED,
        "self.alpha = self.alpha.clamp(0.0, 1.0)",
        "self.alpha.data = self.alpha.data.clamp(0.0, 1.0)",
        "inconclusive",
        "autograd does not see",
    ),
    case(
        "trained, and still not listed",
        SCALED,
        "SGD(head.parameters()",
        "SGD([*head.parameters(), head.scale]",
        "inconclusive",
        "still does not list",
    ),
    case(
        "new weights that nobody takes",
        MOVED,
        "    ws = descend(ws)",
        "    descend(ws)",
        "inconclusive",
        "thrown away now",
    ),
    case(
        "a weight that is bounded where it is",
        PROJECT,
        PROJECTION,
        "        with torch.no_grad():\n            self.gain.clamp_(0.0, 1.0)\n",
        "confirmed",
    ),
    case(
        "a bound that nobody takes",
        PROJECT,
        PROJECTION,
        "        self.gain.detach().clamp(0.0, 1.0)\n",
        "refuted",
    ),
    case(
        "the past is cut off",
        CRITIC,
        PAST,
        PAST.replace("0.9 * mean ", "0.9 * mean.detach() "),
        "confirmed",
    ),
    case(
        "the past is cut off, and another stop is gone",
        CRITIC,
        PAST,
        PAST.replace("0.9 * mean ", "0.9 * mean.detach() ").replace(").detach()", ")"),
        "inconclusive",
        "before the crash",
    ),
]
