"""Pairs whose bug shows later: memory that is written to again, and what is frozen on the way."""

from verdict_case import case

OBSERVED = """
class Cart:
    def __init__(self):
        self.state = torch.tensor([0.5, -0.2, 0.0])

    @property
    def seen(self):
        return self.state[:2]

    def push(self):
        self.state[0] += 0.1 * self.state[1]
        self.state[2] += 0.1

torch.manual_seed(0)
cart, memory = Cart(), []
for _ in range(4):
    memory.append(cart.seen)
    cart.push()
net = nn.Linear(2, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    loss = net(torch.stack(memory)).pow(2).mean()
    loss.backward()
    opt.step()
"""
BRIGHTER = """
def brighter(picture):
    f = 0.6 + 0.4 * torch.rand(())
    picture *= f
    return picture.clamp(0, 1)

torch.manual_seed(0)
pictures, goal = torch.rand(4, 3) * 0.5, torch.ones(4, 1)
net = nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    x = torch.stack([brighter(one) for one in pictures])
    opt.zero_grad()
    loss = (net(x) - goal).pow(2).mean()
    loss.backward()
    opt.step()
"""
IN_PLACE = "    picture *= f\n    return picture.clamp(0, 1)\n"
PRETRAINED = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
base, back, head = nn.Linear(3, 4), nn.Linear(4, 3), nn.Linear(4, 1)
opt = torch.optim.SGD([*base.parameters(), *back.parameters()], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    (back(torch.tanh(base(x))) - x).pow(2).mean().backward()
    opt.step()
for parameter in base.parameters():
    parameter.require_grad = False
opt = torch.optim.SGD([*base.parameters(), *head.parameters()], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    (head(torch.tanh(base(x))) - y).pow(2).mean().backward()
    opt.step()
"""
SECOND = """
torch.manual_seed(0)
x, y = torch.randn(6, 1), torch.randn(6, 1)
line, rate = nn.Linear(1, 1), nn.Parameter(torch.tensor(0.5))

def train(compute, parameters):
    opt = torch.optim.SGD(parameters, lr=0.01)
    for _ in range(6):
        opt.zero_grad()
        loss = (compute() - y).pow(2).mean()
        loss.backward()
        opt.step()

def decay():
    out = torch.zeros(6, 1)
    for i in range(1, 6):
        out[i] = x[i]
        out[i] += torch.sigmoid(rate) * out[i - 1]
    return out

train(lambda: line(x), line.parameters())
train(decay, [rate])
"""
BY_KEY = """
torch.manual_seed(0)
x, y = torch.randn(8, 3), torch.randn(8, 1)
weights = {"w": torch.randn(3, 1, requires_grad=True), "b": torch.zeros(1, requires_grad=True)}
for _ in range(3):
    loss = (x @ weights["w"] + weights["b"] - y).pow(2).mean()
    for weight in weights.values():
        weight.grad = None
    if loss.requires_grad:
        loss.backward()
    for name, weight in weights.items():
        if weight.grad is None:
            continue
        with torch.no_grad():
            weights[name] = weight - 0.1 * weight.grad
"""
RENEWED = "            weights[name] = weight - 0.1 * weight.grad\n"

LATER = [
    case(
        "a stop in what is trained second",
        SECOND,
        "out[i - 1]",
        "out[i - 1].detach().clone()",
        "refuted",
    ),
    case(
        "a copy in what is trained second",
        SECOND,
        "out[i - 1]",
        "out[i - 1].clone()",
        "confirmed",
    ),
    case(
        "weights of a dict that are written to",
        BY_KEY,
        RENEWED,
        "            weight -= 0.1 * weight.grad\n",
        "confirmed",
    ),
    case(
        "weights of a dict that go the other way",
        BY_KEY,
        RENEWED,
        "            weight += 0.1 * weight.grad\n",
        "refuted",
        "other values",
    ),
    case(
        "a view that a property returns, as a copy",
        OBSERVED,
        "return self.state[:2]",
        "return self.state[:2].clone()",
        "confirmed",
        "copies",
    ),
    case(
        "a view that a property returns, without its graph",
        OBSERVED,
        "return self.state[:2]",
        "return self.state[:2].detach()",
        "refuted",
        "still change",
    ),
    case(
        "data that is written to while it is read",
        BRIGHTER,
        IN_PLACE,
        "    return (picture * f).clamp(0, 1)\n",
        "inconclusive",
        "only its author knows",
    ),
    case(
        "data that is written to while it is read, by another number",
        BRIGHTER,
        IN_PLACE,
        "    return (picture / f).clamp(0, 1)\n",
        "refuted",
    ),
    case(
        "a layer that is frozen after it was trained",
        PRETRAINED,
        "parameter.require_grad",
        "parameter.requires_grad",
        "confirmed",
        "is frozen now",
    ),
    case(
        "a flag of a layer that was trained before",
        PRETRAINED,
        "for parameter in base.parameters():\n    parameter.require_grad = False\n",
        "base.requires_grad = False\n",
        "refuted",
        "still trained",
    ),
]
