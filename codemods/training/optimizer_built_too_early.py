"""An optimizer is made before the parameters that it should train.

## What it does

Finds optimizers made with `model.parameters()`, by a function or an object of a class of the
project too (`Trainer(model)`), where the model is given a new layer or `nn.Parameter`, or is
replaced as a whole afterwards. The same where a class keeps both, and a method replaces parts, and
where a first call of the model, made to warm it up, makes layers in `forward`.

## Why is this bad

An optimizer keeps the parameters that it was made with. Those that come later get gradients, but
are never moved: a new head keeps its random weights, while the optimizer cares for one that nothing
uses any more. Nothing raises, and the rest of the model is trained.

## Example

```python
optimizer = torch.optim.Adam(model.parameters())
model.fc = nn.Linear(512, 10)
```

## Use instead

```python
model.fc = nn.Linear(512, 10)
optimizer = torch.optim.Adam(model.parameters())
```

## Fix safety

The optimizer is made behind the last replacement. This is safe where a part of the model is
replaced right in the same block: what the model computes stays, and parameters that a program
makes, uses and differentiates are there to be trained. It is unsafe where one of the two is made
by a function or under a condition, or where all of the model is replaced.

Where the optimizer is used in between, it gets the new part as a group with the settings of the
group that the old part was in. This is unsafe, and there is no fix where those settings cannot be
told, or where a schedule was made with the optimizer.

In a class whose method replaces parts, or where others replace parts of a model that an object
keeps with its optimizer, the new part gets a group or the optimizer is made again behind that, with
the settings it was made with. This is unsafe: what it has gathered, such as momentum, is gone.
There is no fix where the same method takes steps, or a loop does.

Parts that are added with `add_param_group`, that an optimizer of their own gets, that are frozen,
only run without gradients, or copies (a target network) are left alone. So are `.to()`, `.cuda()`
and wrappers, which keep parameters.

## How it is verified

The original and the rewritten program train on the same data. The parameters that stood still have
to move.

## References

- https://docs.pytorch.org/docs/stable/optim.html
- https://discuss.pytorch.org/t/change-last-layer-after-creating-optimizer/30412
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from autofix.codemods.training._below import grown_below
from autofix.codemods.training._called import (
    is_handed_to_unknown,
    is_trained_otherwise,
    mentions,
)
from autofix.codemods.training._each_turn import made_in_turn
from autofix.codemods.training._first_call import made_by_first_call
from autofix.codemods.training._groups import added_groups
from autofix.codemods.training._grown import Grown, grown
from autofix.codemods.training._made import Made, made_here, taken_out
from autofix.codemods.training._made_by import lists_parameters
from autofix.codemods.training._outside import replaced_outside
from autofix.codemods.training._replaced import Replaced, reads, replaced_in
from autofix.flow.facts import Facts
from autofix.flow.handles import Scope
from autofix.flow.roles import scheduler_class
from autofix.flow.syntax import all_arguments, argument
from autofix.flow.turns import given_as
from autofix.flow.uses import uses_in
from autofix.flow.values import Kind
from autofix.model import Applicability, Edit
from autofix.rewrite.statements import insert_after, moved_behind
from autofix.rule import Report, Rule, fix

rule = Rule(
    __name__,
    code="AG607",
    trigger=r"(?:Adam\w*|SGD|RMSprop|Ada\w+|LBFGS|[NR]Adam|Rprop|ASGD|SparseAdam|Muon)\s*\("
    r"|^[ \t]*(?:[\w.]+\s*(?::[^=]*)?=\s*[\w.]+|self\.\w+|\w+\.__init__)\("
    r"|super\(",
)

_PLACES = (ast.Name, ast.Attribute, ast.Subscript)


@rule.visit(ast.Assign, ast.AnnAssign, ast.Expr)
def check(node: ast.Assign | ast.AnnAssign | ast.Expr, facts: Facts) -> Iterator[Report]:
    block = facts.index.block_of(node)
    later = block[block.index(node) + 1 :]
    if isinstance(node, ast.Expr):
        yield from (_by_methods(made, one) for made, one in grown_below(node, facts))
    for made in made_here(node, later, facts):
        yield from _outgrown(made, later, facts)
    yield from (_by_methods(made, one) for made, one in replaced_outside(node, later, facts))


def _outgrown(made: Made, later: Sequence[ast.stmt], facts: Facts) -> Iterator[Report]:
    node = made.statement
    scope = Scope(facts.index.function_of(node))
    found: list[tuple[int, Replaced]] = []
    for at, statement in enumerate(later):
        steps = isinstance(statement, (ast.For, ast.While)) and bool(
            reads(made.target, [statement], facts)
        )
        for one in replaced_in(statement, made.held, scope, facts):
            if steps and (place := made_in_turn(made, statement, one, facts)):
                yield _report(made, later[:at], [(place, one)], facts, loop=statement)
                return
            if steps and (one.whole or one.only_values):
                continue  # a loop overwrites parameters as it goes
            if not is_trained_otherwise(one, later[at:], scope, facts):
                found.append((at, one))
    if not found:
        found = list(made_by_first_call(made, later, facts))
    if not found:
        if made.plain and not made.one_of_several and isinstance(made.target, ast.Attribute):
            yield from (_by_methods(made, one) for one in grown(made, facts))
        return
    at = found[-1][0]
    if _is_renewed(made.target, later, facts) or not _is_used(made.target, later[at:], facts):
        return
    used = reads(made.target, later[:at], facts)
    if used and is_handed_to_unknown(made.target, later[: at + 1], later[at + 1 :], facts):
        return
    brought = [(later[at], one) for at, one in found]
    yield _report(made, later[: at + 1], brought, facts)


def _report(
    made: Made,
    between: Sequence[ast.stmt],
    brought: Sequence[tuple[ast.stmt, Replaced]],
    facts: Facts,
    loop: ast.stmt | None = None,
) -> Report:
    """It is moved behind the last of what comes in between, or into a loop."""
    node, target, (behind, one) = made.statement, made.target, brought[-1]
    line = getattr(one.node, "lineno", 0)
    what = "another model" if one.whole else "new parameters"
    message = (
        f"`{facts.source.segment(target)}` is made before `{one.text}` brings {what} "
        f"(line {line}): they are never trained"
    )
    company = _company(made, between, facts)
    if isinstance(company, str):
        groups = added_groups(made.call, target, brought, facts) if made.plain else None
        if groups is None or any(_in_other_cell(at, behind, facts) for at, _ in brought):
            return Report(node, message, declined=company)
        return Report(behind, message, fix=fix(Applicability.UNSAFE, *groups))
    gathered = _gathered(made, facts)
    if isinstance(gathered, str):
        return Report(node, message, declined=gathered)
    if changed := _changed_arguments(made, [*between, *([loop] if loop else [])], facts):
        return Report(node, message, declined=f"`{changed}` has another value there")
    blamed: ast.expr | ast.stmt = node
    edits: tuple[Edit, ...] | None
    if _in_other_cell(node, behind, facts):  # a fix belongs to one cell: make it again there
        blamed = behind
        again = [*gathered, node, *company]
        edits = (insert_after(facts, blamed, "\n".join(map(facts.source.segment, again))),)
    elif made.one_of_several:
        edits = taken_out(made, behind, facts) if not gathered and not company else None
    else:
        edits = moved_behind(facts, [*gathered, node, *company], behind)
    if edits is None:
        return Report(node, message, declined="other things are made beside it")
    safe = made.plain and one.direct and not one.whole
    tier = Applicability.SAFE if safe else Applicability.UNSAFE
    return Report(blamed, message, fix=fix(tier, *edits))


def _by_methods(made: Made, one: Grown) -> Report:
    message = (
        f"`{one.replaced.text}` brings new parameters, and `{ast.unparse(made.target)}` keeps the "
        f"old ones (line {made.statement.lineno}): the new ones are never trained"
    )
    if isinstance(one.edits, str):
        return Report(one.statement, message, declined=one.edits)
    anew = not any("add_param_group" in edit.text for edit in one.edits)
    note = "the optimizer starts anew there, without what it has gathered" if anew else None
    return Report(one.statement, message, fix=fix(Applicability.UNSAFE, *one.edits), note=note)


def _gathered(made: Made, facts: Facts) -> list[ast.stmt] | str:
    """The statement right before that lists the parameters for the optimizer and nobody else; or
    why that cannot move."""
    node = made.statement
    given = argument(made.call, 0, "params")
    if not isinstance(given, ast.Name) or given_as(given, facts) is given:
        return []
    block = facts.index.block_of(node)
    before = block[block.index(node) - 1] if block.index(node) else None
    names = (n for n in ast.walk(before) if isinstance(n, ast.Name)) if before else ()
    if before is not None and any(n in uses_in(facts).names.stores(given) for n in names):
        return [before]
    return "its parameters are listed further above"


def _in_other_cell(node: ast.stmt, later: ast.stmt, facts: Facts) -> bool:
    start, end = facts.source.span(node)[1], facts.source.span(later)[0]
    return any(start <= seam < end for seam in facts.source.seams)


def _company(made: Made, between: Sequence[ast.stmt], facts: Facts) -> list[ast.stmt] | str:
    """The schedules made right behind the optimizer, which move with it; or why nothing can."""
    found: list[ast.stmt] = []
    names: list[ast.expr] = [made.target]
    for statement in between:
        using = any(reads(name, [statement], facts) for name in names)
        match statement:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as late], value=ast.Call() as c):
                if using and scheduler_class(c, facts) and len(found) == between.index(statement):
                    found.append(statement)
                    names.append(late)
                    continue
        if using or any(_inside(made.target, [statement], facts, *made.besides)):
            return "it is used before; make another one for the new parameters"
    return found


def _changed_arguments(made: Made, between: Sequence[ast.stmt], facts: Facts) -> str | None:
    """A plain value that the optimizer is made with, and that is bound again in between."""
    listed = argument(made.call, 0, "params") if made.plain else None
    read = {
        n.id
        for part in all_arguments(made.call)
        if part is not listed and not lists_parameters(part)
        for n in ast.walk(part)
        if isinstance(n, ast.Name) and facts.value(n).kind != Kind.MODULE
    }
    bound = [
        n.id
        for statement in between
        for n in ast.walk(statement)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    return next((name for name in bound if name in read), None)


def _is_renewed(target: ast.expr, later: Sequence[ast.stmt], facts: Facts) -> bool:
    """Is another optimizer called so further down? (That of `opt = wrap(opt)` is the same.)"""
    text = ast.unparse(target)
    for node in (n for statement in later for n in ast.walk(statement)):
        if not isinstance(node, _PLACES) or not isinstance(node.ctx, ast.Store):
            continue
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == text:
            return True
        if ast.unparse(node) == text:
            statement = facts.index.statement_of(node)
            value = statement.value if isinstance(statement, ast.Assign) else None
            if value is None or not reads(target, [ast.Expr(value)], facts):
                return True
    return any(isinstance(n.ctx, ast.Store) for n in _inside(target, later, facts))


def _inside(
    target: ast.expr, statements: Sequence[ast.stmt], facts: Facts, *more: str
) -> Iterator[ast.Attribute]:
    """Where methods of the same class that statements call name `self.opt`, or `more` of it."""
    own = facts.index.class_of(target)
    if isinstance(target, ast.Attribute) and own is not None:
        for node in mentions(statements, {target.attr, *more}, facts):
            if facts.index.class_of(node) is own:
                yield node


def _is_used(target: ast.expr, later: Sequence[ast.stmt], facts: Facts) -> bool:
    """Does anybody step the optimizer behind the replacement?"""
    owner = target.value if isinstance(target, ast.Subscript) else target
    if isinstance(owner, ast.Attribute):
        return True
    if reads(target, later, facts):
        return True
    loads = uses_in(facts).names.all_loads(owner) if isinstance(owner, ast.Name) else ()
    here = facts.index.function_of(target)
    return any(facts.index.function_of(load) is not here for load in loads)
