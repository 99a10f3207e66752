"""Fields that name an environment variable take its name, and nothing else."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

import blocks
from blocks.target_block import TargetBlock
from chaosday.campaign.telling.receivers import Told
from chaosday.model.experiment import in_words
from chaosday.registry import FAMILIES, members

MODELS: list[type[BaseModel]] = [
    *(model for family in FAMILIES for model in members(family).values()),
    *(each for each in vars(blocks).values() if isinstance(each, type) and issubclass(each, TargetBlock)),
    *get_args(get_args(get_args(Told.model_fields["receivers"].annotation)[0])[0]),
]
FIELDS = [(model, name) for model in MODELS for name in model.model_fields if name.endswith("_env")]


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_only_a_name_is_taken(model: Any, field: str) -> None:
    """A password in its place, a program, a line more: each is refused without being shown; so is what others own."""
    assert getattr(model(**{field: "SALES_PASSWORD"}), field) == "SALES_PASSWORD"
    assert getattr(model(**{field: ""}), field) == ""
    others = ("AWS_SECRET_ACCESS_KEY", "PREFECT_API_KEY", "prefect_server_api_auth_string", "KUBECONFIG")
    for wrong in ("hunter2!", "A B", "$(id)", "NAME\n", "1A", "A=b", "Ä", "x" * 300, "-x", "\0", *others):
        with pytest.raises(ValidationError) as refused:
            model.model_validate({field: wrong})
        assert wrong == "-x" or wrong not in in_words(refused.value)


def test_every_kind_of_target_with_a_password_is_among_them() -> None:
    """The list is not empty because fields were called otherwise."""
    assert {model.__name__ for model, _ in FIELDS} >= {
        *("PostgreSQL", "MariaDB", "Redis", "Kafka", "Nats"),
        *("Webhook", "Mail", "Apprise", "GitHub", "GitLab", "PagerDuty", "Grafana"),
    }
