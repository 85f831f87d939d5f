"""Inputs are found with which functions of the usual kinds run, and are the same each time."""

import ast
import json
import types
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from inputs_program import TEXT  # noqa: E402

from autofix.verify import hints  # noqa: E402
from autofix.verify.child import inputs  # noqa: E402


def call(built: inputs.Built) -> None:
    built.function(*built.args, **built.kwargs)


def found(target: str, more: str = "") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    text = TEXT + more
    module = types.ModuleType("program")
    exec(compile(text, "<program>", "exec"), module.__dict__)
    known = json.loads(json.dumps(hints.for_function(ast.parse(text), target)))
    return inputs.search(module.__dict__, target, known, 0, call), module.__dict__


def arguments(target: str) -> dict[str, Any]:
    recipe = found(target)[0][0]
    return dict(recipe["arguments"])


@pytest.mark.parametrize(
    "target",
    """Net.forward Net.__init__ Convolutions.forward Tagger.forward Cell.forward Attention.forward
    Double.forward Buffer.sample Buffer.__init__ Trainer.step rotation train fit td_step focal_loss
    log_det simulate kernel quaternion unpack sgd from_config act returns plot twins pairs
    doubled""".split(),
)
def test_runs(target: str) -> None:
    recipes, namespace = found(target)
    assert 1 <= len(recipes) <= 3
    for recipe in recipes:
        recipe = json.loads(json.dumps(recipe))
        call(inputs.build(namespace, recipe, 7))


@pytest.mark.parametrize("target", ["train", "Cell.forward", "quaternion"])
def test_the_same_search_gives_the_same_recipes(target: str) -> None:
    torch.manual_seed(1)
    first = found(target)[0]
    torch.manual_seed(2)
    assert found(target)[0] == first


def test_a_recipe_and_a_seed_give_the_same_bits() -> None:
    (recipe, *_), namespace = found("train")
    first = inputs.build(namespace, recipe, 3)
    torch.rand(5)
    again = inputs.build(namespace, recipe, 3)
    other = inputs.build(namespace, recipe, 4)
    assert [name for name, _ in first.inputs] == [name for name, _ in again.inputs]
    for number, (_, tensor) in enumerate(first.inputs):
        assert torch.equal(tensor, again.inputs[number][1])
        assert not torch.equal(tensor, other.inputs[number][1])
    builds: list[Any] = [first, again, other]
    weights = [dict(built.modules)["model"].fc1.weight for built in builds]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_building_leaves_the_random_state_alone() -> None:
    (recipe, *_), namespace = found("Net.forward")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    inputs.build(namespace, recipe, 0)
    assert torch.equal(torch.rand(3), expected)


def test_values_are_those_of_the_default_dtype() -> None:
    (recipe, *_), namespace = found("rotation")
    single = inputs.build(namespace, recipe, 0).inputs[0][1]
    torch.set_default_dtype(torch.float64)
    try:
        double = inputs.build(namespace, recipe, 0).inputs[0][1]
    finally:
        torch.set_default_dtype(torch.float32)
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), single)


def test_a_tensor_of_a_plain_function_carries_a_graph_and_the_leaf_is_kept() -> None:
    (recipe, *_), namespace = found("twins")
    built = inputs.build(namespace, recipe, 0)
    assert not built.args[0].is_leaf
    built.function(*built.args).sum().backward()
    assert [(name, leaf.grad is not None) for name, leaf in built.inputs] == [
        ("a", True),
        ("b", True),
    ]


def test_data_of_a_model_has_no_gradient() -> None:
    (recipe, *_), namespace = found("train")
    assert not any(t.requires_grad for _, t in inputs.build(namespace, recipe, 0).inputs)


def test_what_cannot_take_a_gradient_gets_data() -> None:
    recipe = found("plot")[0][0]
    assert recipe["style"] == "data"


def test_elements_of_a_built_tensor_have_one_value() -> None:
    assert arguments("rotation")["theta"]["shape"] == []


def test_targets_of_cross_entropy_are_labels() -> None:
    assert arguments("focal_loss")["targets"]["dtype"] == "long"
    batch = arguments("train")["loader"]["items"][0]
    assert batch["items"][1]["dtype"] == "long"


def test_a_model_is_one_of_the_file_and_its_data_fits() -> None:
    given = arguments("train")
    assert given["model"]["of"] == "Net"
    width = given["model"]["kwargs"]["in_dim"]["value"]
    assert given["loader"]["items"][0]["items"][0]["shape"][-1] == width


def test_loops_are_short() -> None:
    assert arguments("train")["epochs"] == {"is": "value", "value": 3}
    assert arguments("fit")["steps"] == {"is": "value", "value": 3}


def test_shapes_are_those_of_the_layers() -> None:
    recipe = found("Cell.forward")[0][0]
    sizes = {n: s["value"] for n, s in recipe["instance"]["kwargs"].items()}
    given = dict(recipe["arguments"])
    assert given["x"]["shape"][-1] == sizes["input_size"]
    assert given["h"]["shape"][-1] == given["c"]["shape"][-1] == sizes["hidden_size"]


def test_an_image_is_as_large_as_the_flattened_layer_needs() -> None:
    assert arguments("Convolutions.forward")["x"]["shape"][1:] == [1, 28, 28]


def test_a_matrix_that_is_inverted_is_well_conditioned() -> None:
    (recipe, *_), namespace = found("log_det")
    matrix = inputs.build(namespace, recipe, 0).args[0]
    assert torch.linalg.eigvalsh(matrix).min() > 0.5


def test_fields_are_read_off_the_body() -> None:
    assert arguments("simulate")["params"]["items"].keys() == {"x0", "k"}
    assert arguments("from_config")["args"]["items"]["hidden_dim"]["value"] == 8


def test_a_buffer_is_filled_before_it_is_sampled() -> None:
    assert found("Buffer.sample")[0][0]["before"][0][0] == "push"


def test_an_optional_mask_is_given_in_one_of_the_recipes() -> None:
    names = [[name for name, _ in recipe["arguments"]] for recipe in found("Net.forward")[0]]
    assert any("mask" in given for given in names)


def test_other_strings_reach_other_lines() -> None:
    modes = {dict(recipe["arguments"])["mode"]["value"] for recipe in found("kernel")[0]}
    assert modes == {"rbf", "linear"}


def test_the_calls_of_the_file_come_first() -> None:
    recipe = found("twins", "\ntwins(torch.randn(7, 2), torch.randn(1, 2))")[0][0]
    assert [spec["shape"] for _, spec in recipe["arguments"]] == [[7, 2], [1, 2]]


def test_a_function_that_is_applied_is_an_autograd_function() -> None:
    (recipe, *_), namespace = found("Double.forward")
    built = inputs.build(namespace, recipe, 0)
    built.function(*built.args).sum().backward()
    assert torch.equal(built.inputs[0][1].grad, torch.full_like(built.inputs[0][1], 2.0))


def test_an_environment_is_not_made_up() -> None:
    with pytest.raises(inputs.Failed, match="`env` takes an environment"):
        found("episode")


def test_the_reason_of_a_failure_is_the_most_common_error() -> None:
    with pytest.raises(inputs.Failed, match="RuntimeError: never"):
        found("impossible")


def test_the_budget_is_kept() -> None:
    text = "import torch\ndef f(x):\n    raise RuntimeError('no')"
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    known = hints.for_function(ast.parse(text), "f")
    attempts = []

    def counting(built: inputs.Built) -> None:
        attempts.append(built)
        built.function(*built.args, **built.kwargs)

    with pytest.raises(inputs.Failed):
        inputs.search(namespace, "f", known, 0, counting, budget=9)
    assert len(attempts) <= 9


def test_an_attempt_that_does_not_end_is_given_up() -> None:
    text = "def f(x):\n    while True:\n        y = [x]"
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    known = hints.for_function(ast.parse(text), "f")
    with pytest.raises(inputs.Failed, match="did not end in time"):
        inputs.search(namespace, "f", known, 0, call, budget=2, seconds=0.4)
