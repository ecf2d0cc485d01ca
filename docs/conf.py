"""Sphinx: how the documentation is built (`tools/docs`)."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # live.py

from importlib.metadata import version as version_of  # noqa: E402

project = "glassflow"
author = "the glassflow authors"
copyright = f"{author}; MIT licence"
version = release = version_of("glassflow")
html_title = f"glassflow {release}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "live",  # after autodoc, whose events it takes
]
exclude_patterns = ["_build"]
highlight_language = "none"  # blocks name theirs
default_role = "code"  # docstrings mark code by single backquotes

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
smartquotes = False  # values stand as they are typed
copybutton_exclude = ".linenos, .gp, .go"

autodoc_typehints = "signature"
# As the code names them: what stands behind these names fills a screen.
autodoc_type_aliases = {"ArrayLike": "ArrayLike"}
maximum_signature_line_length = 88
autodoc_member_order = "bysource"

html_math_renderer = "mathml"  # every browser shows it without fetching a script

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

linkcheck_timeout = 20
linkcheck_ignore = [r"https://doi\.org/.*"]  # publishers refuse programs
