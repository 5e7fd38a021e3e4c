"""The messages of all errors that the packages raise, from their source."""

from __future__ import annotations

import ast
import dataclasses
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
        """The first sentence."""
        return self.sentences[0]

    @property
    def advice(self) -> str:
        """The sentences after the first one, or what the first says after a mark."""
        rest = " ".join(self.sentences[1:])
        return rest or "".join(re.split(r"; |: (?=[a-z`])", self.text, maxsplit=1)[1:])

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
    for path in _sources():
        tree = ast.parse(path.read_text())
        place = path.relative_to(ROOT).as_posix()
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
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.bases:
                base = _name(node.bases[0])
                if node.name.endswith("Error"):
                    bases[node.name] = base
    return bases


def _sources() -> list[Path]:
    return sorted(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))


def _calls(
    tree: ast.AST, function: ast.AST | None = None
) -> Iterator[tuple[ast.Call, ast.AST | None]]:
    """Every call, with the function that it is in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield node, function
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        yield from _calls(node, node if is_function else function)


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
    if isinstance(argument, ast.Name):
        for node in tree.body:
            if isinstance(node, ast.Assign) and _name(node.targets[0]) == argument.id:
                return [text for text in [shown(node.value)] if text]
        return list(_sentences_in(function)) if function else []
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
    if isinstance(node, ast.JoinedStr):
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else GAP
            for part in node.values
        ]
        return " ".join("".join(parts).split())
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = shown(node.left), shown(node.right)
        return f"{left or GAP}{right or GAP}" if left or right else ""
    return ""
