"""One execution under observation: leaves, exits from the graph, backward passes, steps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from autofix.verify.child import chance, constructors, hooks, tensors  # noqa: E402
from autofix.verify.child.drive import Drive, Execution, execute  # noqa: E402
from autofix.verify.child.mode import Mode  # noqa: E402
from autofix.verify.child.plan import Plan, direction  # noqa: E402
from autofix.verify.child.program import Program  # noqa: E402
from autofix.verify.child.session import EVENTS, LATE, Stop  # noqa: E402

# The hooks are installed once per process, and stay: without a session they do nothing.
hooks.install()


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    state, python = torch.get_rng_state(), random.getstate()
    yield
    chance.seed(0)
    constructors.set_precision(False)
    torch.set_rng_state(state)
    random.setstate(python)


def executed(
    text: str, mode: str = "exact", spans: Any = (), regions: Any = (), **given: Any
) -> Execution:
    text = "import torch\nfrom torch import nn\n" + dedent(text)
    program = Program(text, "/nowhere/watched.py", "_watched")
    plan = given.pop("plan", None) or Plan([*spans], [*regions])
    tape = given.pop("tape", None)
    return execute(program, Drive(), Mode(mode, **given), plan, tape)


def shifted(text: str, live: str = "spans", spans: Any = (), regions: Any = ()) -> list[float]:
    """By how much the losses change when all leaves move: a difference quotient for each."""
    plan = Plan([*spans], [*regions])
    exact = executed(text, plan=plan)
    assert exact.raised is None
    plan.scales = {leaf.index: (leaf.key, 1.0) for leaf in exact.session.leaves}
    base = executed(text, "base", plan=plan)
    sides = [
        executed(
            text, "shifted", plan=plan, live=live, direction=0, sign=sign, tape=base.session.tape
        )
        for sign in (1.0, -1.0)
    ]
    assert [one.session.diverged for one in sides] == [None, None]
    ups, downs = ([event.value for event in one.session.events] for one in sides)
    return [(up - down) / 2e-6 for up, down in zip(ups, downs, strict=True)]


def analytic(text: str) -> list[float]:
    run = executed(text)
    leaves = run.session.leaves
    return [
        sum(
            float((grad * direction(leaves[index].key, leaves[index].key[0], 0)).sum())
            for index, grad in event.gradients.items()
        )
        for event in run.session.events
    ]


SMOOTH = """
    w = torch.tensor([0.5, -0.3], requires_grad=True)
    v = torch.tensor([1.5, 0.7], requires_grad=True)
    loss = (torch.sin(w) * v).sum()
    loss.backward()
    """


def test_differences_equal_the_gradient() -> None:
    assert shifted(SMOOTH) == pytest.approx(analytic(SMOOTH), rel=1e-6)


STOPS = [
    "h = w.detach()",
    "h = torch.tensor([w[0].item(), w[1].item()])",
    "h = torch.tensor(w.tolist())",
    "h = torch.from_numpy(w.detach().numpy())",
    "h = w.data",
    "with torch.no_grad(): h = w * 1",
    "h = torch.empty(2)\nwith torch.no_grad(): h.copy_(w)",
    "h = torch.zeros(2)\nwith torch.no_grad(): h += w",
    "h = torch.zeros(2)\nwith torch.no_grad(): h[:] = w",
]


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_is_held_unless_it_is_on_trial(stop: str) -> None:
    def program(lines: str) -> str:
        indented = "".join(f"    {line}\n" for line in lines.splitlines())
        return SMOOTH.replace("    loss =", indented + "    loss =").replace("sin(w)", "sin(h * 2)")

    text, free = program(stop), program("h = w * 1")
    assert shifted(text, "none") == pytest.approx(analytic(text), rel=1e-6)
    assert shifted(text, "spans") == pytest.approx(analytic(text), rel=1e-6)
    first = 2 + 3 + 1
    on_trial = [(first, 0, first + len(stop.splitlines()) - 1, 1_000_000)]
    assert shifted(text, "spans", on_trial) == pytest.approx(analytic(free), rel=1e-6)
    assert shifted(text, "spans", on_trial) != pytest.approx(analytic(text), rel=1e-2)


def test_a_region_has_what_is_called_below_it_on_trial() -> None:
    text = """
    def helper(x):
        return x.detach()
    w = torch.tensor([0.5, -0.3], requires_grad=True)
    loss = (helper(w) * w).sum()
    loss.backward()
    """
    held, on_trial = shifted(text), shifted(text, regions=[(7, 7)])
    assert held == pytest.approx(analytic(text), rel=1e-6)
    assert on_trial == pytest.approx([2 * held[0]], rel=1e-6)


def test_only_the_expression_on_trial_is_open() -> None:
    text = """
    w = torch.tensor([0.5], requires_grad=True)
    loss = (w.detach() * w * w.detach()).sum()
    loss.backward()
    """
    line = "loss = (w.detach() * w * w.detach()).sum()"
    start = line.index("w.detach()")
    one = shifted(text, spans=[(5, start, 5, start + len("w.detach()"))])
    held, every = shifted(text), shifted(text, "all")
    assert one == pytest.approx([2 * held[0]], rel=1e-6)
    assert every == pytest.approx([3 * held[0]], rel=1e-6)


def test_exits_are_counted_by_line_and_name() -> None:
    run = executed(SMOOTH.replace("loss =", "x = w.detach(), v.sum().item()\n    loss ="), "base")
    assert run.session.exits == {(6, "detach"): 1, (6, "item"): 1}


def test_a_leaf_is_known_from_its_first_use() -> None:
    run = executed(
        """
        unused = torch.ones(3, requires_grad=True)
        w = torch.ones(2, requires_grad=True)
        before = w.shape, w.requires_grad
        loss = (w * 2).sum()
        (w * 3).sum()
        loss.backward()
        """
    )
    assert [(leaf.name, leaf.line, leaf.key[0]) for leaf in run.session.leaves] == [("w", 7, (2,))]


def test_leaves_with_the_same_values_are_counted() -> None:
    run = executed(
        """
        a = torch.ones(2, requires_grad=True)
        b = torch.ones(2, requires_grad=True)
        (a * b).sum().backward()
        """
    )
    first, second = run.session.leaves
    assert first.key[:2] == second.key[:2]
    assert (first.key[2], second.key[2]) == (0, 1)


@pytest.mark.parametrize(
    "made",
    [
        "torch.ones(2)",
        "torch.ones(2, dtype=torch.float32)",
        "torch.FloatTensor([1, 2])",
        "torch.tensor([1.0, 2.0]).float()",
        "torch.ones(2).to(torch.float32)",
        "torch.ones(2).half()",
        "torch.ones(2).type(torch.FloatTensor)",
        "torch.from_numpy(__import__('numpy').ones(2, dtype='float32'))",
        "torch.as_tensor(__import__('numpy').ones(2, dtype='float32'))",
        "torch.tensor(__import__('numpy').ones(2, dtype='float32'))",
        "torch.Tensor([1, 2])",
        "nn.Linear(2, 2).weight",
        "nn.Linear(2, 2).float().weight",
    ],
)
def test_exact_runs_are_in_float64(made: str) -> None:
    program = f"x = {made}\n"
    assert executed(program).namespace["x"].dtype is torch.float64
    assert executed(program, "plain").namespace["x"].dtype is not torch.float64


def test_integers_stay_integers() -> None:
    found = executed("x = torch.ones(2).long(), torch.tensor([1, 2]), torch.ones(2) > 0\n")
    kinds = [one.dtype for one in found.namespace["x"]]
    assert kinds == [torch.int64, torch.int64, torch.bool]


TRAINED = """
    torch.manual_seed(3)
    net = nn.Linear(2, 1)
    start = net.weight.detach().clone()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        opt.zero_grad()
        net(torch.ones(4, 2)).pow(2).mean().backward()
        opt.step()
    """


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
def test_steps_are_taken_as_it_stands_and_left_out_else(optimizer: str) -> None:
    text = TRAINED.replace("SGD", optimizer)
    plain, exact = executed(text, "plain"), executed(text)
    assert plain.session.steps == 2
    assert all(leaf.moved for leaf in plain.session.leaves)
    assert plain.session.events[0].value != plain.session.events[1].value
    assert exact.session.events[0].value == exact.session.events[1].value
    assert torch.equal(exact.namespace["net"].weight, exact.namespace["start"])


def test_steps_by_hand_are_left_out_too() -> None:
    text = """
    w = torch.ones(2, requires_grad=True)
    for _ in range(2):
        (w ** 2).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad.zero_()
    """
    assert [event.value for event in executed(text).session.events] == [2.0, 2.0]
    first, second = [event.value for event in executed(text, "plain").session.events]
    assert second == pytest.approx(2 * 0.64)
    assert first == 2.0


def test_a_closure_is_called_also_without_a_step() -> None:
    text = """
    w = torch.ones(2, requires_grad=True)
    opt = torch.optim.LBFGS([w], lr=0.1, max_iter=2)
    def closure():
        opt.zero_grad()
        loss = (w ** 2).sum()
        loss.backward()
        return loss
    opt.step(closure)
    opt.step(closure)
    """
    exact = executed(text)
    assert [event.value for event in exact.session.events] == [2.0, 2.0]
    assert torch.equal(exact.namespace["w"], torch.ones(2, dtype=torch.float64))
    plain = executed(text, "plain")
    assert plain.session.leaves[0].moved
    assert len(plain.session.events) >= 2


def test_enough_backward_passes_are_enough() -> None:
    text = """
    w = torch.ones(2, requires_grad=True)
    while True:
        try:
            (w ** 2).sum().backward()
        except Exception:
            pass
    """
    run = executed(text)
    # Nothing of it counts as changed, so that as many as can be are waited for.
    assert len(run.session.events) == LATE + EVENTS
    assert not issubclass(Stop, Exception)


def test_the_seed_shifts_what_the_program_seeds() -> None:
    text = "import random\nimport numpy\n"
    text += "torch.manual_seed(0)\nrandom.seed(0)\nnumpy.random.seed(0)\n"
    text += "x = torch.rand(2).tolist(), random.random(), float(numpy.random.rand())\n"
    first, again = executed(text, seed=0), executed(text, seed=0)
    other = executed(text, seed=1)
    assert first.namespace["x"] == again.namespace["x"]
    pairs = zip(first.namespace["x"], other.namespace["x"], strict=True)
    assert all(a != b for a, b in pairs)


def test_layers_start_alike_wherever_they_are_made() -> None:
    first = executed("a = nn.Linear(2, 2)\nb = nn.Linear(3, 3)\n").namespace
    other = executed("torch.rand(5)\nb = nn.Linear(3, 3)\na = nn.Linear(2, 2)\n").namespace
    assert torch.equal(first["a"].weight, other["a"].weight)
    assert torch.equal(first["b"].weight, other["b"].weight)
    two = executed("a = nn.Linear(2, 2)\nb = nn.Linear(2, 2)\n").namespace
    assert not torch.equal(two["a"].weight, two["b"].weight)


def test_loaders_have_no_workers() -> None:
    run = executed(
        """
        from torch.utils.data import DataLoader, TensorDataset
        data = TensorDataset(torch.arange(6.0))
        loader = DataLoader(data, 2, True, num_workers=3, persistent_workers=True)
        """,
        "plain",
    )
    assert run.raised is None
    loader = run.namespace["loader"]
    assert (loader.num_workers, loader.batch_size, loader.persistent_workers) == (0, 2, False)


def test_a_crash_is_told_with_its_line() -> None:
    run = executed("x = torch.ones(2)\nx.sum().backward()\n", "plain")
    assert run.raised is not None
    assert run.raised["type"] == "RuntimeError"
    assert run.raised["line"] == 4
    assert "does not require grad" in run.raised["message"]
    assert [event.raised is not None for event in run.session.events] == [True]


def test_warnings_of_torch_are_told_with_the_line_of_the_program() -> None:
    run = executed("x = torch.ones(2)\ny = torch.tensor(x)\n", "plain")
    assert [one.split(":")[:2] for one in run.warnings] == [["4", " UserWarning"]]


def test_without_a_session_torch_is_as_ever() -> None:
    w = torch.ones(2, requires_grad=True)
    opt = torch.optim.SGD([w], lr=0.5)
    (w**2).sum().backward()
    opt.step()
    assert torch.equal(w.detach(), torch.zeros(2))


class Holder:
    def __init__(self) -> None:
        self.a = torch.ones(1)
        self.me = self


def test_tensors_inside_values() -> None:
    a, b, c = (torch.full((1,), float(number)) for number in range(3))
    assert [*tensors.inside([a, {"x": (b, 3, "text")}, None, [[c]]])] == [a, b, c]
    held = {"x": [a, Holder()], "net": torch.nn.Linear(1, 1)}
    names = ["['x'][0]", "['x'][1].a", "['net'].weight", "['net'].bias"]
    assert [name for name, _ in tensors.deep(held)] == names


def test_results_are_tensors_and_floats_in_order() -> None:
    a = torch.ones(2)
    assert [*tensors.results((a, 1, True, {"x": 0.5}, "text"))] == [a, 0.5]


def test_digests_tell_values_and_shapes_apart() -> None:
    a = torch.arange(6.0)
    assert tensors.digest(a) == tensors.digest(a.double().clone())
    assert tensors.digest(a) != tensors.digest(a + 1)
    assert tensors.digest(a) != tensors.digest(a.reshape(2, 3))
    assert tensors.digest(a.reshape(2, 3).t()) == tensors.digest(a.reshape(2, 3).t().contiguous())
    assert tensors.digest(a[2:4]) == tensors.digest(a[2:4].clone())


def test_one_number_of_all_outputs_depends_on_each_element() -> None:
    a = torch.rand(3, requires_grad=True)
    b = torch.rand(2, dtype=torch.complex64, requires_grad=True)
    root = tensors.scalar([a, b])
    first, second = torch.autograd.grad(root, [a, b])
    assert len(set(first.tolist())) == 3
    assert bool((second.abs() > 0).all())
    softmax = torch.autograd.grad(tensors.scalar([a.softmax(0)]), a)[0]
    assert float(softmax.abs().sum()) > 1e-3


def test_plain_values_of_any_tensor() -> None:
    sparse = torch.eye(2).to_sparse()
    assert torch.equal(tensors.plain(sparse), torch.eye(2, dtype=torch.float64))
    assert tensors.plain(torch.ones(2, dtype=torch.complex64)).shape == (2, 2)
    a = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert tensors.plain(a).data_ptr() != a.data_ptr()


def test_nodes_and_leaves_behind_a_tensor() -> None:
    a = torch.ones(2, requires_grad=True)
    size, leaves = tensors.nodes_behind((a * 2).sum())
    assert size == 3
    assert leaves == [a]
    assert tensors.nodes_behind(torch.ones(2)) == (0, [])
