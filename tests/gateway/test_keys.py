"""API keys: who may ask, how often, and that a key is made, kept as a hash, and revoked while the gateway runs."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Iterator
from inspect import signature
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.cli.key import create
from edgeinfer.errors import RateLimited, SettingsError, Unauthorized
from edgeinfer.gateway.keys import KeyRing, digest_of, new_key, parse_keys, read_keys
from tests.gateway.rigs import API, Clock, Rig, api, make_rig


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api-keys"


def write(path: Path, *lines: str) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)


def made(name: str, rate: float | None = None) -> tuple[str, str]:
    secret, key = new_key(name, rate)
    return secret, key.line


def ring(path: Path, clock: Clock | None = None, rate: float = 10.0) -> KeyRing:
    found = KeyRing(path, requests_per_second=rate, clock=clock or Clock())
    found.load()
    return found


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


class TestTheFile:
    def test_what_is_made_is_read_again_and_the_secret_is_nowhere_in_it(self, path: Path) -> None:
        secret, line = made("phone", 5)
        write(path, "# a comment", "", line + "  # of the lab")
        (key,) = read_keys(path)
        assert (key.name, key.requests_per_second) == ("phone", 5.0)
        assert key.digest == digest_of(secret)
        assert secret not in path.read_text()

    @pytest.mark.parametrize(
        "line",
        [
            "phone",
            "phone secret",
            "phone sha256:abc",
            f"phone {digest_of('a').upper()}",
            f"pho\u00f6ne {digest_of('a')}",
            f"phone {digest_of('a')} 0",
            f"phone {digest_of('a')} -1",
            f"phone {digest_of('a')} nan",
            f"phone {digest_of('a')} 1 2",
        ],
    )
    def test_a_line_that_is_no_key_is_reported_with_its_number(self, line: str) -> None:
        with pytest.raises(SettingsError, match="keys line 2: it is not NAME sha256:HASH"):
            parse_keys(f"# keys\n{line}\n", "keys")

    def test_a_name_or_a_key_that_stands_twice_is_refused(self) -> None:
        one, other = f"a {digest_of('a')}", f"b {digest_of('a')}"
        with pytest.raises(SettingsError, match="is already in the file"):
            parse_keys(f"{one}\n{other}", "keys")
        with pytest.raises(SettingsError, match="is already in the file"):
            parse_keys(f"{one}\na {digest_of('b')}", "keys")

    def test_a_file_that_others_may_write_is_refused(self, path: Path) -> None:
        write(path, made("phone")[1])
        path.chmod(0o666)
        with pytest.raises(SettingsError, match="others may write it"):
            read_keys(path)

    def test_a_missing_file_is_reported(self, path: Path) -> None:
        with pytest.raises(SettingsError, match="it cannot be read"):
            read_keys(path)

    @given(st.text(max_size=200))
    def test_no_text_ends_in_anything_but_keys_or_the_number_of_a_line(self, text: str) -> None:
        try:
            keys = parse_keys(text, "keys")
        except SettingsError:
            return
        assert len({key.name for key in keys}) == len(keys)


class TestTheRing:
    def test_each_of_several_keys_is_known_and_no_other(self, path: Path) -> None:
        pairs = {name: made(name) for name in ("one", "two", "three")}
        write(path, *(line for _, line in pairs.values()))
        found = ring(path)
        assert [found.admit(secret).name for secret, _ in pairs.values()] == ["one", "two", "three"]
        for bad in ("", "x", pairs["one"][0][:-1], pairs["one"][0] + "x", digest_of(pairs["one"][0]), "\udcff"):
            with pytest.raises(Unauthorized):
                found.admit(bad)

    def test_comparing_is_in_constant_time_and_over_every_key(self, path: Path) -> None:
        secret, line = made("one")
        write(path, line, made("two")[1], made("three")[1])
        compared = []

        def is_same(kept: str, given: str) -> bool:
            compared.append(kept)
            return hmac.compare_digest(kept, given)

        found = KeyRing(path, requests_per_second=10, is_same=is_same)
        found.load()
        found.admit(secret)
        assert signature(KeyRing).parameters["is_same"].default is hmac.compare_digest
        assert len(compared) == 3, "the first hit ended the comparison: its time would reveal the place of a key"

    def test_a_key_has_its_rate_and_twice_as_much_at_once(self, path: Path) -> None:
        clock = Clock()
        (fast, fast_line), (slow, slow_line) = made("fast"), made("slow", 2)
        write(path, fast_line, slow_line)
        found = ring(path, clock, rate=10)

        def admitted(secret: str) -> int:
            for count in range(1000):
                try:
                    found.admit(secret)
                except RateLimited:
                    return count
            return 1000

        assert (admitted(fast), admitted(slow)) == (21, 5)
        clock.now += 1
        assert (admitted(fast), admitted(slow)) == (10, 2), "one key's hunger is not another's"
        clock.now += 3600
        assert admitted(fast) == 21

    def test_a_changed_file_is_noticed_and_a_broken_one_changes_nothing(self, path: Path) -> None:
        (one, one_line), (two, two_line) = made("one"), made("two")
        write(path, one_line)
        found = ring(path)
        assert not found.has_changed()
        write(path, two_line, "# and more")
        assert found.has_changed()
        assert found.load() == 1
        assert found.admit(two).name == "two"
        with pytest.raises(Unauthorized):
            found.admit(one)
        write(path, "invalid")
        with pytest.raises(SettingsError):
            found.load()
        assert found.admit(two).name == "two"

    def test_reading_again_gives_nobody_a_new_allowance(self, path: Path) -> None:
        secret, line = made("one", 1)
        write(path, line)
        found = ring(path)
        for _ in range(3):
            found.admit(secret)
        found.load()
        with pytest.raises(RateLimited):
            found.admit(secret)


class TestTheGateway:
    @pytest.fixture
    def secret(self, path: Path) -> str:
        secret, line = made("phone", 3)
        write(path, line)
        return secret

    @pytest.fixture
    def rig(self) -> Rig:
        return make_rig()

    @pytest.fixture
    async def client(self, rig: Rig, path: Path, secret: str) -> AsyncIterator[httpx.AsyncClient]:
        del secret
        async with api(rig, keys=ring(path)) as client:
            yield client

    @pytest.mark.parametrize(
        ("method", "route"),
        [
            ("POST", "/start"),
            ("PUT", "/stream"),
            ("GET", "/motifs?sessionId=x"),
            ("GET", "/synchrony?sessionId=x"),
            ("POST", "/stop"),
            ("POST", "/process"),
            ("GET", "/nowhere"),
            ("DELETE", "/process"),
        ],
    )
    async def test_every_route_of_the_api_asks_for_a_key(
        self, client: httpx.AsyncClient, rig: Rig, method: str, route: str
    ) -> None:
        for headers in ({}, bearer("wrong"), {"Authorization": "Basic eA=="}, {"Authorization": "Bearer"}):
            answer = await client.request(method, API + route, headers=headers, json={})
            assert answer.status_code == 401, route
            assert answer.json().keys() == {"error", "status", "message", "remedy", "retry"}
            assert answer.json()["error"] == "unauthorized"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert rig.value("edgeinfer_http_errors_total", error_type="unauthorized") == 4

    async def test_a_key_opens_the_api_and_its_rate_is_held(
        self, client: httpx.AsyncClient, rig: Rig, secret: str
    ) -> None:
        answers = [await client.post(f"{API}/start", headers=bearer(secret)) for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 7 + [429]
        assert answers[-1].json()["error"] == "rate_limited"
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert rig.value("edgeinfer_http_errors_total", error_type="rate_limited") == 1

    @pytest.mark.parametrize("route", ["/healthz", "/health/detailed", "/metrics", "/docs", "/openapi.json"])
    async def test_what_watches_the_gateway_needs_no_key_and_sees_no_secret(
        self, client: httpx.AsyncClient, secret: str, route: str
    ) -> None:
        await client.post(f"{API}/start", headers=bearer(secret))
        await client.post(f"{API}/start", headers=bearer("guessed-secret"))
        answer = await client.get(route)
        assert answer.status_code in {200, 503}
        for reported in (secret, digest_of(secret), "guessed-secret"):
            assert reported not in answer.text

    async def test_the_description_names_the_key(self, client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()
        operation = document["paths"][f"{API}/process"]["post"]
        assert operation["security"] == [{"key": []}]
        assert {"401", "429"} <= set(operation["responses"])
        assert "security" not in document["paths"]["/healthz"]["get"]

    async def test_a_revoked_key_is_refused_within_seconds(
        self, client: httpx.AsyncClient, path: Path, secret: str
    ) -> None:
        assert (await client.post(f"{API}/start", headers=bearer(secret))).status_code == 200
        write(path, "# nobody")
        statuses = []
        for _ in range(40):
            statuses.append((await client.post(f"{API}/start", headers=bearer(secret))).status_code)
            if statuses[-1] == 401:
                break
            await asyncio.sleep(0.5)
        assert statuses[-1] == 401, statuses


class TestTheCommand:
    def run(self, *words: str) -> tuple[str, str]:
        ended = CliRunner().invoke(create(), words, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.stdout, ended.stderr

    @pytest.fixture
    def file(self, path: Path) -> Iterator[tuple[str, str]]:
        yield ("--file", str(path))
        assert not [left for left in path.parent.iterdir() if left != path], "a scratch file was left"

    def test_a_key_is_made_listed_and_revoked(self, path: Path, file: tuple[str, str]) -> None:
        secret = self.run("new", "phone", *file)[0].strip()
        other = self.run("new", "collar", "--requests-per-second", "20", *file)[0].strip()
        assert path.stat().st_mode & 0o777 == 0o600
        assert {ring(path).admit(one).name for one in (secret, other)} == {"phone", "collar"}
        reported = self.run("list", *file)[0]
        assert "phone  common limit" in reported
        assert "collar  20/s" in reported
        assert secret not in reported + path.read_text()
        self.run("revoke", "phone", *file)
        assert [key.name for key in read_keys(path)] == ["collar"]

    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            (("new", "phone"), "a key of this name exists"),
            (("new", "no name"), "it is not a short word"),
            (("revoke", "nobody"), "has no such key"),
        ],
    )
    def test_what_cannot_be_done_changes_nothing(
        self, path: Path, file: tuple[str, str], words: tuple[str, ...], fault: str
    ) -> None:
        self.run("new", "phone", *file)
        before = path.read_text()
        with pytest.raises(SettingsError, match=fault):
            CliRunner().invoke(create(), [*words, *file], catch_exceptions=False)
        assert path.read_text() == before
