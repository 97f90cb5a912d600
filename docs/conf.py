"""The settings of the site: `nox -s docs` builds it. The hooks of our own are in `_site`."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # the hooks, and the library of this tree

from _site import inventories  # noqa: E402 - it is found where the line above says

_project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "trio_otp"
author = "trio_otp contributors"
copyright = author
release = version = os.environ.get("SITE_VERSION") or _project["version"]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinxcontrib_trio",
    "sphinx_copybutton",
    "myst_nb",
    "_site",
]
# A notebook is read from the file that holds its outputs; the text beside it is for reviewers.
exclude_patterns = [
    *(f"tutorial/{each.stem}.md" for each in (DOCS / "tutorial").glob("*.ipynb")),
    "_site",
    "**/.ipynb_checkpoints",
]
smartquotes = False  # `--set` is an option, not a dash
templates_path = ["_templates"]
toc_object_entries_show_parents = "hide"

# -- the library's docstrings: single backticks are names, `otp` is the library ------------------
default_role = "name"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_use_legacy_class_based = True  # sphinxcontrib-trio extends these classes
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# -- Markdown and notebooks ----------------------------------------------------------------------
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4  # the anchors that a forge makes of headings, which links use
nb_execution_mode = "off"  # they hold their outputs, which the tests compare
nb_merge_streams = True

# -- links to others, without the network --------------------------------------------------------
intersphinx_mapping = inventories.mapping()
intersphinx_timeout = 1

# -- the look ------------------------------------------------------------------------------------
html_theme = "furo"
html_title = f"trio_otp {release}"
html_favicon = "../trio_otp/observer/page/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["sidebar.js"]
# The switcher of versions is there where all are built, see `build.py`.
html_context = {"site_version": os.environ.get("SITE_VERSION", "")}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_show_sphinx = False
html_copy_source = False
html_last_updated_fmt = None
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_copy_empty_lines = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
