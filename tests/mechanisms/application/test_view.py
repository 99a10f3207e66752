"""The probe judges what a user sees, during a fault as without one."""

from __future__ import annotations

import pytest

from chaosday.errors import UsageError
from chaosday.faults.application.http_status import HttpStatus
from chaosday.mechanisms.http_proxy.page import at, count
from chaosday.probes.http.view import HttpView
from chaosday.targets.http_route import HttpRoute
from tests.faults.cloud.living import struck


@pytest.mark.parametrize(
    ("fields", "healthy"),
    [
        ({"path": "/"}, True),
        ({"path": "/", "selector": "#cart .price"}, True),
        ({"path": "/", "selector": "#cart .name"}, False),
        ({"path": "/", "selector": ".error", "at_least": 0}, True),
        ({"path": "/", "selector": ".price", "at_least": 0}, False),
        ({"path": "/", "status": 404}, False),
        ({"path": "/", "contains": "12.50"}, True),
        ({"path": "/api/cart", "json_path": "items[0].price", "equals": 12.5}, True),
        ({"path": "/api/cart", "json_path": "items[0].price", "equals": 13}, False),
        ({"path": "/api/cart", "json_path": "items[1].price"}, False),
        ({"path": "/", "json_path": "items"}, False),
    ],
)
def test_judges_what_is_there(route: HttpRoute, fields: dict[str, object], healthy: bool) -> None:
    """Status, elements, text and values, each held and each broken."""
    reading = HttpView.model_validate({"target": "shop", **fields}).read(route)
    assert reading.healthy is healthy, reading.words


def test_sees_a_fault_and_its_end(route: HttpRoute) -> None:
    """A route that fails is not healthy while the fault lasts, and is afterwards; other routes do not mind."""
    page, api = HttpView(target="shop", path="/"), HttpView(target="shop", path="/api/cart")
    with struck(HttpStatus(target="shop", path="/api/*"), route):
        assert (page.read(route).healthy, api.read(route).healthy) == (True, False)
    assert api.read(route).healthy


def test_no_answer_is_no_health(tmp_path: object) -> None:
    """A proxy that is not there gives no reading."""
    assert HttpView(target="shop").read(HttpRoute(control=f"{tmp_path}/none")).healthy is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("p", 3),
        ("div p", 2),
        ("div .a", 1),
        ("p.a.b", 1),
        ("[data-x]", 2),
        ("[data-x=2]", 1),
        ("#top > p", None),
        ("*", 6),
    ],
)
def test_selectors(selector: str, found: int | None) -> None:
    """Tags, marks and descendants count what they fit; what is not understood is said."""
    page = "<p>1</p><div id=top><p class='a b'>2<br></p><section><p data-x=1>3</p></section></div><i data-x='2'>"
    if found is None:
        with pytest.raises(UsageError):
            count(page, selector)
    else:
        assert count(page, selector) == found + (selector == "*")


def test_json_path() -> None:
    """Names and places, and a KeyError in words for what is not there."""
    assert at('{"a": [{"b": 1}]}', "a[0].b") == 1
    with pytest.raises(KeyError, match=r"nothing at a\.c"):
        at('{"a": {}}', "a.c")
