"""The documentation is true: links, citations, keys, examples and settings fit the code."""

import ast
import importlib
import io
import pkgutil
import re
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, RootModel

from gen404_assets import competition
from gen404_assets.competition import editions
from gen404_assets.competition.again import AgainFile
from gen404_assets.competition.audits import AuditRequests, GenerationAudits, SourceAudits
from gen404_assets.competition.builds import Builds
from gen404_assets.competition.config import Config
from gen404_assets.competition.duels import MatchReport
from gen404_assets.competition.editions.competition_0 import COMPETITION_0
from gen404_assets.competition.editions.files_2 import COMPETITION_2
from gen404_assets.competition.editions.rules import EditionRules
from gen404_assets.competition.files import ListFile, MapFile, ObjectFile, StateFile
from gen404_assets.competition.leader import Leader
from gen404_assets.competition.matches import HEADER, Matrix
from gen404_assets.competition.outputs import Outputs, PodStatsFile
from gen404_assets.competition.pods import PodRules
from gen404_assets.competition.schedule import Schedule
from gen404_assets.competition.seed import Seed, draw_seed
from gen404_assets.competition.settings import VERSIONS, Rules
from gen404_assets.competition.state import State
from gen404_assets.competition.submissions import Submissions
from gen404_assets.competition.winner import Winner
from gen404_assets.live.work import Pace
from resources.settings import setting_fields

ROOT = Path(__file__).parents[1]
SPECIFICATION = ROOT / "docs" / "specification"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted(
    path
    for folder in ("gen404_assets", "resources", "gpu", "sensors", "tests", "bench")
    for path in (ROOT / folder).rglob("*.py")
)
FORMATS: dict[type[StateFile], str] = {
    State: "state.json",
    Config: "config.json",
    Leader: "leader.json",
    Schedule: "schedule.json",
    Seed: "seed.json",
    Submissions: "submissions.json",
    Builds: "builds.json",
    AuditRequests: "require_audit.json",
    GenerationAudits: "generation_audits.json",
    SourceAudits: "source_audit.json",
    AgainFile: "again.json",
    Winner: "winner.json",
    Outputs: "submitted.json and generated.json",
    MatchReport: "duels_{left}.json",
    PodStatsFile: "pod_stats.json",
}
"""Each format's class, and the heading in state-files.md under which it is described."""

NOT_OURS = {"VLLM_BATCH_INVARIANT"}
"""Settings of the judge's server, which the specification names as well."""

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_CITATION = re.compile(r"(?<![\w/.-])(?:[\w.-]+/)*([\w-]+\.md)\b`?(?:, \"?([A-Z0-9][^\"`)]*))?")


def text_of(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> list[str]:
    return [heading.replace("`", "") for heading in _HEADING.findall(text_of(page))]


def anchors(page: Path) -> set[str]:
    """The fragments by which GitHub knows a page's headings."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(page))
    return {heading.replace(" ", "-") for heading in kept}


def section(page: Path, heading: str) -> str:
    """What stands below a heading, up to the next one."""
    parts = re.split(r"^#+ +(.+?) *$", page.read_text(), flags=re.MULTILINE)
    names = [name.replace("`", "") for name in parts[1::2]]
    return parts[2::2][names.index(heading)]


def example(heading: str) -> str:
    """The code block of a file's section in state-files.md."""
    body = section(SPECIFICATION / "state-files.md", heading)
    blocks = re.findall(r"^```\w+\n(.*?)\n```$", body, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, heading
    return str(blocks[0])


def prose(source: str) -> Iterator[str]:
    """The docstrings and comments of a module."""
    for node in ast.walk(ast.parse(source)):
        constant = node.value if isinstance(node, ast.Expr) else None
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
            yield " ".join(constant.value.split())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def wrong_citations(text: str) -> list[str]:
    """The citations in a text that name no page of ours, or no heading of it."""
    pages = {page.name: page for page in PAGES}
    wrong = []
    for match in _CITATION.finditer(text):
        name, cited = match.groups()
        if name not in pages or (cited and not is_heading(cited, headings(pages[name]))):
            wrong.append(match[0])
    return wrong


def is_heading(cited: str, known: list[str]) -> bool:
    """Whether a citation begins with a heading, or with the number of a numbered one."""
    if number := re.match(r"\d+", cited):
        return any(heading.startswith(f"{number[0]}. ") for heading in known)
    return any(re.match(rf"{re.escape(heading)}\b", cited) for heading in known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in _LINK.findall(text_of(page)):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        assert not fragment or fragment in anchors(linked), target


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        targets = {target.partition("#")[0] for target in _LINK.findall(text_of(page))}
        linked = {(page.parent / target).resolve() for target in targets if target.endswith(".md")}
        waiting += [each for each in linked & set(PAGES) if each not in reached]
    assert set(PAGES) - reached == set()


def test_every_citation_in_a_docstring_or_comment_names_a_page_and_a_heading() -> None:
    citing = [path for path in SOURCES if ".md" in path.read_text()]
    assert len(citing) > 20
    wrong = [
        f"{path.relative_to(ROOT)}: {citation}"
        for path in citing
        for text in prose(path.read_text())
        for citation in wrong_citations(text)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_citation_on_a_page_names_a_page_and_a_heading(page: Path) -> None:
    assert wrong_citations(" ".join(text_of(page).split())) == []


def test_wrong_citations_are_found() -> None:
    assert wrong_citations("`rules.md`, Duels: as said there; (`rules.md`, Timeline 4)") == []
    assert wrong_citations('interfaces.md, "Render service"; (guarantees.md, 27)') == []
    assert wrong_citations("as rules.md, for one, has it") == []
    for wrong in ("`laws.md`", "docs/laws.md", "`rules.md`, Duel", "`guarantees.md`, 28"):
        assert wrong_citations(wrong), wrong


def test_every_guarantee_says_what_it_promises_and_which_tests_break_it_or_that_none_does() -> None:
    page = SPECIFICATION / "guarantees.md"
    numbered = [heading for heading in headings(page) if re.match(r"\d+\. ", heading)]
    assert [int(heading.partition(".")[0]) for heading in numbered] == list(range(1, 28))
    for heading in numbered:
        body = section(page, heading)
        assert "**Promise.**" in body, heading
        tested = re.search(r"\*\*Tests\.\*\*\s`test_", body)
        assert tested or "no code and no test yet" in body, heading


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (SPECIFICATION / "guarantees.md").read_text()))
    there = {name for path in SOURCES for name in re.findall(r"def (test_\w+)\(", path.read_text())}
    assert len(named) > 80
    assert named - there == set()


def state_files() -> set[type[StateFile]]:
    """The classes of all file formats."""
    for module in pkgutil.walk_packages(competition.__path__, f"{competition.__name__}."):
        importlib.import_module(module.name)
    kinds, waiting = set[type[StateFile]](), [StateFile]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "[" not in kind.__name__ and kind.__module__.startswith(competition.__name__):
            kinds.add(kind)
    kinds -= {StateFile, ObjectFile, MapFile, ListFile}
    # Other editions' formats stand in docs/editions.md.
    return {kind for kind in kinds if not kind.__module__.startswith(editions.__name__)}


def keys(kind: object) -> set[str]:
    """All keys of a model, and of those inside it."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {key for inner in get_args(kind) for key in keys(inner)}
    names = set() if issubclass(kind, RootModel) else set(kind.model_fields)
    return names | {key for field in kind.model_fields.values() for key in keys(field.annotation)}


def test_every_file_format_has_its_section() -> None:
    assert state_files() == set(FORMATS)


@pytest.mark.parametrize("rules", [COMPETITION_0, COMPETITION_2], ids=lambda rules: rules.name)
def test_every_file_of_an_edition_is_in_its_table(rules: EditionRules) -> None:
    title = f"Competition {rules.name[-1]}: its files"
    body = section(ROOT / "docs" / "editions.md", title)
    assert [kind.shown for kind in rules.files if f"`{kind.shown}`" not in body] == []


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.__name__)
def test_every_key_of_a_format_is_described(kind: type[StateFile]) -> None:
    body = section(SPECIFICATION / "state-files.md", FORMATS[kind])
    assert keys(kind)
    assert {key for key in keys(kind) if f"`{key}`" not in body} == set()


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.__name__)
def test_every_example_is_written_as_the_platform_writes_it(kind: type[StateFile]) -> None:
    raw = example(FORMATS[kind]).encode()
    assert kind.parse(raw, FORMATS[kind]).to_bytes() == raw


def test_the_example_of_the_matrix_is_written_as_the_platform_writes_it() -> None:
    raw = example("matches_matrix.csv").encode()
    assert raw.startswith(HEADER.encode())
    assert Matrix.parse(raw, "matches_matrix.csv").to_bytes() == raw


def test_the_example_of_the_seed_is_what_the_rule_gives() -> None:
    seed = Seed.parse(example("seed.json").encode(), "seed.json")
    schedule = Schedule.parse(example("schedule.json").encode(), "schedule.json")
    assert seed.block == schedule.latest_reveal_block
    assert draw_seed(schedule.latest_reveal_block, str(seed.block_hash), "demo-3") == seed


def test_every_setting_of_the_rules_is_in_the_specification_and_no_other() -> None:
    pages = "".join(page.read_text() for page in SPECIFICATION.glob("*.md"))
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=\w+)?`", pages))
    fields = {*setting_fields(Rules), *setting_fields(PodRules)}
    assert {field.upper() for field in fields} - named == set()
    sources = "".join(path.read_text() for path in SOURCES if path != Path(__file__))
    unknown = {name for name in named if name not in sources and name.lower() not in sources}
    assert unknown == NOT_OURS


def shown(value: object) -> set[str]:
    """How a page may write a setting's default."""
    if not isinstance(value, int | float):
        return {str(value)}
    return {f"{value:g}", f"{value:,.0f}", f"{value / 3600:g} h"}


@pytest.mark.parametrize("settings", [Rules(), PodRules(), Pace()])
def test_the_default_of_a_setting_stands_beside_it(settings: Rules | PodRules | Pace) -> None:
    pages = "\n\n".join(page.read_text() for page in sorted(SPECIFICATION.glob("*.md")))
    passages = re.split(r"\n\n|\n(?=[|-])", pages)
    for name in setting_fields(type(settings)):
        beside = [passage for passage in passages if f"`{name.upper()}`" in passage]
        value = getattr(settings, name)
        if beside and not isinstance(value, bool):
            words = re.findall(r"[^\s()`|]+(?: h\b)?", " | ".join(beside))
            assert shown(value) & set(words), f"{name.upper()}: {value}"


def test_every_version_of_a_rule_is_in_the_specification() -> None:
    body = section(SPECIFICATION / "rules.md", "Earlier versions")
    for rule, versions in VERSIONS.items():
        assert f"`{rule}`" in body
        assert [version.name for version in versions if f"`{version.name}`" not in body] == []


def test_every_module_that_a_page_names_exists() -> None:
    modules = re.compile(r"`((?:gen404_assets|resources|gpu|sensors|tests|bench)/[\w/]+\.py)`")
    for page in PAGES:
        for path in modules.findall(page.read_text()):
            assert (ROOT / path).is_file(), f"{page.name}: {path}"


def test_decisions_are_numbered_complete_and_listed() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(record.name[:4]) for record in records]
    assert numbers[0] == 1
    assert all(later > earlier for earlier, later in pairwise(numbers))
    listed = re.findall(r"\[([^\]]+)\]\(docs/decisions/([^)]+)\)", (ROOT / "README.md").read_text())
    assert [name for _, name in listed] == [record.name for record in records]
    for record, (title, _) in zip(records, listed, strict=True):
        first, *parts = _HEADING.findall(record.read_text())
        assert first == f"{int(record.name[:4])}. {' '.join(title.split())}"
        assert parts == ["Context", "Decision", "Consequences"]


def test_tests_of_guarantees_are_named_after_them_with_two_digits() -> None:
    names = {
        name for path in SOURCES for name in re.findall(r"def (test_g\d\w*)\(", path.read_text())
    }
    assert len(names) > 100
    wrong = {name for name in names if not re.match(r"test_(g(0[1-9]|1\d|2[0-7])_)+[a-z]", name)}
    assert wrong == set()
