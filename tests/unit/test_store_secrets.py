"""Secrets in files mode: where values are found, what is said when they are not, and digests that tell nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.engine.agent import Secrets, Stalled
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from resources.conditions import Reason
from resources.meta import SecretKey, SecretRef


@pytest.fixture
def secrets(home: Path) -> Secrets:
    return HomeSecrets(Home(home), {"TOKEN": "from the environment"})


def test_value_is_found_in_the_environment(secrets: Secrets) -> None:
    assert secrets.reveal(SecretRef(env="TOKEN")) == "from the environment"


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("two\nlines\n\n", "two\nlines\n")]
)
def test_file_loses_one_final_newline(secrets: Secrets, tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "token").write_text(content)
    assert secrets.reveal(SecretRef(file=str(tmp_path / "token"))) == value


def test_named_secret_is_a_file_in_the_home(secrets: Secrets, home: Path) -> None:
    (home / "secrets" / "db").mkdir(parents=True)
    (home / "secrets" / "db" / "password").write_text("hunter2\n")
    assert secrets.reveal(SecretRef(secret=SecretKey(name="db", key="password"))) == "hunter2"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (SecretRef(env="MISSING"), "cannot find the environment variable MISSING: set it where Pegasus2 is started"),
        (SecretRef(file="/nowhere/token"), "cannot find the secret file /nowhere/token: write the value into it"),
        (SecretRef(file="/"), "cannot read the secret file /: Is a directory"),
        (SecretRef(secret=SecretKey(name="db", key="password")), "secrets/db/password: write the value into it"),
        (SecretRef(secret=SecretKey(name="db", key="../../id")), 'cannot look up the entry "../../id"'),
        (SecretRef(secret=SecretKey(name="db", key="..")), 'cannot look up the entry ".."'),
    ],
)
def test_missing_secret_says_where_to_put_it(secrets: Secrets, ref: SecretRef, message: str) -> None:
    with pytest.raises(Stalled) as stalled:
        secrets.reveal(ref)
    assert stalled.value.reason == Reason.SECRET_NOT_FOUND
    assert message in stalled.value.message


def test_binary_secret_is_not_quoted_in_the_error(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"hunter2\xff")
    with pytest.raises(Stalled, match="not UTF-8") as stalled:
        secrets.reveal(SecretRef(file=str(tmp_path / "token")))
    assert "hunter2" not in repr(stalled.value)
    assert stalled.value.__cause__ is None


def test_digest_tells_values_apart_and_depends_on_the_home(secrets: Secrets, tmp_path: Path) -> None:
    digest = secrets.digest("hunter2")
    assert digest == secrets.digest("hunter2")
    assert len(digest) == 16
    assert digest != secrets.digest("hunter3")
    assert digest != HomeSecrets(Home(tmp_path / "another")).digest("hunter2")


def test_rotated_secret_is_seen_at_the_next_look(secrets: Secrets, tmp_path: Path) -> None:
    ref = SecretRef(file=str(tmp_path / "token"))
    for value in ("old", "new"):
        (tmp_path / "token").write_text(value)
        assert secrets.reveal(ref) == value
