"""What a .dockerignore keeps out, after the rules and the cases of the program that Docker uses for it."""

from __future__ import annotations

import pytest

from resources.docker.ignore import Ignore

# Patterns, a path, and whether it is kept out.
CASES = [
    ("", "a", False),
    ("a", "a", True),
    ("a", "a/b/c", True),
    ("a", "b/a", False),
    ("/a", "a", True),
    ("a/", "a/b", True),
    ("./a", "a", True),
    ("a/../b", "b", True),
    ("*", "a/b", True),
    ("*.go", "a.go", True),
    ("*.go", "sub/a.go", False),
    ("*/*.go", "sub/a.go", True),
    ("**/*.go", "a.go", True),
    ("**/*.go", "x/y/a.go", True),
    ("**/a", "a", True),
    ("**/a", "x/y/a", True),
    ("**/a", "x/ya", False),
    ("**a", "x/ya", True),
    ("**", "a/b", True),
    ("a/**", "a/b/c", True),
    ("a/**", "a", False),
    ("a/**", "ab", False),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a**", "ab/c", True),
    ("a?c", "abc", True),
    ("a?c", "a/c", False),
    ("[ab].txt", "a.txt", True),
    ("[ab].txt", "c.txt", False),
    ("[^ab].txt", "c.txt", True),
    (r"a\*b", "a*b", True),
    (r"a\*b", "axb", False),
    ("a.b", "axb", False),
    ("a+b", "a+b", True),
    ("a(b)", "a(b)", True),
    ("{a,b}", "a", False),
    ("# a\na", "a", True),
    (" a ", "a", True),
    ("\ufeffa", "a", True),
    ("*\n!a", "a", False),
    ("*\n! a", "a", False),
    ("*\n!a/b", "a/b", False),
    ("*\n!a/b", "a/c", True),
    ("*\n!a\na/b", "a/b", True),
    ("!a\na", "a", True),
    ("a\n!a\na", "a", True),
    ("docs\n!docs/README.md", "docs/README.md", False),
    ("docs\n!**/*.md", "docs/x/y.md", False),
    ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
    ("*.md\n!README*.md\nREADME-secret.md", "README-x.md", False),
]


@pytest.mark.parametrize(("patterns", "path", "ignored"), CASES)
def test_the_last_pattern_that_matches_decides(patterns: str, path: str, ignored: bool) -> None:
    assert Ignore.parse(patterns).ignores(path) is ignored


@pytest.mark.parametrize(
    ("patterns", "directory", "pruned"),
    [
        ("node_modules", "node_modules", True),
        ("node_modules\n!keep", "node_modules", True),
        ("node_modules\n!node_modules/keep", "node_modules", False),
        ("node_modules\n!node_modules/keep", "node_modules/other", True),
        ("node_modules\n!**/keep", "node_modules", False),
        ("node_modules\n!docs/**/keep", "node_modules", True),
        ("*\n!src", "src", False),
        ("*\n!*.md", "src", True),
        ("*\n!*/*.md", "src", False),
        ("*\n!*/*.md", "src/deep", True),
    ],
)
def test_a_directory_is_entered_only_where_something_in_it_may_count(
    patterns: str, directory: str, pruned: bool
) -> None:
    assert Ignore.parse(patterns).prunes(directory) is pruned


@pytest.mark.parametrize("pattern", ["!", "[a", "a\n! "])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^cannot read the pattern"):
        Ignore.parse(pattern)
