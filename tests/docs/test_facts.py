"""What the docs name exists: links, files, settings, commands, units, tests."""

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tbot_bot.config.schema import KEYS
from tbot_bot.domain.errors import TbotError
from tbot_bot.support.path_resolver import Paths
from tests.conftest import REPOSITORY
from tests.docs.pages import Page, pages
from tools.campaign import PARTS

PAGES = pages()
SOURCES = ("tbot_bot", "tbot_web", "tools", "systemd")
MADE_BY_OTHERS = frozenset(
    {"output/logs", "output/supervisor", "control/audit_anchors.jsonl", "output/audit_anchors.jsonl"}
    | {"backtest_results/strategy_tuning"}
)
"""Parts of the state whose names path_resolver leaves to the one module that uses them."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@cache
def words_of_the_code() -> frozenset[str]:
    """Every upper-case word of the sources: environment variables, states and constants are among them."""
    texts = [(REPOSITORY / name).read_text() for name in ("Makefile", "compose.yaml")]
    for folder in SOURCES:
        texts += [path.read_text() for path in (REPOSITORY / folder).rglob("*") if _is_source(path)]
    return frozenset(re.findall(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", "\n".join(texts)))


def _is_source(path: Path) -> bool:
    hidden = {"storage", "databases", "__pycache__"} & set(path.parts)
    return not hidden and path.is_file() and path.suffix not in {".db", ".key", ".enc", ".png", ".woff2", ".pyc"}


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


@each_page
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = []
    for link in page.links:
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target) if target else page.path
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(link)

    assert broken == []


def _anchors(path: Path) -> frozenset[str]:
    return next((page.anchors for page in PAGES if page.path.resolve() == path.resolve()), frozenset())


@each_page
def test_every_setting_and_variable_exists(page: Page) -> None:
    known = {name for spec in KEYS for name in (spec.name, *spec.aliases)} | words_of_the_code()
    named = set(re.findall(r"(?<![\w/.<-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w*])", page.text))

    assert sorted(named - known) == []


@each_page
def test_every_make_target_exists(page: Page) -> None:
    commands = [*page.code, *(line for block in page.blocks for line in block.text.splitlines())]
    named = {found[1] for command in commands if (found := re.match(r"(?:sudo )?make ([a-z][a-z-]*)", command))}

    assert sorted(named - make_targets()) == []


@each_page
def test_every_module_and_its_options_exist(page: Page) -> None:
    faults = []
    for command in re.findall(r"-m ((?:tools|tbot_bot|tbot_web)[\w.]*[^\n`|]*)", page.text):
        module, *words = command.split()
        source = _source_of(module)
        options = [word.split("=")[0] for word in words if word.startswith("--")]
        if source is None or any(f'"{option}"' not in source for option in options):
            faults.append(command)

    assert faults == []


def _source_of(module: str) -> str | None:
    spec = importlib.util.find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{module}.__main__")
    return Path(spec.origin).read_text() if spec is not None and spec.origin else None


@each_page
def test_every_unit_exists(page: Page) -> None:
    named = set(re.findall(r"tbot-[a-z]+@?\.(?:service|socket|timer|path)|tbot\.target", page.text))
    named |= {
        f"{name}.service" for name in re.findall(r"(?:systemctl \w+|journalctl -u) (tbot-[a-z]+)\b(?!\.)", page.text)
    }
    units = {path.name for path in (REPOSITORY / "systemd").glob("*")}

    assert sorted(named - units - {"tbot-keys.service"}) == []


@each_page
def test_every_file_of_the_code_exists(page: Page) -> None:
    named = re.findall(r"(?<![\w/.-])((?:docs|tools|tests|tbot_bot|tbot_web|systemd)/[\w/.*@-]+\w)", page.text)
    code = {name for name in named if not name.startswith(("tbot_bot/storage", "tbot_bot/core"))}

    assert sorted(name for name in code if not _there(name)) == []


def _there(name: str) -> bool:
    return any(REPOSITORY.glob(name)) or any(REPOSITORY.glob(f"{name}.py"))


@each_page
def test_every_file_of_the_state_is_one_that_the_code_uses(page: Page) -> None:
    tops = "control|output|backtest_results|tbot_bot/storage|tbot_bot/core"
    named = set(re.findall(rf"(?<![\w.-])((?:{tops})/[\w./@-]+\w)", page.text))

    assert sorted(name for name in named if not _known(name)) == []


@cache
def _state_paths() -> frozenset[str]:
    paths = Paths(Path("/"))
    found = {str(value).lstrip("/") for value in _values(paths) if isinstance(value, Path)}
    return frozenset(found | MADE_BY_OTHERS)


def _values(paths: Paths) -> Iterator[object]:
    for name, member in vars(Paths).items():
        if isinstance(member, property):
            yield getattr(paths, name)


def _known(name: str) -> bool:
    """One of the resolver's paths, above one, or below one that is not just a top folder."""
    parts = name.split("/")
    above = {"/".join(parts[:count]) for count in range(2, len(parts) + 1)} - {"tbot_bot/storage", "tbot_bot/core"}
    return bool(above & _state_paths()) or any(path.startswith(f"{name}/") for path in _state_paths())


@each_page
def test_every_campaign_part_exists(page: Page) -> None:
    named = {
        part
        for words in re.findall(r"campaign ((?:`\w+`(?:, | and )?)+)", page.text)
        for part in re.findall(r"\w+", words)
    }

    assert sorted(named - PARTS.keys() - {"and"}) == []


@each_page
def test_every_test_that_is_named_exists(page: Page) -> None:
    named = re.findall(r"`((?:unit|property|contract|e2e|system)/[\w/]+)`", page.text)

    assert sorted(name for name in named if not _there(f"tests/{name}")) == []


@each_page
def test_no_page_is_forgotten(page: Page) -> None:
    """Every page but the README can be reached from it, by one link or two."""
    reached = {_resolved(PAGES[0], link) for link in PAGES[0].links}
    reached |= {_resolved(other, link) for other in PAGES if other.path.resolve() in reached for link in other.links}

    assert page is PAGES[0] or page.path.resolve() in reached


def test_every_exit_code_that_is_explained_is_one_of_ours() -> None:
    incidents = next(page for page in PAGES if page.name == "docs/incidents.md")
    explained = {int(code) for code in re.findall(r"^\| (\d\d) \|", incidents.text, re.MULTILINE)}

    assert explained
    assert sorted(explained - set(_exit_codes(TbotError))) == []


def _exit_codes(kind: type[TbotError]) -> Iterator[int]:
    yield kind.exit_code
    for below in kind.__subclasses__():
        yield from _exit_codes(below)


def _resolved(page: Page, link: str) -> Path:
    return (page.path.parent / link.partition("#")[0]).resolve()
