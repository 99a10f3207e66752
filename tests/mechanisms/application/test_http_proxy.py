"""The HTTP fault proxy passes everything through unhurt, hurts what a rule says, and forgets it at the deadline."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chaosday.errors import LeaseError, TargetUnreachable
from chaosday.mechanisms.http_proxy.client import HttpProxyProcess, HttpRules, RouteControl
from chaosday.mechanisms.http_proxy.rule import Match, Rule
from chaosday.model.lease import Lease, LeaseHolder, Undo
from chaosday.targets.http_route import HttpRoute
from tests.mechanisms.application.conftest import BIG, PAGE, Shop


@contextmanager
def hurt(route: HttpRoute, rule: Rule, ttl_s: float = 60) -> Iterator[RouteControl]:
    """A rule under a lease while the block lasts."""
    held = route.capability(HttpRules)
    assert isinstance(held, RouteControl)
    lease = Lease(id="cd-test-0000", run="run", fault="test", target="route", undo=Undo(), ttl_s=ttl_s)
    held.arm(lease)
    held.add(lease.id, rule)
    try:
        yield held
    finally:
        held.heal(lease.id)


def get(route: HttpRoute, path: str, timeout_s: float = 20) -> bytes:
    with urllib.request.urlopen(f"http://{route.listen()}{path}", timeout=timeout_s) as answer:
        body: bytes = answer.read()
    return body


@pytest.mark.parametrize(("path", "body"), [("/", PAGE), ("/big", BIG), ("/chunked", BIG)])
def test_passes_bodies_through(route: HttpRoute, path: str, body: bytes) -> None:
    """Without a rule every byte arrives, whatever frames the body."""
    assert get(route, path) == body


def test_keeps_connections(route: HttpRoute) -> None:
    """Many requests go over one connection, a HEAD among them, and an upload arrives whole."""
    connection = http.client.HTTPConnection(route.listen(), timeout=10)
    for method, body in [("GET", None), ("PUT", BIG), ("GET", None), ("PUT", b"")]:
        connection.request(method, "/", body=body)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == ((201, b"") if method == "PUT" else (200, PAGE))
    assert BIG in Shop.uploads
    connection.close()


def test_status_only_where_it_fits(route: HttpRoute) -> None:
    """A rule on a path leaves other paths alone."""
    with hurt(route, Rule(match=Match(path="/api/*"), status=503)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(route, "/api/cart")
        assert caught.value.code == 503
        assert get(route, "/") == PAGE


def test_lost_answer_is_carried_out(route: HttpRoute) -> None:
    """With ``after`` the service gets the upload and the client gets an error."""
    with hurt(route, Rule(match=Match(methods=["PUT"]), status=502, after=True)):
        request = urllib.request.Request(f"http://{route.listen()}/x", data=b"once only", method="PUT")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 502
    assert Shop.uploads.count(b"once only") == 1


@pytest.mark.parametrize("path", ["/big", "/chunked"])
def test_alter_flips_one_bit(route: HttpRoute, path: str) -> None:
    """An altered body has the right length and exactly one other bit."""
    with hurt(route, Rule(effect="alter")):
        body = get(route, path)
    assert len(body) == len(BIG)
    assert sum((a ^ b).bit_count() for a, b in zip(body, BIG, strict=True)) == 1


def test_truncate_has_a_fitting_length(route: HttpRoute) -> None:
    """A truncated body is a prefix of the real one, and no client's HTTP library objects."""
    with hurt(route, Rule(effect="truncate", keep_share=0.25)):
        body = get(route, "/big")
    assert body == BIG[: len(BIG) // 4]


@pytest.mark.parametrize("after_bytes", [0, 1000])
def test_reset(route: HttpRoute, after_bytes: int) -> None:
    """A reset body ends in an error and is never taken for a whole one."""
    with (
        hurt(route, Rule(effect="reset", after_bytes=after_bytes)),
        pytest.raises((ConnectionError, http.client.HTTPException, urllib.error.URLError)),
    ):
        get(route, "/big")


def test_hang_ends_with_the_fault(route: HttpRoute) -> None:
    """A request that is never answered is let go when the fault is healed."""
    ended = threading.Event()

    def ask() -> None:
        try:
            get(route, "/", timeout_s=60)
        except OSError:
            ended.set()

    with hurt(route, Rule(effect="hang")):
        threading.Thread(target=ask, daemon=True).start()
        assert not ended.wait(0.5)
    assert ended.wait(120)


def test_probability_is_kept(route: HttpRoute) -> None:
    """Of many requests about the asked share is hurt, and another seed hurts others."""
    struck = []
    for seed in (1, 2):
        with hurt(route, Rule(status=503, probability=0.3, seed=seed)) as held:
            struck.append([held.canary(Match(), timeout_s=10).status == 503 for _ in range(120)])
    assert all(12 <= sum(each) <= 62 for each in struck)  # five standard deviations
    assert struck[0] != struck[1]


def test_allowed_rate_lets_some_through(route: HttpRoute) -> None:
    """A throttle with an allowance refuses a burst and lets the allowance through."""
    with hurt(route, Rule(code="throttled", allowed_per_s=2)) as held:
        statuses = [held.canary(Match(), timeout_s=10).status for _ in range(40)]
    assert 200 in statuses
    assert statuses.count(200) < 40


def test_ends_at_the_deadline_by_itself(route: HttpRoute) -> None:
    """The proxy's own timer ends a rule that nobody renews, and a late renewal is refused."""
    with hurt(route, Rule(status=503), ttl_s=600) as held:
        assert held.canary(Match(), timeout_s=10).status == 503
        held.renew("cd-test-0000", 0.1)
        deadline = time.monotonic() + 120
        while held.canary(Match(), timeout_s=10).status == 503:
            assert time.monotonic() < deadline
        # A rule past its deadline strikes no more; the timer that takes it away comes a moment later.
        while held.residue("cd-test-0000"):
            assert time.monotonic() < deadline
        with pytest.raises(LeaseError, match="over"):
            held.renew("cd-test-0000", 5)
        with pytest.raises(LeaseError, match="not armed"):
            held.add("cd-test-0000", Rule())


def test_renewal_moves_the_deadline(route: HttpRoute) -> None:
    """A renewed lease has more time left than it was armed with."""
    with hurt(route, Rule(status=503), ttl_s=30) as held:
        held.renew("cd-test-0000", 500)
        (state,) = [each for each in held.leases() if not each.healed]
        assert state.remaining_s > 400


def test_leads_to_tls(shop: str, proxy: HttpProxyProcess, tls_shop: tuple[str, str]) -> None:
    """A route to an https service speaks TLS to it and plain HTTP to the client."""
    url, authority = tls_shop
    proxy.add_route("tls", url, authority_file=authority)
    route = HttpRoute(control=proxy.control, route="tls")
    assert get(route, "/big") == BIG


def test_a_dead_upstream_is_named(proxy: HttpProxyProcess) -> None:
    """Where nothing listens behind the proxy the client is told so (502), whatever it uploads, and by whom."""
    proxy.add_route("dead", "http://127.0.0.1:1")
    request = urllib.request.Request(f"http://{HttpRoute(control=proxy.control, route='dead').listen()}/", data=BIG)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 502
    assert b"chaosday http-proxy: the service behind it cannot be reached: http://127.0.0.1:1" in caught.value.read()


def test_says_how_to_start_it(tmp_path: object) -> None:
    """A route whose proxy does not run is unreachable, in words."""
    with pytest.raises(TargetUnreachable, match="chaosday http-proxy"):
        HttpRoute(control=f"{tmp_path}/none.sock").reach()


def test_a_gone_proxy_holds_nothing(shop: str, tmp_path: object) -> None:
    """When the proxy has ended so has everything it did: healing and looking both say clean."""
    from pathlib import Path

    process = HttpProxyProcess.start(Path(str(tmp_path)) / "p.sock")
    process.add_route("r", shop)
    route = HttpRoute(control=process.control, route="r")
    with hurt(route, Rule(status=503)):
        process.stop()
        holder = route.capability(LeaseHolder)
        holder.heal("cd-test-0000")
        assert holder.residue("cd-test-0000") == []
        assert holder.leases() == []
