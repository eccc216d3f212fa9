"""The documentation's links lead somewhere, and what it says of reasons is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resources.conditions import Reason
from resources.load import load_text
from tests.pages import FILES_MODE_ONLY, PAGES, ROOT, Document, documents, unfenced


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_section(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]*)\)", page.read_text())
    wrong = [
        f"{file}#{anchor}" for file, anchor in links if anchor not in sections(page.parent / file if file else page)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_resource_of_a_page_stands_in_a_block_that_the_tests_find(page: Path) -> None:
    assert unfenced(page) == []


@pytest.mark.parametrize("document", [each for each in documents() if each.mark in ("", FILES_MODE_ONLY)], ids=str)
def test_every_resource_of_the_pages_and_examples_is_valid(document: Document) -> None:
    assert load_text(document.text.encode(), document.place, ROOT / "docs").problems == ()


def sections(page: Path) -> set[str]:
    """The anchors of a page's headings, as a reader's browser has them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_section_of_the_operations_page_is_there_twice() -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert sorted(set(headings)) == sorted(headings)


@pytest.mark.parametrize("name", ["concepts.md", "operations.md"])
def test_every_reason_is_explained(name: str) -> None:
    text = (ROOT / "docs" / name).read_text()
    unexplained = [reason for reason in Reason if f"`{reason}`" not in text]
    assert unexplained == []


def test_the_readme_opens_with_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text().splitlines()[:16]
    commands = [line.strip() for line in first_screen if line.startswith("    python3 -m venv")]
    assert [command.split()[-2:] for command in commands] == [["apply", "state"], ["&&", ".venv/bin/pytest"]]
