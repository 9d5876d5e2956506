"""What may be told to whom: the site's own, what a request may ask for, and what is written."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.core.asked_notices import announcements
from chalicelib.core.documents import parse_document
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.notice import (
    Notice,
    Told,
    ToldRun,
    ToldStage,
    mail_of,
    signature,
    webhook_headers,
)
from chalicelib.core.notifications import Notifications, RunNotices, is_address
from chalicelib.core.options import Options, check_options
from chalicelib.core.plans.announcements import Announcement, Target
from chalicelib.core.plans.demand_execution import CLOSING, STAGES
from chalicelib.core.site import Site
from chalicelib.core.submission import parse_submission
from tests.flow.worlds import a_demand

HOOK = {"url": "https://ci.example.org/hook?token=hidden", "secret": "env:CI"}
SITE = Notifications.model_validate(
    {
        "webhooks": {"ci": HOOK},
        "topics": {"lab": "arn:aws:sns:us-east-1:123456789012:lab"},
        "mail_from": "falsework@example.org",
        "mail_domains": ["example.org"],
    }
)
CI, LAB = Target(kind="webhook", name="ci"), Target(kind="topic", name="lab")
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"


def mail(*names: str) -> tuple[Target, ...]:
    return tuple(Target(kind="mail", name=f"{name}@example.org") for name in names)


def asked(
    options: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    site: Notifications = SITE,
    *,
    is_child: bool = False,
    group: str = "default",
) -> tuple[Announcement, ...]:
    demand = a_demand(execution_metadata=metadata or {})
    submission = parse_submission({**demand, "options": options or {}})
    return announcements(submission.document(), site, group=group, is_child=is_child)


class TestRequests:
    def test_nobody_is_told_of_what_nobody_asked_for(self):
        assert asked() == ()

    def test_the_ends_of_the_run_are_told_unless_something_else_is_asked_for(self):
        (told,) = asked({"notify": {"webhooks": ["ci"], "topics": ["lab"]}})
        assert (told.states, told.stages) == (("SUCCESS", "ERROR", "CANCELED"), ())
        assert told.targets == (LAB, CI)

    def test_stages_are_told_where_they_are_named(self):
        notify = {"mail": ["ann@example.org"], "stages": ["execute"], "on": ["RUNNING"]}
        (told,) = asked({"notify": notify})
        assert told.is_of_stage("execute", "RETRY")
        assert not told.is_of_stage("execute", "RUNNING")
        assert not told.is_of_stage("stage-in", "ERROR")
        assert (told.states, told.targets) == (("RUNNING",), mail("ann"))

    @pytest.mark.parametrize(
        ("notify", "field"),
        [
            ({}, "notify"),
            ({"on": ["ERROR"]}, "notify"),
            ({"webhooks": ["https://evil.example.org"]}, "notify.webhooks.0"),
            ({"mail": ["Ann <ann@example.org>"]}, "notify.mail.0"),
            ({"mail": ["ann@example.org\nBcc: all@example.org"]}, "notify.mail.0"),
            ({"mail": ["a@example.org"] * 51}, "notify.mail"),
            ({"webhooks": ["ci"], "on": ["DONE"]}, "notify.on.0"),
            ({"webhooks": ["ci"], "url": "http://169.254.169.254"}, "notify.url"),
        ],
        ids=["nothing", "nobody", "an address", "a display name", "a header", "too many",
             "no state", "a key of its own"],
    )  # fmt: skip
    def test_what_is_wrong_with_the_options_alone_is_named(self, notify, field):
        with pytest.raises(InvalidRequest) as caught:
            parse_document(Options, {"notify": notify})
        assert caught.value.field == field
        assert caught.value.mend

    @pytest.mark.parametrize(
        ("notify", "field"),
        [
            ({"webhooks": ["other"]}, "options.notify.webhooks"),
            ({"topics": ["other"]}, "options.notify.topics"),
            ({"mail": ["ann@elsewhere.org"]}, "options.notify.mail"),
        ],
        ids=["a webhook", "a topic", "mail to elsewhere"],
    )
    def test_what_the_site_does_not_have_is_refused(self, notify, field):
        with pytest.raises(InvalidRequest) as caught:
            asked({"notify": notify})
        assert caught.value.field == field
        assert caught.value.mend

    def test_who_names_somebody_a_million_times_has_him_told_once(self):
        notify = {"webhooks": ["ci"] * 1000, "topics": ["lab"] * 1000, "on": ["ERROR"] * 1000,
                  "stages": ["*"] * 1000, "stages_on": ["RETRY"] * 1000}  # fmt: skip
        (told,) = asked({"notify": notify})
        assert told == Announcement(
            states=("ERROR",), stages=("*",), stages_on=("RETRY",), targets=(LAB, CI)
        )

    def test_what_is_for_other_groups_is_not_there(self):
        site = SITE.model_copy(update={"only_for": {"ci": ("astro",)}})
        notify = {"notify": {"webhooks": ["ci"], "topics": ["lab"]}}
        with pytest.raises(InvalidRequest, match="there is no 'ci'") as caught:
            asked(notify, site=site, group="bio")
        assert (caught.value.field, caught.value.mend) == (
            "options.notify.webhooks",
            "leave it out: there are none",
        )
        (told,) = asked(notify, site=site, group="astro")
        assert told.targets == (LAB, CI)

    def test_mail_is_refused_where_none_is_sent(self):
        with pytest.raises(InvalidRequest, match="sends no mail"):
            asked({"notify": {"mail": ["ann@example.org"]}}, site=Notifications())

    @pytest.mark.parametrize(
        ("domains", "address", "expected"),
        [
            (None, "ann@example.org", True),
            (None, "ann@EXAMPLE.ORG", True),
            (None, "ann@elsewhere.org", False),
            (None, "ann@mail.example.org", False),
            (("Elsewhere.org",), "ann@elsewhere.org", True),
            (("elsewhere.org",), "ann@example.org", False),
            (("*",), "ann@elsewhere.org", True),
            ((), "ann@example.org", False),
        ],
        ids=str,
    )
    def test_mail_goes_to_the_senders_own_domain_unless_the_site_says_more(
        self, domains, address, expected
    ):
        site = SITE.model_copy(update={"mail_domains": domains})
        assert site.may_mail(address) is expected

    def test_a_stage_that_is_not_there_is_refused(self):
        options = Options(notify=RunNotices(webhooks=("ci",), stages=("*", "exectue")))
        with pytest.raises(InvalidRequest, match="exectue") as caught:
            check_options(options, STAGES, CLOSING)
        assert caught.value.field == "options.notify.stages"

    def test_who_wants_nothing_has_the_digest_that_he_always_had(self):
        document = parse_submission(a_demand()).document()
        assert "notify" not in document["options"]


class TestDemands:
    @pytest.mark.parametrize(
        ("notify_on", "states"),
        [
            (None, ("SUCCESS", "ERROR", "CANCELED")),
            ({"COMPLETED": True, "FAILED": False}, ("SUCCESS",)),
            ({"SUBMITTED": True, "IN_PROGRESS": True, "ABORTED": True, "AWAITING_TRIGGER": True},
             ("PENDING", "RUNNING", "CANCELED")),
        ],
        ids=["nothing said", "some", "others"],
    )  # fmt: skip
    def test_its_list_is_told_of_what_it_says(self, notify_on, states):
        metadata = {"notify_list": ["a@example.org", "b@example.org"]}
        if notify_on is not None:
            metadata["notify_on"] = notify_on
        (told,) = asked(metadata=metadata)
        assert (told.states, told.targets) == (states, mail("a", "b"))

    @pytest.mark.parametrize(
        "metadata",
        [
            {"notify_list": []},
            {"notify_on": {"COMPLETED": True}},
            {"notify_list": ["a@example.org"], "notify_on": {}},
            {"notify_list": ["a@example.org"], "notify_on": {"AWAITING_TRIGGER": True}},
            {"notify_list": ["nobody", "a@elsewhere.org"]},
        ],
        ids=["an empty list", "no list", "nothing on", "a trigger", "no addresses of ours"],
    )
    def test_nobody_is_told_where_nothing_is_asked_for(self, metadata):
        assert asked(metadata=metadata) == ()

    def test_it_is_left_alone_where_no_mail_is_sent(self):
        assert asked(metadata={"notify_list": ["a@example.org"]}, site=Notifications()) == ()


class TestSites:
    EVERY = Notifications.model_validate(
        {
            "webhooks": {"ci": HOOK},
            "event_bus": "default",
            "every_run": {"webhooks": ["ci"], "on": ["ERROR"]},
        }
    )

    def test_every_run_is_told_of_to_the_bus_and_to_whom_the_site_names(self):
        (told,) = asked(site=self.EVERY)
        assert told.targets == (Target(kind="events", name="default"), CI)
        assert told.states == ("ERROR",)

    def test_whoever_is_for_some_groups_hears_of_their_runs_alone(self):
        site = self.EVERY.model_copy(update={"only_for": {"ci": ("astro", "geo")}})
        bus = Target(kind="events", name="default")
        for group, expected in (("geo", (bus, CI)), ("bio", (bus,))):
            (told,) = asked(site=site, group=group)
            assert told.targets == expected

    def test_runs_of_runs_are_not_unless_the_site_says_so(self):
        assert asked(site=self.EVERY, is_child=True) == ()
        every = self.EVERY.every_run.model_copy(update={"has_children": True})
        site = self.EVERY.model_copy(update={"every_run": every})
        assert len(asked(site=site, is_child=True)) == 1

    @pytest.mark.parametrize(
        ("told", "place"),
        [
            ({"webhooks": {"ci": {**HOOK, "url": "http://ci.example.org/"}}}, "is_private"),
            ({"webhooks": {"ci": {**HOOK, "url": "ftp://ci.example.org/"}}}, "url"),
            ({"webhooks": {"ci": {**HOOK, "url": "https://me:hidden@example.org/"}}}, "url"),
            ({"webhooks": {"ci": {**HOOK, "url": "https://"}}}, "url"),
            ({"webhooks": {"ci": {**HOOK, "secret": "hidden"}}}, "secret"),
            ({"webhooks": {"ci": {"url": HOOK["url"]}}}, "secret"),
            ({"topics": {"lab": "lab"}}, "topics"),
            ({"topics": {"lab": "arn:aws:sns:us-east-1:123456789012:lab.fifo"}}, "topics"),
            ({"mail_from": "Falsework <f@example.org>"}, "mail_from"),
            ({"every_run": {"topics": ["lab"]}}, "every_run"),
            ({"only_for": {"lab": ["astro"]}}, "only_for"),
        ],
        ids=["in the clear", "no web", "a password", "no host", "the secret itself", "unsigned",
             "no ARN", "a topic with an order", "a display name", "an unknown topic",
             "nobody of that name"],
    )  # fmt: skip
    def test_what_is_wrong_is_said_without_what_is_secret(self, told, place):
        with pytest.raises(ValidationError) as caught:
            Site.model_validate({"notifications": told})
        assert place in str(caught.value)
        secrets = [
            text for text in (":hidden@", "input_value='hidden'") if text in str(caught.value)
        ]
        assert secrets == []

    def test_an_address_is_not_shown_where_the_site_is(self):
        assert "hidden" not in repr(SITE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@example.org", True),
        ("ann+lab@mail.example.org", True),
        ("ann", False),
        ("ann@example.org,bob@example.org", False),
        ("a b@example.org", False),
        ("ann@example.org\r\nBcc: x@y.org", False),
        ('"ann"@example.org', False),
        (f"{'a' * 250}@b.org", False),
        ("\u00e4nn@example.org", False),
        ("ann@example.org.", False),
        ("ann@-", False),
        ("ann@a..b", False),
        (".ann@example.org", False),
        ("o'neill@xn--bcher-kva.example", True),
    ],
    ids=repr,
)
def test_what_is_an_address(text, expected):
    assert is_address(text) is expected


def told(**changes: Any) -> Told:
    run = ToldRun(id="e1", kind="demand-execution", group="lab", state="ERROR", generation=1)
    return Told.model_validate(
        {"id": "u:1:ERROR", "type": "Run State Change", "at": AT, "run": run, "state": "ERROR",
         **changes}
    )  # fmt: skip


class TestTexts:
    def test_a_mail_says_what_became_of_which_run_and_why(self):
        mail = mail_of(told(why="The command failed.", link="https://f.example.org/runs/e1"))
        assert mail.subject == "[falsework] Run e1: ERROR"
        assert mail.text == (
            "Run e1 is ERROR since 2026-01-01T12:00:00+00:00.\n\n"
            "The command failed.\n\n"
            "Run:   e1\nKind:  demand-execution\nGroup: lab\nState: ERROR\n"
            "Link:  https://f.example.org/runs/e1\n"
        )

    def test_a_mail_of_a_stage_names_it(self):
        stage = ToldStage(name="execute", status="RETRY", attempt=2)
        mail = mail_of(told(state=None, stage=stage))
        assert mail.subject == "[falsework] Stage execute of run e1: RETRY"
        assert "Stage: execute, attempt 2, RETRY\n" in mail.text

    def test_the_document_has_only_what_there_is_to_say(self):
        notice = Notice(target=CI, told=told())
        assert notice.document() == {
            "version": 1,
            "id": "u:1:ERROR",
            "type": "Run State Change",
            "at": "2026-01-01T12:00:00Z",
            "run": {"id": "e1", "kind": "demand-execution", "group": "lab", "state": "ERROR",
                    "generation": 1},
            "state": "ERROR",
            "why": "",
        }  # fmt: skip

    def test_the_text_has_no_character_that_a_queue_might_refuse(self):
        notice = Notice(target=CI, told=told(why="\uffff\U0001f600\x00 \u00e4"))
        assert notice.body().isascii()
        assert json.loads(notice.body())["why"] == notice.told.why

    def test_the_signature_is_of_the_time_and_the_body(self):
        expected = hmac.new(b"key", b'1767225600.{"a":1}', hashlib.sha256).hexdigest()
        assert signature("key", "1767225600", b'{"a":1}') == f"sha256={expected}"
        assert signature("key", "1767225601", b'{"a":1}') != f"sha256={expected}"

    def test_what_the_documentation_shows_is_taken(self):
        options, site, document = (
            json.loads(part.split("```")[0]) for part in PAGE.read_text().split("```json\n")[1:]
        )
        parse_document(Options, options["options"])
        assert Site.model_validate(site).notifications.open_to("software", ["ci"]) == ("ci",)
        assert Notice(target=CI, told=Told.model_validate(document)).document() == document

    def test_the_receiver_of_the_documentation_knows_what_is_ours(self):
        page = PAGE.read_text()
        place: dict[str, Any] = {}
        exec(page.split("```python\n")[1].split("```")[0], place)
        headers = webhook_headers(Notice(target=CI, told=told()), b"{}", "key", datetime.now(UTC))
        assert place["is_ours"](headers, b"{}", "key")
        assert not place["is_ours"](headers, b"{ }", "key")
        assert not place["is_ours"](headers, b"{}", "another")
        old = webhook_headers(Notice(target=CI, told=told()), b"{}", "key", AT)
        assert not place["is_ours"](old, b"{}", "key")
