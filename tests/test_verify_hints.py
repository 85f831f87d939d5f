"""What the source says of the inputs of a function."""

import ast
import json
import textwrap
from typing import Any

from autofix.verify import hints


def hints_of(source: str, target: str) -> dict[str, Any]:
    return hints.for_function(ast.parse(textwrap.dedent(source)), target)


def parameter(source: str, name: str, target: str = "f") -> dict[str, Any]:
    found: dict[str, Any] = hints_of(source, target)["functions"][target]["parameters"][name]
    return found


def part(record: dict[str, Any], kind: str, key: Any) -> dict[str, Any]:
    return next(inner for k, name, inner in record["parts"] if (k, name) == (kind, key))


def test_hints_are_json() -> None:
    source = (
        "def f(a, b=(1, 2), *c, d: 'int' = 3, **e):\n    return a[0] + a['x'] + a.y + b[..., -1]"
    )
    found = hints_of(source, "f")
    assert json.loads(json.dumps(found)) == found


def test_the_rank_is_that_of_the_unpacked_shape() -> None:
    assert parameter("def f(x):\n    b, c, h, w = x.shape", "x")["facts"]["rank"] == 4
    assert parameter("def f(x):\n    b, *r = x.size()", "x")["facts"]["rank at least"] == 1


def test_an_index_says_how_long_a_dimension_is_at_least() -> None:
    facts = parameter("def f(x):\n    return x[:, 2], x[..., -3]", "x")["facts"]
    assert [1, 3] in facts["sizes at least"]
    assert [-1, 3] in facts["sizes at least"]
    assert facts["rank at least"] == 2


def test_a_value_of_the_same_shape_tells_as_much() -> None:
    source = "def f(q):\n    q = q / q.norm(dim=1, keepdim=True)\n    return q[:, 3]"
    assert parameter(source, "q")["facts"]["sizes at least"] == [[1, 4]]


def test_batches_of_a_loader_are_parts_of_it() -> None:
    source = """
        import torch.nn.functional as F
        def f(model, loader):
            for i, (x, y) in enumerate(loader):
                loss = F.cross_entropy(model(x.to("cpu")), y)
    """
    each = part(parameter(source, "loader"), "each", 0)
    assert each["facts"]["unpack"] == 2
    assert part(each, "item", 1)["facts"]["labels"]
    assert parameter(source, "model")["facts"]["called"] == 1


def test_an_alias_of_torch_is_torch() -> None:
    source = "from torch import linalg as la\ndef f(m):\n    return la.det(m)"
    assert parameter(source, "m")["facts"]["square"]


def test_a_name_that_is_bound_again_is_no_longer_the_parameter() -> None:
    assert "count" not in parameter("def f(n):\n    n = 3\n    range(n)", "n")["facts"]


def test_what_a_helper_does_is_done_to_its_argument() -> None:
    source = """
        def g(angle):
            return torch.tensor([torch.cos(angle), torch.sin(angle)])
        def f(theta):
            return g(theta)
    """
    assert parameter(source, "theta")["facts"]["element"]


def test_what_methods_do_with_an_attribute_is_done_to_the_argument_it_came_from() -> None:
    source = """
        class Trainer:
            def __init__(self, model):
                self.model = model
            def step(self, x):
                return self.model(x)
    """
    facts = parameter(source, "model", "Trainer.__init__")["facts"]
    assert facts["called"] == 1


def test_elements_of_a_built_tensor_are_scalars() -> None:
    source = "import torch\ndef f(t):\n    c = t.cos()\n    return torch.tensor([[c, -c]])"
    assert parameter(source, "t")["facts"]["element"]


def test_strings_that_a_parameter_is_compared_with_are_kept() -> None:
    source = "def f(mode):\n    if mode == 'a': pass\n    elif mode in ('b', 'c'): pass"
    assert parameter(source, "mode")["facts"]["strings"] == ["a", "b", "c"]


def test_a_call_in_the_file_gives_its_arguments() -> None:
    source = """
        import torch
        class Net: pass
        hidden = 16
        net = Net(4, hidden=hidden)
        def f(x, n, other): pass
        f(torch.randn(2, 3), 5, unknown())
    """
    calls = hints_of(source, "f")["calls"]
    assert calls["Net"] == [{"args": [{"is": "value", "value": 4}],
                             "kwargs": {"hidden": {"is": "value", "value": 16}}}]  # fmt: skip
    x, n, other = calls["f"][0]["args"]
    assert (x["shape"], n["value"], other) == ([2, 3], 5, None)


def test_a_name_bound_twice_is_not_read_off() -> None:
    source = "n = 1\nn = 2\ndef f(n, m): pass\nf(n, 3)"
    assert hints_of(source, "f")["calls"]["f"][0]["args"][0] is None


def test_calls_of_instances_are_those_of_the_class() -> None:
    source = """
        import torch
        class Net:
            def loss(self, x): pass
        net = Net()
        def main():
            net(torch.ones(3)); net.loss(torch.ones(2))
    """
    calls = hints_of(source, "Net.loss")["calls"]
    assert calls["Net.forward"][0]["args"][0]["shape"] == [3]
    assert calls["Net.loss"][0]["args"][0]["shape"] == [2]


def test_docstrings_of_three_styles_give_shapes() -> None:
    source = '''
        def f(a, b, c):
            """Do.

            Args:
                a: the image with shape :math:`(B, C, H, W)`.
                b (Tensor): rotation, Nx3x3.

            :param c: points (*, 3)
            """
    '''
    assert parameter(source, "a")["shapes"] == [["B", "C", "H", "W"]]
    assert parameter(source, "b")["shapes"] == [["N", "3", "3"]]
    assert parameter(source, "c")["shapes"] == [["*", "3"]]


def test_each_line_knows_the_parameters_that_reach_it() -> None:
    flow = hints_of("def f(a, b):\n    c = a + 1\n    d = b\n    return c", "f")
    assert flow["functions"]["f"]["flow"] == {"2": ["a"], "3": ["b"], "4": ["a"]}
