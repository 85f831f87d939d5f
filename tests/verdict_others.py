"""Pairs of which nothing, or nothing good, can be said; and clean-ups that change nothing."""

from verdict_case import case
from verdict_gradients import FORWARD, SCRIPT

WARNING = """
def total(x: torch.Tensor):
    parts = torch.tensor(x) if not x.requires_grad else x
    return (parts * 2).sum()

x = torch.ones(3)
w = torch.ones(3, requires_grad=True)
loss = (torch.tensor(x) * w).sum()
loss.backward()
"""

DATA = """
w = torch.ones(3, requires_grad=True)
for _ in range(3):
    loss = ((w - torch.tensor([0.5, 2.0, 3.0])) ** 2).sum()
    loss.backward()
    w.data -= 0.1 * w.grad
    w.grad.zero_()
"""

RANDOM = """
import time
net = nn.Linear(3, 1)
h = net(torch.ones(2, 3)) * (time.perf_counter_ns() % 1000)
loss = (h.detach() + net.weight.sum()).mean()
loss.backward()
"""

KINK = """
w = torch.zeros(3, requires_grad=True)
v = torch.ones(3, requires_grad=True)
loss = w.abs().detach().sum() + (v * 0).abs().sum()
loss.backward()
"""

MISSING = """
import a_package_that_is_not_here
net = nn.Linear(3, 1)
net(torch.ones(2, 3)).detach().sum().backward()
"""

NEVER = """
def unused(x):
    return x.detach() * 2

if False:
    print(unused(1))
"""

CLEAN = [
    case(
        "without a warning",
        WARNING,
        "loss = (torch.tensor(x)",
        "loss = (x.clone()",
        "confirmed",
        "without the warning",
    ),
    case(
        "without `.data`",
        DATA,
        "    w.data -= 0.1 * w.grad\n",
        "    with torch.no_grad():\n        w -= 0.1 * w.grad\n",
        "confirmed",
        "without `.data`",
    ),
    case(
        "without `.data`, another step",
        DATA,
        "    w.data -= 0.1 * w.grad\n",
        "    with torch.no_grad():\n        w -= 0.2 * w.grad\n",
        "refuted",
    ),
]

UNCERTAIN = [
    case("not deterministic", RANDOM, "h.detach()", "h", "inconclusive", "not deterministic"),
    case("a kink", KINK, "w.abs().detach()", "w.abs()", "inconclusive", "kink"),
    case(
        "a package that is missing",
        MISSING,
        ".detach()",
        "",
        "inconclusive",
        "a_package_that_is_not_here",
    ),
    case("nothing to run", "x = 1\n", "x = 1", "x = 2", "inconclusive"),
]

SAME = [
    case(
        "a comment",
        SCRIPT,
        "opt.zero_grad()",
        "opt.zero_grad()  # fresh",
        "inconclusive",
        "nothing to confirm",
    ),
    case(
        "another layout",
        SCRIPT,
        "x, y = torch.randn(8, 3), torch.randn(8, 1)",
        "x, y = (\n    torch.randn(8, 3),\n    torch.randn(8, 1),\n)",
        "inconclusive",
        "nothing to confirm",
    ),
    case(
        "a temporary variable",
        SCRIPT,
        "h = torch.tensor(torch.tanh(first(x)).tolist())",
        "rows = torch.tanh(first(x)).tolist()\n    h = torch.tensor(rows)",
        "inconclusive",
        "nothing to confirm",
    ),
    case(
        "a temporary variable in a forward",
        FORWARD,
        "h = torch.from_numpy(self.inner(x).detach().numpy())",
        "z = self.inner(x)\n        h = torch.from_numpy(z.detach().numpy())",
        "inconclusive",
        "nothing to confirm",
    ),
    case("another spelling", SCRIPT, "** 2", "** 2.0", "inconclusive", "nothing to confirm"),
]

BROKEN = [
    case(
        "a name that nothing binds",
        SCRIPT,
        "torch.tanh(first(x))",
        "torch.tanh(frist(x))",
        "refuted",
        "`frist`",
    ),
    case(
        "an import that is not there",
        SCRIPT,
        "torch.tensor(torch.tanh(first(x)).tolist())",
        "F.tanh(first(x))",
        "refuted",
        "`F`",
    ),
    case(
        "an exception that is new",
        SCRIPT,
        "torch.tensor(torch.tanh(first(x)).tolist())",
        "torch.tanh(first(x)).flatten()",
        "refuted",
        "the original does not",
    ),
]
