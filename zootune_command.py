# ruff: noqa: PTH109, PTH120 - pathlib would be imported from there
"""The console command `zoo`, in a folder of any name and content.

A name that nobody else has, so that a folder `pipelines` or `zoo` of a project, which
PYTHONPATH puts first, is not taken for ours.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from os.path import dirname, realpath

_PACKAGES = ("zoo", "pipelines")


def main() -> int:
    """Runs the command that the process was started with, and gives its exit code."""
    _import_ours()
    from pipelines.cli import main as run

    return run()


def _import_ours() -> None:
    """Imports the packages beside this file, and no others of the same names."""
    ours = dirname(realpath(__file__))
    for name in _PACKAGES:
        spec = PathFinder.find_spec(name, [ours])
        if spec is None or spec.loader is None:
            raise ImportError(f"zootune is not whole: {ours} has no package '{name}'.")
        sys.modules[name] = module_from_spec(spec)
    # Before a line of them is executed, which imports what lies on the path.
    from pipelines.runtime.working_folder import import_nothing_from_here

    import_nothing_from_here()
    for name in _PACKAGES:
        module = sys.modules[name]
        module.__spec__.loader.exec_module(module)  # type: ignore[union-attr]
