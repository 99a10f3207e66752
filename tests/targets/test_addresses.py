"""An address holds no password: addresses are written down and shown."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chaosday.errors import UsageError
from chaosday.mechanisms.http_proxy.routes import Upstream
from chaosday.model.experiment import in_words
from chaosday.registry import members

pytestmark = pytest.mark.kernel
ADDRESSES = ("url", "proxy", "upstream", "listen", "address")
LOGINS = ("http://user:canary@h:1/x", "postgresql://user:canary@h/d#t", "user:canary@h:1")


@pytest.mark.parametrize("family", ["targets", "probes", "faults", "actions", "workloads"])
def test_no_address_takes_a_password(family: str) -> None:
    """In no member of any family; where it is refused, the password is not said."""
    for kind, model in members(family).items():
        for name in model.model_fields:
            if not name.endswith(ADDRESSES) or "str" not in str(model.model_fields[name].annotation):
                continue
            for login in LOGINS:
                with pytest.raises((ValidationError, UsageError)) as refused:
                    # A route's are read when it is reached for.
                    model.model_validate({name: login}).address()
                said = refused.value
                assert "canary" not in (in_words(said) if isinstance(said, ValidationError) else str(said)), kind


@pytest.mark.parametrize("login", ["http://user:canary@h:1", "https://canary@h", "user:canary@h:1", "ftp://canary"])
def test_no_route_of_the_http_proxy_does(login: str) -> None:
    """It would be dropped in silence, and said when the proxy starts."""
    with pytest.raises(UsageError) as refused:
        Upstream.of(login)
    assert "canary" not in str(refused.value)
