"""What is on trial in a change, and in which order a program is driven to reach it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from autofix.source import parse
from autofix.verify.changes import changes
from autofix.verify.drives import drives
from autofix.verify.spans import Trial, trials


def on_trial(before: str, after: str) -> tuple[Trial, Trial]:
    before, after = dedent(before), dedent(after)
    return trials(before, after, changes(before, after))


def pieces(text: str, trial: Trial) -> list[str]:
    """The text of each span; a span of whole lines without its indentation."""
    lines = text.splitlines()
    found = []
    for line, column, end_line, end in trial.spans:
        assert line == end_line
        found.append(lines[line - 1].encode()[column:end].decode().strip())
    return found


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ("y = f(x.detach(), t.detach())", "y = f(x, t.detach())", ["x.detach()"], ["x"]),
        ("y = torch.tensor(a)", "y = torch.stack(a)", ["torch.tensor(a)"], ["torch.stack(a)"]),
        ("y = a.item() + b.item()", "y = a + b", ["a.item()", "b.item()"], ["a", "b"]),
        ("y = é.detach()", "y = é", ["é.detach()"], ["é"]),
        ("y = f(1)", "y = f(2)", ["1"], ["2"]),
        ("y = f(x)", "y = f(x, 1)", ["f(x)"], ["f(x, 1)"]),
        ("y = a - b", "y = a + b", ["a - b"], ["a + b"]),
        ("y = a", "y += a", ["y = a"], ["y += a"]),
        ("x.relu()", "x = x.relu()", ["x.relu()"], ["x = x.relu()"]),
    ],
)
def test_the_smallest_expressions_that_differ(
    before: str, after: str, old: list[str], new: list[str]
) -> None:
    first, second = on_trial(before, after)
    assert pieces(before, first) == old
    assert pieces(after, second) == new


def test_an_added_statement_is_on_trial_as_a_whole() -> None:
    first, second = on_trial("a = 1\nb = 2\n", "a = 1\nc = a.detach()\nb = 2\n")
    assert first.spans == ()
    assert [(line, end) for line, _, end, _ in second.spans] == [(2, 2)]


def test_imports_are_not_on_trial() -> None:
    first, second = on_trial("a = 1\n", "import torch\na = 1\n")
    assert first == second == Trial((), ())


def test_below_a_header_all_of_the_block_is_on_trial() -> None:
    before = """
        with torch.no_grad():
            y = f(x)
            z = y
        """
    after = """
        with torch.enable_grad():
            y = f(x)
            z = y
        """
    first, second = on_trial(before, after)
    assert first.regions == second.regions == ((2, 4),)


def test_a_decorator_puts_its_function_on_trial() -> None:
    before = "@torch.no_grad()\ndef f(x):\n    y = x\n    return y\n"
    after = "def f(x):\n    y = x\n    return y\n"
    first, second = on_trial(before, after)
    assert (1, 4) in first.regions
    assert (1, 3) in second.regions


def test_a_call_that_was_taken_away_takes_its_callee_along() -> None:
    first, second = on_trial("y = helper(x)\n", "y = x\n")
    assert first.regions == ((1, 1),)
    assert second.regions == ()


def targets(before: str, after: str) -> list[str]:
    before, after = dedent(before), dedent(after)
    return [drive.target for drive in drives(parse(after), changes(before, after))]


MODULE = """
    import torch
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(2, 2)
        def forward(self, x):
            return self.helper(self.inner(x))
        def helper(self, x):
            return x.detach()
        def other(self, x):
            return x.detach() * 2
    def unrelated(x):
        return x
    """


def test_a_file_that_only_defines_is_not_run() -> None:
    assert "" not in targets(MODULE, MODULE.replace("x.detach()\n", "x\n"))


@pytest.mark.parametrize(
    "line",
    [
        "train(Net())",
        "net = Net()",
        "for _ in range(2): Net()",
        "if __name__ == '__main__': main()",
    ],
)
def test_a_file_that_does_something_is_run_first(line: str) -> None:
    program = dedent(MODULE) + "def train(n): return n\ndef main(): Net()\n" + line + "\n"
    found = targets(program, program.replace("return x.detach()\n", "return x\n"))
    assert found[0] == ""
    assert len(found) > 1


def test_a_file_that_does_something_else_is_not_run() -> None:
    program = dedent(MODULE) + "print(unrelated(3))\n"
    assert "" not in targets(program, program.replace("return x.detach()\n", "return x\n"))


def test_a_method_that_forward_uses_is_reached_by_forward_first() -> None:
    found = targets(MODULE, MODULE.replace("return x.detach()\n", "return x\n"))
    assert found[:2] == ["Net.forward", "Net.helper"]
    assert "unrelated" not in found


def test_a_method_that_nothing_uses_is_called_by_itself_first() -> None:
    found = targets(MODULE, MODULE.replace("x.detach() * 2", "x * 2"))
    assert found[0] == "Net.other"


def test_a_constructor_is_judged_by_forward() -> None:
    found = targets(MODULE, MODULE.replace("Linear(2, 2)", "Linear(2, 3)"))
    assert found[0] == "Net.forward"


def test_the_caller_of_two_changed_functions_comes_before_each_of_them() -> None:
    before = """
        def one(x):
            return x.detach()
        def two(x):
            return x.detach()
        def both(x):
            return one(x) + two(x)
        """
    assert targets(before, before.replace(".detach()", ""))[0] == "both"


def test_a_line_of_a_class_body_builds_the_class() -> None:
    before = "class A:\n    rate = 1\n    def __init__(self):\n        self.x = self.rate\n"
    assert targets(before, before.replace("rate = 1", "rate = 2")) == ["A.__init__"]


def test_not_every_caller_of_a_helper_is_tried() -> None:
    callers = "".join(f"def f{number}(x):\n    return helper(x)\n" for number in range(20))
    before = "def helper(x):\n    return x.detach()\n" + callers
    found = targets(before, before.replace(".detach()", ""))
    assert found[0] == "helper"
    assert len(found) == 6


def test_a_case_of_a_match_is_on_trial_without_the_others() -> None:
    before = "match x:\n    case 1:\n        y = a.detach()\n    case _:\n        y = b\n"
    first, second = on_trial(before, before.replace("a.detach()", "a"))
    assert pieces(before, first) == ["a.detach()"]
    assert first.regions == ((3, 3),)
    assert second.regions == ()
