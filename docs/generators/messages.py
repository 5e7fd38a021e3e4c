"""The messages of all errors that the packages raise, from their source."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("zoo", "pipelines", "zootune")
GAP = "…"
# A text of fewer words is a part of a message, or a name.
_FEWEST_WORDS = 3
_SENTENCE_END = re.compile(
    r"(?<=[.?!])\s+(?=[A-Z`'…(])|(?<=[:,.] …)\s+(?=[A-Z])|(?<=^…)\s+(?=[A-Z])"
)


@dataclasses.dataclass(frozen=True)
class Message:
    """One error: its class, its text with gaps for values, and the module it is in.

    `detail` is the source of its first argument where that is no text, such as the
    status code of a server error.
    """

    error: str
    text: str
    place: str
    detail: str = ""

    @property
    def first_words(self) -> str:
        """The first sentence, up to the advice in it if it has some."""
        return self._parts[0]

    @property
    def advice(self) -> str:
        """The sentences after the first one, or what the first says after a mark."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        first, *others = self.sentences
        rest = " ".join(others)
        if not _is_gap(rest):
            return first, rest
        halves = re.split(r"; |: (?=[a-z`])", self.text, maxsplit=1)
        if len(halves) > 1 and len(halves[1].split()) > 1:
            return halves[0], halves[1]
        return first, ""

    @property
    def sentences(self) -> list[str]:
        """The sentences of the text."""
        return _SENTENCE_END.split(self.text)


def messages(kinds: Mapping[str, str]) -> list[Message]:
    """The errors of some classes; `kinds` has the base of each.

    A text that is made elsewhere, by a function of the module or in a variable, is
    looked up there; one that only passes on what another error says is left out.
    """
    rows = []
    for place, tree in _trees():
        for call, function in _calls(tree):
            name = _name(call.func)
            if name not in kinds:
                continue
            for text in _texts(call, function, tree):
                rows.append(Message(name, text, place, _detail(call)))
    return sorted(set(rows), key=lambda row: row.text.lstrip(f"{GAP} '\"`").lower())


def error_classes() -> dict[str, str]:
    """Classes of errors in the packages, and the base that each names first."""
    bases = {}
    for _, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.bases:
                base = _name(node.bases[0])
                if node.name.endswith("Error"):
                    bases[node.name] = base
    return bases


@functools.cache
def _trees() -> tuple[tuple[str, ast.Module], ...]:
    """Every module of the packages, by its path."""
    trees = []
    for path in sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py")):
        tree = ast.parse(path.read_text())
        trees.append((path.relative_to(ROOT).as_posix(), _Inlined(tree).visit(tree)))
    return tuple(trees)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, ast.AST | None]]:
    """Every call, with the function that it is in."""
    stack: list[tuple[ast.AST, ast.AST | None]] = [(tree, None)]
    while stack:
        node, function = stack.pop()
        if isinstance(node, ast.Call):
            yield node, function
        inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        here = node if inside else function
        stack += [(child, here) for child in ast.iter_child_nodes(node)]


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _detail(call: ast.Call) -> str:
    status = [ast.unparse(k.value) for k in call.keywords if k.arg == "http_status"]
    first = call.args[0] if call.args else None
    return status[0] if status else _name(first) if first is not None else ""


def _texts(call: ast.Call, function: ast.AST | None, tree: ast.Module) -> list[str]:
    """The texts of an error, without parts that are no sentence."""
    literal = [text for argument in call.args if (text := shown(argument))]
    texts = [text for text in literal if not _is_gap(text)][:1]
    if not texts:
        for argument in call.args:
            texts += _made_elsewhere(argument, function, tree)
    return [
        text
        for text in texts
        if len(text.replace(GAP, "").split()) > 1 and text[0] not in ",;)"
    ]


def _made_elsewhere(
    argument: ast.expr, function: ast.AST | None, tree: ast.Module
) -> list[str]:
    """Texts that a variable of the function has, or that a function gives."""
    if isinstance(argument, ast.Call):
        makers = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and node.name == _name(argument.func)
        ]
        return [text for maker in makers for text in _sentences_in(maker)]
    if isinstance(argument, ast.Name) and function is not None:
        return list(_sentences_in(function))
    return []


def _sentences_in(function: ast.AST) -> Iterator[str]:
    """Outermost texts of a function that begin as a message does."""
    documented = getattr(function, "body", [None])[0]
    stack = [n for n in ast.iter_child_nodes(function) if n is not documented]
    while stack:
        node = stack.pop()
        text = shown(node) if isinstance(node, ast.expr) else ""
        if text and not _is_gap(text):
            is_long = len(text.split()) > _FEWEST_WORDS
            if is_long and not text[0].islower() and text.endswith((".", GAP, "`")):
                yield text
            continue
        stack += ast.iter_child_nodes(node)


def _is_gap(text: str) -> bool:
    return not re.search(r"[a-zA-Z]{2}", text)


def shown(node: ast.AST) -> str:
    """A text with a gap for every value in it; empty for what is no text."""
    if isinstance(node, ast.Constant):
        return " ".join(node.value.split()) if isinstance(node.value, str) else ""
    if isinstance(node, ast.FormattedValue):
        return shown(node.value) or GAP
    if isinstance(node, ast.JoinedStr):
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else shown(part)
            for part in node.values
        ]
        return " ".join("".join(parts).split())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = shown(node.left), shown(node.right)
        return f"{left or GAP}{right or GAP}" if left or right else ""
    return ""


class _Inlined(ast.NodeTransformer):
    """Puts the texts that a module names in the place of their names."""

    def __init__(self, tree: ast.Module) -> None:
        self._texts = {
            _name(node.targets[0]): node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and shown(node.value)
        }

    def visit_Name(self, node: ast.Name) -> ast.AST:  # noqa: N802 - the name of ast
        """The text, or the name as it is."""
        is_read = isinstance(node.ctx, ast.Load)
        return self._texts.get(node.id, node) if is_read else node
