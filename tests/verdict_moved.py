"""Pairs in which a stop is moved: what one caller makes of the result may be right by chance."""

from verdict_case import case

RATIO = """
def gain(have, want):
    return (have * ((have + 1e-9).log().detach() - (want + 1e-9).log())).sum(-1)

def even(have, want):
    both = 0.5 * (have + want)
    return 0.5 * gain(have, both) + 0.5 * gain(want, both)
"""
CENTRE = """
def centre(weights, places):
    '''weights: a tensor of shape (2, 3, 4, 4)
    places: a tensor of shape (4,)'''
    sums = []
    for axis in range(2, weights.ndim):
        rest = weights
        for other in range(weights.ndim - 1, 1, -1):
            if other != axis:
                rest = rest.sum(other)
        sums.append((rest * places).sum(-1).detach())
    return torch.stack(sums, -1)

def middle(line):
    '''line: a tensor of shape (B, C, L)'''
    return centre(line, torch.linspace(-1.0, 1.0, line.shape[-1]))
"""

TABLES = """
torch.manual_seed(0)
class Tables(nn.Module):
    def __init__(self):
        super().__init__()
        self.day = nn.Embedding(6, 3)
        self.part = nn.Embedding(2, 3)
        start = self.day.weight.data[::3]
        start.mul_(0.2)
        self.part.weight.data.copy_(start)

    def forward(self, day):
        return torch.tanh(self.day(day) + self.part(day // 3)).sum(-1)

net = Tables()
opt = torch.optim.Adagrad(net.parameters(), lr=0.1)
days = torch.randint(0, 6, (20,))
for _ in range(4):
    opt.zero_grad()
    loss = (net(days) - days / 6).pow(2).mean()
    loss.backward()
    opt.step()
print(loss.item())
"""
SCALED = "        start = self.day.weight.data[::3]\n        start.mul_(0.2)\n"

FADING = """
torch.manual_seed(0)
class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.begin = nn.Parameter(0.1 * torch.randn(1, 5))
        self.cell = nn.RNNCell(2, 5)
        with torch.no_grad():
            self.cell.weight_hh.mul_(0.3)

    def forward(self, seq):
        state = self.begin.tanh().expand(seq.shape[0], -1)
        state[:, 0] += 1.0
        for x in seq.unbind(1):
            state = self.cell(x, state)
        return state.sum(-1)

net = Recurrent()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
data = torch.randn(4, 9, 2)
for _ in range(3):
    opt.zero_grad()
    net(data).square().mean().backward()
    opt.step()
"""
EXPANDED = ".expand(seq.shape[0], -1)"

SECOND = """
torch.manual_seed(0)
slope = torch.tensor(1.0, requires_grad=True)
opt = torch.optim.SGD([slope], lr=0.1)
for _ in range(3):
    opt.zero_grad()
    (slope * torch.arange(4.0) - 2.0).pow(2).mean().backward()
    opt.step()
at = torch.tensor([3, 5], requires_grad=True)
search = torch.optim.SGD([at], lr=0.02)
for _ in range(3):
    search.zero_grad()
    (slope.detach() * at - 1.0).pow(2).sum().backward()
    search.step()
print(at)
"""

MOVES = [
    case("a scaled view, copied first", TABLES, "[::3]\n", "[::3].clone()\n", "confirmed"),
    case(
        "a scaled view, copied too late",
        TABLES,
        SCALED,
        SCALED.replace("start.mul_(0.2)", "start = start.mul_(0.2).clone()"),
        "inconclusive",
        "nothing to confirm",
    ),
    case("an expanded start, copied", FADING, EXPANDED, EXPANDED + ".clone()", "confirmed"),
    case(
        "a start that matters little, stopped",
        FADING,
        EXPANDED,
        ".detach()" + EXPANDED + ".clone()",
        "refuted",
        "gets no gradient",
    ),
    case("an optimizer after the crash", SECOND, "[3, 5]", "[3.0, 5.0]", "confirmed"),
    case("another start after the crash", SECOND, "[3, 5]", "[0.3, 0.5]", "inconclusive", "never"),
    case(
        "an optimizer after the crash with another number",
        SECOND,
        """\
[3, 5], requires_grad=True)
search = torch.optim.SGD([at], lr=0.02)""",
        """\
[3.0, 5.0], requires_grad=True)
search = torch.optim.SGD([at], lr=0.03)""",
        "inconclusive",
        "numbers",
    ),
    case("a stop is gone from a ratio", RATIO, ".log().detach()", ".log()", "confirmed"),
    case(
        "a stop round the whole ratio",
        RATIO,
        "((have + 1e-9).log().detach() - (want + 1e-9).log())",
        "((have + 1e-9).log() - (want + 1e-9).log()).detach()",
        "inconclusive",
        "stop the gradient",
    ),
    case("a stop is gone from sums", CENTRE, ".sum(-1).detach()", ".sum(-1)", "confirmed"),
    case(
        "a stop moved to where one caller does not come",
        CENTRE,
        """\
                rest = rest.sum(other)
        sums.append((rest * places).sum(-1).detach())
""",
        """\
                rest = rest.sum(other).detach()
        sums.append((rest * places).sum(-1))
""",
        "inconclusive",
    ),
]
