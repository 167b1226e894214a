"""A hook of mkdocs: puts the project's own pages (README, ARCHITECTURE, ...) into the site beside those of docs/.

Links are written for the repository and rewritten for the site. A file of the repository that is no page of the site becomes
plain text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# Where each page is in the repository, by its place in the site. mkdocs would take a README.md for the index of its folder.
PAGES = {
    "start.md": "README.md",
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "benchmarks/results.md": "benchmarks/RESULTS.md",
    "training/card.md": "training/CARD.md",
    "training/making.md": "training/README.md",
}
_PLACES = {path: place for place, path in PAGES.items()}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)]*)?\)")
_IMAGE = re.compile(r'(?P<before><img src=")docs/')


def on_files(files: Files, config: Any) -> Files:
    """Add the project's pages."""
    for place, path in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:  # noqa: ARG001 - mkdocs passes by name
    """The page with its links as they are in the site."""
    place = page.file.src_uri
    path = PAGES.get(place, f"docs/{place}")

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match["target"]))
        if not (ROOT / target).exists():
            return match[0]  # a broken link stays, for mkdocs to report
        there = _PLACES.get(target, target.removeprefix("docs/"))
        if files.get_file_from_path(there) is None:
            return match["text"]
        return f"[{match['text']}]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{match['anchor'] or ''})"

    return _IMAGE.sub(r"\g<before>", _LINK.sub(link, markdown))
