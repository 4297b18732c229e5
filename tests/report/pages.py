"""Pages of a report as a test reads them: links, sources, texts, identifiers."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

LOADING = {
    ("img", "src"),
    ("script", "src"),
    ("link", "href"),
    ("iframe", "src"),
    ("object", "data"),
}


class Page(HTMLParser):
    """One page. `loaded`: what a browser fetches by itself; `links`: what it goes to when asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.texts: list[str] = []
        self.unnamed_pictures = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.handlers += [name for name in given if name.startswith("on")]
        self.ids += [given["id"] or ""] if "id" in given else []
        self.loaded += [value for name, value in attrs if value and (tag, name) in LOADING]
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "img" and not given.get("alt"):
            self.unnamed_pictures += 1

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def pages(folder: Path) -> Iterator[Page]:
    yield from (Page(path) for path in sorted(folder.rglob("*.html")))


def is_elsewhere(address: str) -> bool:
    return "://" in address or address.startswith("//")


def broken(folder: Path) -> list[str]:
    """The addresses within a report that lead nowhere, with the page they are on."""
    found = []
    known = {page.path.resolve(): page for page in pages(folder)}
    for path, page in known.items():
        for address in [*page.links, *page.loaded]:
            if is_elsewhere(address):
                continue
            file, _, part = address.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.is_file() or (part and part not in known[target].ids):
                found.append(f"{path.relative_to(folder.resolve())}: {address}")
    return found
