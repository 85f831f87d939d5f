"""Gradients are compared with finite differences."""

from __future__ import annotations

from typing import Any

import pytest

from autofix.verify.judge.slopes import (
    FLOOR,
    STEP,
    Fit,
    Slope,
    compared,
    differ,
    fit,
    floor_of,
    gradient,
    numeric,
    slopes,
)


def trace(
    analytic: list[float], right: list[float], left: list[float] | None = None, value: float = 1.0
) -> dict[str, Any]:
    """One backward pass: slopes by autograd, and the true ones on either side of the point."""
    sides = zip(right, left or right, strict=True)
    pairs = [[[value + STEP * up], [value - STEP * down]] for up, down in sides]
    return {
        "base": [{"value": value}],
        "events": [{"raised": None, "slopes": analytic}],
        "slopes": {"spans": {"pairs": pairs, "diverged": None, "scale": 1.0}},
    }


def judged(one: dict[str, Any]) -> Fit:
    return fit([*slopes(one, one, "spans", 0)])


def test_equal_slopes_fit() -> None:
    assert judged(trace([2.0, -1.0, 0.5], [2.0, -1.0, 0.5])) is Fit.YES


def test_one_direction_that_is_off_is_enough() -> None:
    assert judged(trace([2.0, -1.0, 0.5], [2.0, -1.0, 0.6])) is Fit.NO


def test_a_gradient_of_zero_does_not_fit_a_slope() -> None:
    assert judged(trace([0.0, 0.0, 0.0], [2.0, -1.0, 0.5])) is Fit.NO


def test_kinks_are_left_out() -> None:
    kinked = trace([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, -3.0])
    assert [found is None for found in numeric(kinked, "spans", 0)] == [False, False, True]
    assert judged(kinked) is Fit.YES


def test_kinks_in_all_directions_say_nothing() -> None:
    assert judged(trace([0.0] * 3, [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0])) is Fit.UNKNOWN


def test_one_direction_alone_does_not_confirm() -> None:
    assert judged(trace([1.0], [1.0])) is Fit.UNKNOWN


def test_noise_below_the_floor_is_no_slope() -> None:
    assert Slope(0.0, FLOOR / 2, FLOOR).fit is Fit.YES
    assert Slope(0.0, FLOOR / 2, FLOOR).error == 0.0


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1.0, 1.0 + 5e-5, Fit.YES),
        (1.0, 1.0 + 5e-4, Fit.UNKNOWN),
        (1.0, 1.01, Fit.NO),
        (1.0, -1.0, Fit.NO),
        (float("nan"), 1.0, Fit.UNKNOWN),
        (1.0, float("nan"), Fit.UNKNOWN),
    ],
)
def test_between_equal_and_different_lies_doubt(a: float, b: float, expected: Fit) -> None:
    assert compared(a, b, FLOOR) is expected
    assert compared(b, a, FLOOR) is expected


def test_the_floor_grows_with_the_loss() -> None:
    assert floor_of(trace([1.0], [1.0], value=1e4), 0) == pytest.approx(1e4 * FLOOR)
    assert floor_of(trace([1.0], [1.0], value=1e-4), 0) == FLOOR


def test_runs_that_took_another_path_give_no_slopes() -> None:
    one = trace([1.0, 2.0], [1.0, 2.0])
    one["slopes"]["spans"]["diverged"] = "line 3: another path was taken"
    assert numeric(one, "spans", 0) == [None, None]
    assert judged(one) is Fit.UNKNOWN


def test_runs_that_ended_early_give_no_slopes() -> None:
    one = trace([1.0, 2.0], [1.0, 2.0])
    one["slopes"]["spans"]["pairs"][0][1] = []
    assert [found is None for found in numeric(one, "spans", 0)] == [True, False]


def test_a_pass_that_raised_has_no_gradient() -> None:
    one = trace([1.0], [1.0])
    one["events"][0]["raised"] = "RuntimeError"
    assert gradient(one, 0) is None
    assert gradient(one, 1) is None
    assert differ(one, trace([1.0], [1.0]), 0) is None


def test_gradients_differ_in_any_direction() -> None:
    before, after = trace([1.0, 2.0], [1.0, 2.0]), trace([1.0, 2.1], [1.0, 2.1])
    assert differ(before, after, 0) is True
    assert differ(before, before, 0) is False
