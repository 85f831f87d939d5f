"""Inputs have meaning: results depend on them, loops go round, and the changed lines are run."""

import ast
import sys
import types
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from autofix.verify import hints  # noqa: E402
from autofix.verify.child import inputs  # noqa: E402

HEAD = "import copy\nimport torch\nfrom torch import nn\nimport numpy as np\n"


def call(built: inputs.Built) -> bool:
    result = built.function(*built.args, **built.kwargs)
    if isinstance(result, torch.Tensor) and bool(result.isnan().any()):
        raise ValueError("the result is not a number")
    return inputs.tells(built, result)


def found(
    text: str, target: str, lines: tuple[tuple[int, int], ...] = ()
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    module = types.ModuleType("program")
    exec(compile(HEAD + text, "<program>", "exec"), module.__dict__)
    known = {**hints.for_function(ast.parse(HEAD + text), target), "lines": lines}
    return inputs.search(module.__dict__, target, known, 0, call), module.__dict__


def arguments(text: str, target: str) -> dict[str, Any]:
    return dict(found(text, target)[0][0]["arguments"])


def test_a_recurrence_over_time_goes_round_more_than_twice() -> None:
    text = """
def scan(x, decay):
    h = torch.zeros(x.shape[0], x.shape[2])
    for t in range(x.shape[1]):
        h = decay * h + x[:, t]
    return h
"""
    assert arguments(text, "scan")["x"]["shape"][1] >= 4


def test_rows_that_a_matrix_is_multiplied_with_are_vectors() -> None:
    text = """
def unroll(cell_w, cell_u, inputs, h0):
    h = h0
    for x in inputs:
        h = torch.tanh(cell_w @ x + cell_u @ h)
    return h
"""
    made = arguments(text, "unroll")
    assert [len(made[name]["shape"]) for name in ("cell_w", "cell_u", "inputs")] == [2, 2, 2]
    assert made["inputs"]["shape"][0] >= 4


def test_no_class_is_without_a_row() -> None:
    text = """
def protos(support_x, support_y, n_way):
    return torch.stack([support_x[support_y == k].mean(0) for k in range(n_way)])
"""
    (recipe, *_), namespace = found(text, "protos")
    for seed in range(5):
        built = inputs.build(namespace, recipe, seed)
        labels, ways = built.args[1], built.args[2]
        assert set(labels.tolist()) == set(range(ways))


def test_symbols_that_index_a_table_are_whole_and_many() -> None:
    text = """
def likelihood(emit, obs):
    alpha = emit[:, obs[0]]
    for t in range(1, len(obs)):
        alpha = alpha * emit[:, obs[t]]
    return alpha.sum()
"""
    made = arguments(text, "likelihood")["obs"]
    assert (made["dtype"], made["shape"] >= [4]) == ("long", True)


def test_what_is_constant_is_given_up_for_what_is_not() -> None:
    text = """
class Bounds(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = nn.Parameter(torch.tensor(1.5))
    def forward(self, x):
        return torch.relu(x - self.width)
"""
    (recipe, *_), namespace = found(text, "Bounds.forward")
    built = inputs.build(namespace, recipe, 0)
    assert inputs.tells(built, built.function(*built.args))


def test_a_constant_result_is_better_than_none() -> None:
    assert found("def zero(x):\n    return x * 0", "zero")[0]


def test_the_changed_lines_are_run_where_a_flag_decides() -> None:
    text = """
class Terse(nn.Module):
    def __init__(self, flip=False):
        super().__init__()
        self.flip = flip
        self.u = nn.Parameter(torch.ones(3))
    def basis(self):
        if self.flip:
            return -self.u
        return self.u
    def forward(self, x):
        return x * self.basis()
"""
    line = (HEAD + text).splitlines().index("            return -self.u") + 1
    recipe = found(text, "Terse.forward", ((line, line),))[0][0]
    assert recipe["instance"]["kwargs"]["flip"] == {"is": "value", "value": True}


def test_batches_enough_for_what_happens_now_and_then() -> None:
    text = """
class Trainer:
    def __init__(self, model, accum=4):
        self.model, self.accum = model, accum
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    def run(self, micro_batches):
        for i, (x, y) in enumerate(micro_batches):
            ((self.model(x) - y) ** 2).mean().backward()
            if (i + 1) % self.accum == 0:
                self.optimizer.step()
"""
    line = (HEAD + text).splitlines().index("                self.optimizer.step()") + 1
    recipe = found(text, "Trainer.run", ((line, line),))[0][0]
    assert len(dict(recipe["arguments"])["micro_batches"]["items"]) == 8


def test_an_argument_is_what_the_method_makes_of_it_that_gets_it() -> None:
    text = """
class Trainer:
    def __init__(self, model, lr=0.1):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    def epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            ((self.model(x) - y) ** 2).mean().backward()
            self.optimizer.step()
    def fit(self, data, epochs=1):
        for _ in range(epochs):
            self.epoch(data)
        return self.model
"""
    made = arguments(text, "Trainer.fit")
    assert made["data"]["items"][0]["is"] == "tuple"
    assert made["epochs"]["value"] == 3


def test_an_optimizer_of_a_constructor_has_the_weights_of_its_model() -> None:
    text = """
class Agent:
    def __init__(self, net, optimizer):
        self.net, self.optimizer = net, optimizer
    def update(self, states, returns):
        self.optimizer.zero_grad()
        (self.net(states) - returns).pow(2).mean().backward()
        self.optimizer.step()
"""
    (recipe, *_), namespace = found(text, "Agent.update")
    agent: Any = inputs.build(namespace, recipe, 0).instance
    held = {id(p) for group in agent.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in agent.net.parameters()}


def test_a_module_makes_its_parameters_of_plain_data() -> None:
    text = """
class Anchors(nn.Module):
    def __init__(self, boxes):
        super().__init__()
        self.boxes = nn.Parameter(boxes.clone())
    def forward(self, x):
        return self.boxes.sum() * x
"""
    (recipe, *_), namespace = found(text, "Anchors.forward")
    built = inputs.build(namespace, {**recipe, "style": "graph"}, 0)
    assert {name: leaf.requires_grad for name, leaf in built.inputs} == {
        "self(boxes)": False,
        "x": True,
    }


def test_arrays_are_in_double_precision_where_that_is_taken() -> None:
    text = """
def principal(data):
    return torch.from_numpy(np.linalg.svd(data)[2]).float()
def scores(model, data):
    return model(torch.from_numpy(data))
"""
    assert arguments(text, "principal")["data"]["tensor"]["dtype"] == "double"
    (recipe, *_), namespace = found(text, "scores")
    assert inputs.build(namespace, recipe, 0).args[1].dtype == np_single()


def np_single() -> Any:
    return torch.zeros(1).numpy().dtype


def test_a_list_of_modules_has_several() -> None:
    text = """
class Ensemble(nn.Module):
    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)
    def forward(self, x):
        return sum(m(x) for m in self.members)
"""
    recipe = found(text, "Ensemble.forward")[0][0]
    assert len(recipe["instance"]["kwargs"]["members"]["items"]) == 3


def test_a_model_whose_state_is_copied_has_buffers() -> None:
    text = """
def snapshot(model, x):
    state = model.state_dict()
    return model(x), state
"""
    (recipe, *_), namespace = found(text, "snapshot")
    assert list(inputs.build(namespace, recipe, 0).args[0].buffers())


def test_a_base_without_forward_is_built() -> None:
    text = """
class Base(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.k = nn.Parameter(torch.randn(d))
"""
    (recipe, *_), namespace = found(text, "Base.__init__")
    made = inputs.build(namespace, recipe, 0).function()
    assert [type(one).__name__ for one in made] == ["Base"]


def test_what_needs_a_gpu_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(inputs.Failed, match="asks for a GPU"):
        found("def f(x):\n    return x.cuda() * 2", "f")


def test_an_import_is_not_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3.2)\nnumber = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "def f(x):\n    import slow_to_import\n    return x * slow_to_import.number"
    assert found(text, "f")[0]
    del sys.modules["slow_to_import"]
