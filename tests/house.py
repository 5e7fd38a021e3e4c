"""Measures of the house: sizes, words, docstrings, annotations, sentences of options.

Usage: python tests/house.py [-v] [MEASURE ...]

Prints one line a measure and exits with 1 if one is over its bound. `-v` lists what
counts, of the measures named or of all. Old words stay out by `OLD_NAMES` and
`OLD_PHRASES`: a word that gets a better one is added there.
"""

from __future__ import annotations

import ast
import configparser
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("zoo", "pipelines", "zootune")
MOST_WORDS_OF_A_TEST_NAME = 8

# The most that each measure may be. Shares are percentages.
GOALS: dict[str, float] = {
    "lines of pipelines/run.py": 60,
    "ifs in _run": 0,
    "imports of ours in pipelines/run.py": 6,
    "lines of pipelines/cli.py": 80,
    "modules loose in pipelines": 8,
    "modules in the largest folder": 18,
    "single modules in contracts": 0,
    "old names": 0,
    "old phrases": 0,
    "vague names, %": 1,
    "docstrings that open with a question word, %": 5,
    "public objects without a docstring, %": 5,
    "public functions without annotations": 0,
    "config fields without a sentence": 0,
    "public examples that are missing from ten": 0,
    "test names of more than eight words": 0,
}

# Larger bounds of measures that have not reached their goal. A line goes when it is
# reached, and no line is added.
FOR_NOW: dict[str, float] = {}

VAGUE_NAMES = {"found", "one", "given", "wanted", "said", "what", "how"}
QUESTIONS = re.compile(r"(What|Where|Who|Whose|Whom|Whether|How|That|Those|Which)\b")

# Identifiers that were replaced, and the words of the field. A name alone, or a name
# with the end of the path of its module where it means something else elsewhere.
OLD_NAMES = {
    "Look": "Inspection",
    "Survey": "Audit",
    "Fixed": "RepairedCopy, or a word of its own",
    "Draw": "Sample",
    "Appraisal": "BackboneScore",
    "appraise": "score",
    "set_pace": "choose_precision",
    "Paced": "PrecisionChoice",
    "_twin": "_rebuilt",
    "Watching": "PhaseCallbacks",
    "Judge": "Validator",
    "_Begun": "_PhaseState",
    "_Before": "_BestSoFar",
    "Remembers": "Stateful",
    "remembered": "get_state",
    "remember": "set_state",
    "take_up": "resume",
    "put_back": "restore",
    "at_first": "initial",
    "RareReads": "ThrottledCallbacks",
    "Verdict": "GuardResult",
    "Movement": "WeightChange",
    "Team": "Workers",
    "chiefs": "broadcast",
    "refuse_strangers in training/": "require_same_everywhere",
    "Together": "SyncCallback",
    "Reading": "HeadInput",
    "Tap": "LayerOutput",
    "Scaling": "Temperature, Standardization",
    "Workdir": "RunFolder",
    "lent": "temporary",
    "claimed in runs/": "locked",
    "units in data/": "grouping, groups",
    "Share in data/input/order.py": "WorkerShard",
    "Task in training/": "PhaseTask",
    "settle in training/guard.py": "interpolate",
    "Start in training/receipt.py": "WeightSnapshot",
}
OLD_MODULES = [
    "zoo/own",
    "pipelines/data/look",
    "pipelines/data/looks",
    "pipelines/data/look_through",
    "pipelines/data/look_cache",
    "pipelines/data/survey",
    "pipelines/data/units",
    "pipelines/data/repeated",
    "pipelines/data/folder_findings",
    "pipelines/stages/appraise",
    "pipelines/stages/keep",
    "pipelines/stages/pace",
    "pipelines/stages/fitting",
    "pipelines/training/team",
    "pipelines/training/noise",
    "pipelines/training/feed",
    "pipelines/training/prior",
    "pipelines/training/start",
    "pipelines/planning/depths",
    "pipelines/planning/limits",
    "pipelines/planning/scaling",
    "pipelines/data/limits",
    "pipelines/calibration/limits",
    "pipelines/serving/heat",
    "pipelines/serving/requirements",
    "pipelines/serving/server/daemon",
    "pipelines/serving/server/op_scan",
    "pipelines/serving/server/targets",
    "pipelines/serving/server/rpc",
    "pipelines/workdir",
    "pipelines/hypertext",
    "pipelines/terminal",
]
OLD_PHRASES = re.compile(
    r"\b[Oo]f which\b|\b[Tt]hose that\b|\b[Tt]hat of\b|\b[Ss]o many\b|\b(is|are) none\b"
    r"|\bcannot be had\b|\b[Mm]end(s|ed|ing)?\b|\b[Nn]or will\b|\bwavers?\b"
    r"|\b([Tt]ell|tells|told|telling)\b(?!.{0,30}\bapart\b)"
    r"|(?<!here )\b(is|are) no\b(?! (longer|more than)\b)"
)

Rows = list[str]


class Source:
    """A module of ours: its path from the root, its text and its tree."""

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path = path.relative_to(root).as_posix()
        self.text = path.read_text()
        self.tree = ast.parse(self.text)

    def at(self, node: ast.AST, text: str) -> str:
        """A row that names the place of a node."""
        return f"{self.path}:{getattr(node, 'lineno', 1)} {text}"


def sources() -> list[Source]:
    """All modules of the packages, in the order of their paths."""
    paths = (path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    return [Source(path) for path in sorted(paths)]


def bound_names(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Variables and parameters, where they are bound."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif isinstance(node, ast.arg):
            yield node, node.arg


def all_names(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Identifiers of every kind, also where they are only used."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name):
            yield node, node.id
        elif isinstance(node, ast.Attribute):
            yield node, node.attr
        elif isinstance(node, ast.arg):
            yield node, node.arg
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, node.name
        elif isinstance(node, ast.alias):
            yield node, (node.asname or node.name).rpartition(".")[2]


def old_names(modules: Sequence[Source]) -> Rows:
    """Names of the list in the modules, and modules that have an old name."""
    rows = []
    places = [(*key.split(" in "), "")[:2] for key in OLD_NAMES]
    replacements = dict(zip(places, OLD_NAMES.values(), strict=True))
    for source in modules:
        if source.path.removesuffix(".py") in OLD_MODULES:
            rows.append(f"{source.path} has an old name")
        here = {
            name: new for (name, at), new in replacements.items() if at in source.path
        }
        rows += [
            source.at(node, f"{name}: the word is {here[name]}")
            for node, name in all_names(source)
            if name in here
        ]
    return rows


def prose_of(source: Source) -> Iterator[tuple[int, str]]:
    """The lines of comments and strings, docstrings among them, by number."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for i, line in enumerate(node.value.splitlines()):
                yield node.lineno + i, line
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def pages() -> list[Path]:
    """The README and the pages of the docs."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def old_phrases(modules: Sequence[Source], texts: Sequence[Path] = ()) -> Rows:
    """Phrases of the list in comments and strings of modules, and in other texts."""
    lines = [
        (source.path, number, line)
        for source in modules
        for number, line in sorted(set(prose_of(source)))
    ]
    for path in texts:
        text = path.read_text().splitlines()
        lines += [(str(path), number, line) for number, line in enumerate(text, 1)]
    return [
        f"{name}:{number} '{match[0]}' in: {line.strip()}"
        for name, number, line in lines
        if (match := OLD_PHRASES.search(line))
    ]


def documented(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Modules, classes and functions with a docstring, and its first line."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(source.tree):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield node, text.splitlines()[0]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(body: Sequence[ast.stmt]) -> Iterator[ast.ClassDef | Function]:
    """Classes and functions without an underscore, with the methods of the classes."""
    for node in body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def is_annotated(function: Function) -> bool:
    """True if the result and every argument but `self` and `cls` have annotations."""
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    plain = [one.arg for one in names if one.annotation is None]
    return function.returns is not None and not set(plain) - {"self", "cls"}


def needs_docstring(node: ast.ClassDef | Function) -> bool:
    """False for methods that Keras and the standard library document by their name."""
    return not re.match(r"(on_[a-z_]+_(begin|end)|call|build|get_config)$", node.name)


def single_modules_in_contracts() -> Rows:
    """Modules that are files, not folders, among the subjects of an import contract."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    fields = ("source_modules", "modules", "layers")
    rows = []
    for section in parser.sections():
        if section.startswith("importlinter:contract"):
            words = " ".join(parser[section].get(field, "") for field in fields)
            for name in re.findall(r"[\w.]+\w", words):
                if (ROOT / (name.replace(".", "/") + ".py")).is_file():
                    rows.append(f"{section}: {name}")
    return rows


def config_fields_without_a_sentence() -> Rows:
    """Fields of the config whose declaration carries no `help`."""
    config = ROOT / "pipelines/config"
    sources = [Source(config / "schema.py")]
    sources += [Source(path) for path in sorted((config / "sections").glob("*.py"))]
    return [
        source.at(field, f"{record.name}.{ast.unparse(field)}")
        for source in sources
        for record in ast.walk(source.tree)
        if isinstance(record, ast.ClassDef) and record.name.endswith("Config")
        for field in record.body
        if isinstance(field, ast.AnnAssign) and not _is_part_or_has_help(field)
    ]


def _is_part_or_has_help(field: ast.AnnAssign) -> bool:
    if ast.unparse(field.annotation).endswith("Config"):
        return True
    return isinstance(field.value, ast.Call) and any(
        keyword.arg == "help" for keyword in field.value.keywords
    )


def long_test_names() -> Rows:
    """Tests whose names have more than eight words after `test_`."""
    sources = [Source(path) for path in sorted((ROOT / "tests").rglob("*.py"))]
    return [
        source.at(node, node.name)
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and node.name.count("_") > MOST_WORDS_OF_A_TEST_NAME
    ]


def modules_in(folder: Path) -> Rows:
    """The modules that lie directly in a folder, without `__init__`."""
    paths = (path.relative_to(ROOT) for path in sorted(folder.glob("*.py")))
    return [path.as_posix() for path in paths if path.name != "__init__.py"]


def modules_by_folder() -> dict[str, int]:
    """The number of modules in each folder of the packages, without `__init__`."""
    counts: dict[str, int] = {}
    for name in PACKAGES:
        for path in (ROOT / name).rglob("*.py"):
            folder = path.parent.relative_to(ROOT).as_posix()
            counts[folder] = counts.get(folder, 0) + (path.name != "__init__.py")
    return counts


def arrows(modules: Sequence[Source]) -> set[tuple[str, str]]:
    """Pairs of folders: the first imports from the second."""
    names = {source.path.removesuffix(".py").replace("/", ".") for source in modules}
    pairs = set()
    for source in modules:
        here = source.path.rpartition("/")[0]
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                target = whole if whole in names else node.module
                if target in names or f"{target}.__init__" in names:
                    is_module = target in names
                    folder = target.rpartition(".")[0] if is_module else target
                    pairs.add((here, folder.replace(".", "/")))
    return {(start, end) for start, end in pairs if start != end}


def main_path() -> dict[str, Rows]:
    """The measures of `run.py` and `cli.py`."""
    run = Source(ROOT / "pipelines/run.py")
    command = (ROOT / "pipelines/cli.py").read_text().splitlines()
    carry = [
        node
        for node in run.tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "_run"
    ]
    imports = {
        node.module
        for node in ast.walk(run.tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] in PACKAGES
    }
    ifs = [n for body in carry for n in ast.walk(body) if isinstance(n, ast.If)]
    return {
        "lines of pipelines/run.py": run.text.splitlines(),
        "ifs in _run": [run.at(node, ast.unparse(node.test)) for node in ifs],
        "imports of ours in pipelines/run.py": sorted(map(str, imports)),
        "lines of pipelines/cli.py": command,
    }


def word_measures(modules: Sequence[Source]) -> dict[str, tuple[Rows, int]]:
    """The measures of names and docstrings: rows, and the whole of a share (or 0)."""
    names = [(s, *name) for s in modules for name in bound_names(s)]
    docstrings = [(s, *text) for s in modules for text in documented(s)]
    objects = [(s, node) for s in modules for node in public(s.tree.body)]
    functions = [(s, node) for s, node in objects if not isinstance(node, ast.ClassDef)]
    texts = [ast.get_docstring(node) or "" for _, node in objects]
    vague = [s.at(n, name) for s, n, name in names if name.strip("_") in VAGUE_NAMES]
    questions = [s.at(n, line) for s, n, line in docstrings if QUESTIONS.match(line)]
    silent = [
        s.at(node, node.name)
        for (s, node), text in zip(objects, texts)
        if needs_docstring(node) and not text
    ]
    plain = [s.at(node, node.name) for s, node in functions if not is_annotated(node)]
    missing = ["an example"] * (10 - sum(">>> " in text for text in texts))
    return {
        "old names": (old_names(modules), 0),
        "old phrases": (old_phrases(modules, pages()), 0),
        "vague names, %": (vague, len(names)),
        "docstrings that open with a question word, %": (questions, len(docstrings)),
        "public objects without a docstring, %": (silent, len(objects)),
        "public functions without annotations": (plain, 0),
        "public examples that are missing from ten": (missing, 0),
        "config fields without a sentence": (config_fields_without_a_sentence(), 0),
        "test names of more than eight words": (long_test_names(), 0),
    }


def layout_measures() -> dict[str, tuple[Rows, int]]:
    """The measures of files and folders."""
    folders = modules_by_folder()
    largest = max(folders, key=lambda folder: folders[folder])
    rows = {
        **main_path(),
        "modules loose in pipelines": modules_in(ROOT / "pipelines"),
        "modules in the largest folder": modules_in(ROOT / largest),
        "single modules in contracts": single_modules_in_contracts(),
    }
    return {name: (row, 0) for name, row in rows.items()}


def main(arguments: Sequence[str]) -> int:
    """Prints every measure; gives 1 if one is over its bound."""
    modules = sources()
    measures = {**layout_measures(), **word_measures(modules)}
    folders, links = modules_by_folder(), arrows(modules)
    print(
        f"{len(modules)} files in {len(folders)} folders, {len(links)} arrows between"
    )
    broken = 0
    for name, (rows, whole) in measures.items():
        value = 100 * len(rows) / whole if whole else float(len(rows))
        bound = FOR_NOW.get(name, GOALS[name])
        is_broken = value > bound
        broken += is_broken
        share = f" ({len(rows)} of {whole})" if whole else ""
        mark = "BROKEN" if is_broken else "ok"
        goal = f", goal {GOALS[name]:g}" if name in FOR_NOW else ""
        print(f"{mark:6} {name}: {value:.3g}{share}, at most {bound:g}{goal}")
        is_named = name in arguments or arguments == ["-v"]
        if is_named or (is_broken and not name.startswith("lines of")):
            shown = rows if is_named else rows[:10]
            print("".join(f"         {row}\n" for row in shown), end="")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
