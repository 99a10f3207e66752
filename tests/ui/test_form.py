"""From the form to the report, in the browser: what somebody does on their first day."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.lab.browser import picture
from tests.ui.serving import Served

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
PATIENCE_S = 900
SHORT_MS = 60_000
CLICK_MS = 10_000
LOADS = 10


@pytest.fixture
def form(served: Served, chromium: Browser, database_block: str) -> Iterator[Page]:
    """The form of the deployment for connections, with the database chosen and nothing else touched."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1800})
    page = context.new_page()
    page.set_default_timeout(SHORT_MS)
    served.log_in(page)
    opened(page, f"{served.url}/v2/deployments/deployment/{served.deployment('connections')}/run")
    page.get_by_text("Select a block...").first.click()
    page.get_by_role("option", name=database_block).click()
    expect(page.get_by_text("Select a block...")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def opened(page: Page, url: str) -> None:
    """Go to the form, and again where a part of it did not come.

    What the page asks of a busy server may be refused (503), and the page does not ask again: the person does.
    """
    for _ in range(LOADS):
        page.goto(url)
        try:
            page.get_by_text("Select a block...").first.wait_for()
        except PlaywrightTimeout:
            continue
        return
    pytest.fail(f"the form did not come; see {picture(page, 'form-that-did-not-come')}")


def submitted(page: Page, served: Served) -> str:
    """Press the button; the number of the flow run that it made.

    A page that is still checking its fields swallows a click, a busy server refuses one (503), and the person clicks
    again: so does this.
    """
    before, until = runs_of(served), time.monotonic() + PATIENCE_S
    while not _taken(page):
        if time.monotonic() > until:
            pytest.fail(f"the form made no run; see {picture(page, 'form-without-a-run')}")
    while not (new := runs_of(served) - before):
        assert time.monotonic() < until, "the run that was made is not to be seen"
        time.sleep(0.2)
    assert len(new) == 1
    return new.pop()


def _taken(page: Page) -> bool:
    """Whether a click made the server take the run."""
    try:
        with page.expect_request("**/create_flow_run", timeout=CLICK_MS) as asked:
            page.get_by_role("button", name="Submit").click()
    except PlaywrightTimeout:
        return False
    answer = asked.value.response()
    return answer is not None and answer.ok


def runs_of(served: Served) -> set[str]:
    """The flow runs that were made by the form's deployment."""
    wanted = {"deployments": {"name": {"any_": ["connections"]}}}
    return {str(each["id"]) for each in served.call("/flow_runs/filter", wanted)}


def ended(served: Served, run: str) -> dict[str, Any]:
    """The state in which a flow run ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        (found,) = served.call("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        state: dict[str, Any] = found["state"]
        if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return state
        time.sleep(0.5)
    pytest.fail(f"the run has not ended: {state['name']}")


def test_from_the_form_to_the_report(form: Page, served: Served) -> None:
    """A database by its block, a fault from its tab, a press of the button: the verdict, and the report behind it."""
    form.get_by_role("tab", name="bandwidth").click()
    expect(form.get_by_label("Rate (kB a second)")).to_be_visible()
    form.get_by_role("tab", name="latency").click()
    form.get_by_label("Delay (ms)").fill("20")
    form.get_by_label("title").first.fill("First day")
    form.get_by_label("dry_run").click()
    picture(form, "form-filled")
    run = submitted(form, served)
    assert ended(served, run)["name"] == "pass"
    form.goto(f"{served.url}/v2/runs/flow-run/{run}")
    form.get_by_role("tab", name="Artifacts").click()
    expect(form.get_by_text("All of it")).to_be_visible()
    picture(form, "run-in-the-ui")
    form.get_by_text("All of it").click()
    form.locator("a[href*='/artifacts/artifact/']").first.click()
    address = form.get_by_role("link", name="The report", exact=True).get_attribute("href")
    assert address and address.startswith(served.reports)
    form.goto(address)
    expect(form.locator("h1")).to_contain_text("First day")
    expect(form.locator(".badge").first).to_have_text("pass")
    picture(form, "report-from-the-form")


def test_a_dry_run_is_what_happens_unless_told(form: Page, served: Served) -> None:
    """Nothing but the database chosen: the plan is shown, by name and with its undo, and nothing is kept or hurt."""
    before = sorted(served.runs.glob("*/journal.jsonl"))
    run = submitted(form, served)
    state = ended(served, run)
    assert (state["name"], state["message"]) == ("planned", "Nothing was touched. Switch dry run off to do it.")
    artifacts = served.call("/artifacts/filter", {"flow_runs": {"id": {"any_": [run]}}})
    plan = next(each["data"] for each in artifacts if each["key"].startswith("chaosday-plan"))
    assert "network.proxy.latency" in plan and "127.0.0.1:" in plan
    assert sorted(served.runs.glob("*/journal.jsonl")) == before


@pytest.mark.parametrize(
    ("label", "value", "name"),
    [("Before, undisturbed (seconds)", "0", "durations"), ("Delay (ms)", "-5", "fault")],
)
def test_wrong_input_is_refused_before_a_run_exists(
    form: Page, served: Served, label: str, value: str, name: str
) -> None:
    """The page names the field, and no run was made."""
    before = runs_of(served)
    form.get_by_label(label).fill(value)
    form.get_by_role("button", name="Submit").click()
    # A limit of a field of its own is the browser's to refuse; one in a tab is the server's, which names the field.
    said = form.get_by_label(label).evaluate("field => field.validationMessage")
    if not said:
        expect(form.locator("body")).to_contain_text(re.compile(rf"Validation failed for field '{name}"))
    picture(form, f"form-refused-{name}")
    assert runs_of(served) == before


def test_secrets_are_not_in_what_the_server_shows(served: Served, database_block: str, pair: tuple[Any, Any]) -> None:
    """The block's password comes back from the API as stars, and is in no parameter, log or artifact of a run."""
    password = pair[0].password
    shown = [served.call(path) for path in ("/block_documents/filter", "/flow_runs/filter", "/artifacts/filter")]
    shown.append(served.call("/logs/filter", {"limit": 200}))
    assert database_block in str(shown[0])
    assert password not in str(shown)
