"""The documentation site: `make docs` writes docs/_build/html."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
# The packages of this clone, and the generators of the reference beside this file.
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

from zoo.version import VERSION  # noqa: E402

project = "zootune"
version = release = VERSION
project_copyright = "the authors of zootune, Apache-2.0"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "generators.extension",
]
exclude_patterns = ["_build", "generators", "launch"]
nitpicky = True
# Names of other packages are code, not links: nothing is fetched to build the site.
nitpick_ignore_regex = [("py:.*", r".*")]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
# A diagram stays readable text: drawing it would need a script from elsewhere.
suppress_warnings = ["misc.highlighting_failure"]

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"zootune {VERSION}"
html_show_sourcelink = False
html_show_sphinx = False
html_static_path: list[str] = []
