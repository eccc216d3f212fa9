"""What registries say of tags, tokens and limits, and what comes of it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from controller.agents.docker.registries import BAD_FOR, GOOD_FOR, Registries
from controller.agents.docker.registry_settings import registry_settings
from controller.engine.agent import Retry, Stalled
from controller.store.home import Home
from controller.store.secrets import HomeSecrets
from tests.registry import free_port
from tests.speaking_registry import DIGEST, IDENTITY, PASSWORD, USER, Say, SpeakingRegistry, speaking_registry


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def speaking() -> Iterator[SpeakingRegistry]:
    with speaking_registry() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


Made = Callable[..., Registries]


@pytest.fixture
def made(tmp_path: Path, clock: Clock) -> Made:
    """Registries with these settings, and the user's Docker configuration nowhere."""
    environment = {"DOCKER_CONFIG": str(tmp_path / "no-docker"), "PASSWORD": PASSWORD, "IDENTITY": IDENTITY}
    secrets = HomeSecrets(Home(tmp_path / "home"), environment)

    def make(settings: Mapping[str, Any] | None = None) -> Registries:
        return Registries(registry_settings(settings or {}), secrets, 5.0, environment, clock)

    return make


def app(speaking: SpeakingRegistry, tag: str = ":1.0") -> str:
    return f"{speaking.host}/team/app{tag}"


def failure(ask: Callable[[], object]) -> Retry | Stalled:
    with pytest.raises((Retry, Stalled)) as raised:
        ask()
    found = raised.value
    assert isinstance(found, Retry | Stalled)
    assert found.message.startswith("cannot ")
    assert not any(secret in found.message for secret in (PASSWORD, IDENTITY, "token-"))
    return found


class TestDigests:
    def test_digest_is_asked_for_without_fetching_the_manifest(self, speaking: SpeakingRegistry, made: Made) -> None:
        assert made().digest(app(speaking)) == DIGEST
        assert {each.method for each in speaking.asked} == {"HEAD"}
        accepted = speaking.asked[-1].headers["Accept"]
        assert "manifest.list.v2+json" in accepted
        assert "image.index.v1+json" in accepted

    def test_registry_that_does_not_know_head_is_asked_for_the_manifest(
        self, speaking: SpeakingRegistry, made: Made
    ) -> None:
        speaking.head = False
        manifest = b'{"schemaVersion": 2, "tag": "1.0"}'
        assert made().digest(app(speaking)) == f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def test_digest_that_is_given_needs_no_question(self, speaking: SpeakingRegistry, made: Made) -> None:
        assert made().digest(app(speaking, f"@{DIGEST}")) == DIGEST
        assert not speaking.asked

    def test_missing_tag_stalls_and_names_image_and_registry(self, speaking: SpeakingRegistry, made: Made) -> None:
        found = failure(lambda: made().digest(app(speaking, ":9")))
        assert (type(found), found.reason) == (Stalled, "ImageNotFound")
        assert app(speaking, ":9") in found.message

    def test_many_questions_at_once_are_asked_once(self, speaking: SpeakingRegistry, made: Made) -> None:
        registries = made()
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(lambda _: registries.digest(app(speaking)), range(10)))
        assert found == [DIGEST] * 10
        assert len(speaking.asked_for("manifests")) == 1

    def test_answer_counts_for_a_while(self, speaking: SpeakingRegistry, made: Made, clock: Clock) -> None:
        registries = made()
        registries.digest(app(speaking))
        speaking.digests["1.0"] = DIGEST.replace("1", "2")
        clock.now += GOOD_FOR - 1
        assert registries.digest(app(speaking)) == DIGEST
        clock.now += 2
        assert registries.digest(app(speaking)) == DIGEST.replace("1", "2")

    def test_who_asks_more_often_gets_a_newer_answer(
        self, speaking: SpeakingRegistry, made: Made, clock: Clock
    ) -> None:
        registries = made()
        registries.digest(app(speaking))
        newer = speaking.digests["1.0"] = DIGEST.replace("1", "2")
        clock.now += 2
        assert registries.digest(app(speaking), 5.0) == DIGEST
        assert registries.digest(app(speaking), 2.0) == newer
        assert registries.digest(app(speaking)) == newer

    def test_failure_counts_for_a_shorter_while(self, speaking: SpeakingRegistry, made: Made, clock: Clock) -> None:
        registries = made()
        speaking.next = [Say(503)]
        for _ in range(3):
            found = failure(lambda: registries.digest(app(speaking)))
            assert (type(found), found.reason) == (Retry, "RegistryUnavailable")
        assert len(speaking.asked) == 1
        clock.now += BAD_FOR + 1
        assert registries.digest(app(speaking)) == DIGEST


class TestTags:
    def test_all_pages_are_read(self, speaking: SpeakingRegistry, made: Made) -> None:
        assert made().tags(app(speaking, "")) == speaking.tags
        assert len(speaking.asked) == 3

    def test_list_that_leads_in_a_circle_ends(self, speaking: SpeakingRegistry, made: Made) -> None:
        circle = {"Link": '</v2/team/app/tags/list?n=1000>; rel="next"'}
        speaking.next = [Say(200, circle, b'{"tags": ["1"]}')]
        assert made().tags(app(speaking, "")) == ["1"]

    def test_link_to_another_host_is_followed_on_this_one(self, speaking: SpeakingRegistry, made: Made) -> None:
        elsewhere = {"Link": '<http://other.invalid/v2/team/app/tags/list?last=1.3&n=3>; rel="next"'}
        speaking.next = [Say(200, elsewhere, b'{"tags": ["0"]}')]
        assert made().tags(app(speaking, "")) == ["0", "1.4", "1.5", "1.6"]

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"name": "x"}'])
    def test_answer_that_is_none_is_told_of(self, body: bytes, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.next = [Say(200, {}, body)]
        found = failure(lambda: made().tags(app(speaking, "")))
        assert (type(found), found.reason) == (Retry, "RegistryUnavailable")
        assert "does not answer as a registry does" in found.message


class TestTokens:
    def test_token_is_fetched_once_and_used_until_it_ends(
        self, speaking: SpeakingRegistry, made: Made, clock: Clock
    ) -> None:
        speaking.bearer = True
        registries = made()
        for tag in (":1.0", ":1.1", ":1.2"):
            registries.digest(app(speaking, tag))
        assert len(speaking.asked_for("/token")) == 1
        clock.now += 300
        registries.digest(app(speaking))
        assert len(speaking.asked_for("/token")) == 2

    def test_token_that_was_revoked_is_fetched_anew(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.bearer = True
        registries = made()
        registries.digest(app(speaking))
        speaking.tokens.clear()
        assert registries.digest(app(speaking, ":1.1")) == DIGEST

    def test_scope_and_service_are_asked_for(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.bearer = True
        made().digest(app(speaking))
        query = speaking.asked_for("/token")[0].query
        assert query["scope"] == ["repository:team/app:pull"]
        assert query["service"] == ["speaking"]

    def test_password_is_given_for_a_token(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.bearer, speaking.open = True, False
        settings = {speaking.host: {"username": USER, "password": {"env": "PASSWORD"}}}
        assert made(settings).digest(app(speaking)) == DIGEST

    def test_identity_token_is_given_for_a_token(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.bearer, speaking.open = True, False
        assert made({speaking.host: {"token": {"env": "IDENTITY"}}}).digest(app(speaking)) == DIGEST
        assert speaking.asked_for("/token")[0].method == "POST"

    def test_wrong_password_stalls_and_says_where_it_is_from(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.bearer = True
        settings = {speaking.host: {"username": "somebody", "password": {"env": "PASSWORD"}}}
        found = failure(lambda: made(settings).digest(app(speaking)))
        assert (type(found), found.reason) == (Stalled, "Unauthorized")
        assert "somebody from agents/docker.yaml" in found.message

    def test_registry_that_wants_a_login_says_how(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.bearer, speaking.open = True, False
        found = failure(lambda: made().digest(app(speaking)))
        assert (type(found), found.reason) == (Stalled, "Unauthorized")
        assert f"docker login {speaking.host}" in found.message
        assert "agents/docker.yaml" in found.message

    def test_registry_that_forbids_is_told_apart_from_one_that_is_down(
        self, speaking: SpeakingRegistry, made: Made
    ) -> None:
        speaking.next = [Say(403)]
        assert failure(lambda: made().digest(app(speaking))).reason == "Unauthorized"

    @pytest.mark.parametrize("body", [b"no JSON", b"{}", b"[]"])
    def test_broken_token_is_tried_again(self, body: bytes, speaking: SpeakingRegistry, made: Made) -> None:
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{speaking.host}/token"'}
        speaking.next = [Say(401, challenge), Say(200, {}, body)]
        found = failure(lambda: made().digest(app(speaking)))
        assert (type(found), found.reason) == (Retry, "RegistryUnavailable")

    def test_password_never_goes_over_plain_http_to_another_host(self, speaking: SpeakingRegistry, made: Made) -> None:
        speaking.next = [Say(401, {"WWW-Authenticate": 'Bearer realm="http://other.invalid/token"'})]
        settings = {speaking.host: {"username": USER, "password": {"env": "PASSWORD"}}}
        assert failure(lambda: made(settings).digest(app(speaking))).reason == "RegistryUntrusted"

    def test_no_secret_is_logged(
        self, speaking: SpeakingRegistry, made: Made, caplog: pytest.LogCaptureFixture
    ) -> None:
        speaking.bearer, speaking.open = True, False
        with caplog.at_level(logging.DEBUG):
            registries = made({speaking.host: {"username": USER, "password": {"env": "PASSWORD"}}})
            registries.digest(app(speaking))
        assert not any(secret in caplog.text for secret in (PASSWORD, "token-0"))
        assert PASSWORD not in repr(registries.credentials(app(speaking)))


class TestLimits:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"Retry-After": "40"}, 40),
            ({"Retry-After": "a date"}, 400),
            ({"RateLimit-Reset": "40"}, 40),
            ({"X-RateLimit-Reset": "a moment"}, 400),
            ({"Retry-After": "soon"}, 60),
            ({}, 60),
            ({"Retry-After": "99999999"}, 6 * 3600),
        ],
        ids=str,
    )
    def test_registry_says_how_long_to_wait(
        self, headers: dict[str, str], seconds: int, speaking: SpeakingRegistry, made: Made
    ) -> None:
        moments = {"a date": formatdate(time.time() + 400, usegmt=True), "a moment": str(int(time.time() + 400))}
        speaking.next = [Say(429, {name: moments.get(value, value) for name, value in headers.items()})]
        found = failure(lambda: made().digest(app(speaking)))
        assert isinstance(found, Retry)
        assert found.reason == "RateLimited"
        assert found.after == pytest.approx(seconds, abs=60 if seconds == 400 else 0.1)

    def test_registry_is_left_alone_until_then(self, speaking: SpeakingRegistry, made: Made, clock: Clock) -> None:
        registries = made()
        speaking.next = [Say(429, {"Retry-After": "40"})]
        for tag in (":1.0", ":1.1", ":1.2"):
            assert failure(lambda tag=tag: registries.digest(app(speaking, tag))).reason == "RateLimited"  # type: ignore[misc]
        assert failure(lambda: registries.respect(app(speaking))).reason == "RateLimited"
        assert len(speaking.asked) == 1
        clock.now += 41
        assert registries.digest(app(speaking)) == DIGEST

    def test_others_are_asked_meanwhile(self, speaking: SpeakingRegistry, made: Made) -> None:
        registries = made()
        speaking.next = [Say(429)]
        failure(lambda: registries.digest(app(speaking)))
        with speaking_registry() as other:
            assert registries.digest(app(other)) == DIGEST

    def test_pauses_grow_where_it_does_not_say(self, speaking: SpeakingRegistry, made: Made, clock: Clock) -> None:
        registries, pauses = made(), []
        for _ in range(3):
            speaking.next = [Say(429)]
            found = failure(lambda: registries.digest(app(speaking)))
            assert isinstance(found, Retry) and found.after
            pauses.append(found.after)
            clock.now += found.after + 1
        assert pauses == [60, 120, 240]

    def test_limit_of_the_tokens_giver_counts(self, speaking: SpeakingRegistry, made: Made) -> None:
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{speaking.host}/token"'}
        speaking.next = [Say(401, challenge), Say(429)]
        assert failure(lambda: made().digest(app(speaking))).reason == "RateLimited"


class TestMirrors:
    def test_mirror_is_asked_first(self, speaking: SpeakingRegistry, made: Made) -> None:
        registries = made({"docker.io": {"mirrors": [f"http://{speaking.host}"]}})
        assert registries.digest("team/app:1.0") == DIGEST

    def test_path_of_a_mirror_stands_before_the_repository(self, speaking: SpeakingRegistry, made: Made) -> None:
        registries = made({"ghcr.io": {"mirrors": [f"http://{speaking.host}/team"]}})
        assert registries.digest("ghcr.io/app:1.0") == DIGEST

    @pytest.mark.parametrize("trouble", [404, 500, 401, 429])
    def test_registry_itself_is_asked_where_the_mirror_can_not_say(
        self, trouble: int, speaking: SpeakingRegistry, made: Made
    ) -> None:
        with speaking_registry() as mirror:
            mirror.next = [Say(trouble)]
            registries = made({speaking.host: {"mirrors": [f"http://{mirror.host}"]}})
            assert registries.digest(app(speaking)) == DIGEST
            assert len(mirror.asked) == 1

    def test_mirror_that_is_down_is_passed_over(self, speaking: SpeakingRegistry, made: Made) -> None:
        registries = made({speaking.host: {"mirrors": [f"http://127.0.0.1:{free_port()}"]}})
        assert registries.digest(app(speaking)) == DIGEST
