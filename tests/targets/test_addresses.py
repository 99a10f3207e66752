"""An address holds no password: addresses are written down and shown."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chaosday.errors import UsageError
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
