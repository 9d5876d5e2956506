"""One small change to a program at a time: what a slip of the hand, or of the mind, would make.

A mutant is a module's tree with one node changed. Left alone is what carries no behaviour:
docstrings, annotations, asserts for the type checker, and the words of log lines. The line that
logs may still be dropped.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

SWAPS: dict[type, tuple[type, ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
WORDS = {
    "StageStatus": "UNBOUND CREATED RUNNING RETRY ERROR COMPLETE CANCELED",
    "RunState": "PENDING RUNNING SUCCESS ERROR CANCELED",
    "JobStatus": "SUBMITTED PENDING RUNNABLE STARTING RUNNING SUCCEEDED FAILED",
    "StopReason": "EXTRA_COPY CANCELED STAGE_ENDED TIMED_OUT WAITED_TOO_LONG NO_RUN",
    "CleanUpPolicy": "ALWAYS ON_SUCCESS NEVER",
    "RetryPolicy": "NONE STAGE GLOBAL",
}
"""Enumerations: each member is taken for the next one."""


class Change(NamedTuple):
    """A node that stands at ``field`` (and ``index``) of its parent, and what takes its place."""

    parent: ast.AST
    field: str
    index: int | None
    new: ast.AST | None
    """None: nothing; the entry goes."""

    def made(self, act: Callable[[], object]) -> object:
        """Call ``act`` while the change is in the tree."""
        old = getattr(self.parent, self.field)
        if self.index is None:
            new = self.new
        else:
            taken = [] if self.new is None else [self.new]
            new = [*old[: self.index], *taken, *old[self.index + 1 :]]
        paired = old_values = None
        if isinstance(self.parent, ast.Dict) and self.index is not None and self.new is None:
            old_values = self.parent.values
            paired = [*old_values[: self.index], *old_values[self.index + 1 :]]
        setattr(self.parent, self.field, new)
        if paired is not None:
            self.parent.values = paired
        try:
            return act()
        finally:
            setattr(self.parent, self.field, old)
            if paired is not None:
                self.parent.values = old_values


def changes(tree: ast.AST) -> Iterator[Change]:
    """Yield every change to the tree, in the order of its text."""
    bound = {arg.arg for arg in ast.walk(tree) if isinstance(arg, ast.arg)}
    yield from _below(tree, bound)


def _below(parent: ast.AST, bound: set[str]) -> Iterator[Change]:
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or _is_left_alone(node):
                continue
            is_key = isinstance(parent, ast.Dict) and field == "keys"
            for new in () if is_key else _instead(node, bound):
                yield Change(parent, field, index, new)
            if _may_go(parent, field, node):
                yield Change(parent, field, index, None)
            if not _is_log(node):
                yield from _below(node, bound)
            if isinstance(node, ast.Assign):
                bound |= {n.id for n in ast.walk(node.targets[0]) if isinstance(n, ast.Name)}


def _is_left_alone(node: ast.AST) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_unreachable = isinstance(node, ast.match_case) and "assert_never" in ast.unparse(node)
    return is_text or is_unreachable or isinstance(node, ast.Assert)


def _is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("log.")


def _may_go(parent: ast.AST, field: str, node: ast.AST) -> bool:
    """A keyword, an entry of a dict, a case, a handler, a condition of a comprehension."""
    if isinstance(parent, ast.Dict):
        return field == "keys"
    is_entry = isinstance(node, ast.keyword | ast.match_case) or field == "ifs"
    return is_entry or (isinstance(node, ast.ExceptHandler) and len(parent.handlers) > 1)


def _instead(node: ast.AST, bound: set[str]) -> Iterator[ast.AST]:  # noqa: C901, PLR0912
    match node:
        case ast.Compare(left=left, ops=[op], comparators=right):
            for other in SWAPS[type(op)]:
                yield ast.Compare(left, [other()], right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(SWAPS[type(op)][0](), values)
            for i in range(len(values)):
                rest = [*values[:i], *values[i + 1 :]]
                yield ast.BoolOp(op, rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from (left, right)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SWAPS:
            yield ast.BinOp(left, SWAPS[type(op)][0](), right)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if value:
            yield ast.Constant("" if value != "OK" else "NO")
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If(test=ast.Name() | ast.Call() | ast.Attribute()):
            yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.Attribute(value=ast.Name(id=kind), attr=word) if kind in WORDS:
            members = WORDS[kind].split()
            following = members[(members.index(word) + 1) % len(members)]
            yield ast.Attribute(node.value, following, ast.Load())
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield ast.Call(ast.Name(NAMES[name], ast.Load()), node.args, node.keywords)
        case ast.Call(func=ast.Name(id="reversed" | "set"), args=[only]):
            yield only
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Assign(targets=[target]) if _names(target) <= bound:
            yield ast.Pass()
        case ast.Expr() | ast.AugAssign() | ast.Raise():
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
