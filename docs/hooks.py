"""What the site takes from outside ``docs/``: the README as its home, linked files.

Pages link as they do in the repository, so that links work there, too. On the site
`README.md` is ``index.md``, ``docs/`` is the root, and any other file that a page links
to is copied to its own path.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
FENCED = re.compile(r"(^```.*?^```$)", re.M | re.S)
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README and what pages link to beside ``docs/``."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=readme))
    unread = [file.src_uri for file in files.documentation_pages()]
    while unread:
        for path in sorted(_linked(files, unread.pop())):
            if files.get_file_from_path(path) is None and (ROOT / path).is_file():
                source = str(ROOT / path)
                files.append(File.generated(config, path, abs_src_path=source))
                if path.endswith(".md"):
                    unread.append(path)
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Turn links of the repository into links of the site."""
    here = page.file.src_uri

    def on_site(link: re.Match[str]) -> str:
        path, hash_, anchor = link.group().partition("#")
        target = _on_site(_in_repository(path, here))
        return posixpath.relpath(target, posixpath.dirname(here)) + hash_ + anchor

    pieces = FENCED.split(markdown)
    pieces[::2] = [LINK.sub(on_site, prose) for prose in pieces[::2]]
    return "".join(pieces)


def _linked(files: Files, page: str) -> set[str]:
    """Return the paths on the site that a page links to."""
    file = files.get_file_from_path(page)
    assert file is not None
    prose = "".join(FENCED.split(file.content_string)[::2])
    links = (link.partition("#")[0] for link in LINK.findall(prose))
    return {_on_site(_in_repository(link, page)) for link in links}


def _in_repository(link: str, page: str) -> str:
    """Return the path that a page links to, from the root of the repository."""
    if page == "index.md":
        place = "README.md"
    else:
        place = f"docs/{page}" if (ROOT / "docs" / page).is_file() else page
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), link))


def _on_site(path: str) -> str:
    return "index.md" if path == "README.md" else path.removeprefix("docs/")
