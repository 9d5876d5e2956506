"""Whom a deployment tells, and what a request may ask to have told. Values only.

::

    {"notifications": {"webhooks": {"ci": {"url": "https://ci.example.org/hook",
                                           "secret": "arn:aws:secretsmanager:…"}},
                       "topics": {"lab": "arn:aws:sns:…"},
                       "mail_from": "falsework@example.org",
                       "event_bus": "default",
                       "every_run": {"on": ["ERROR"], "topics": ["lab"]}}}

    {"options": {"notify": {"on": ["SUCCESS", "ERROR"], "webhooks": ["ci"]}}}

A request names what the site has, and never an address of its own: whoever may submit could make
us call any host otherwise. The exception is mail, which ``mail_domains`` may bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.noun import Noun
from chalicelib.core.plans.announcements import ENDS, EVERY_STAGE, StageStatusName, StateName
from chalicelib.core.principals import GroupName
from chalicelib.core.work.sites import SecretReference

MOST_ADDRESSES: Final = 50
"""Each is a message of its own."""
ANYWHERE: Final = "*"
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
"""RFC 5322's dot-atom, which is all that SES takes of a local part: 7-bit ASCII (Amazon SES API
reference, SendEmail); other domains are written in Punycode."""
Item = TypeVar("Item")


def _once(given: tuple[Item, ...]) -> tuple[Item, ...]:
    """Who says the same a million times says it once; a plan is kept for each run."""
    return tuple(dict.fromkeys(given))


Once = Annotated[tuple[Item, ...], AfterValidator(_once)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
TopicArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$")
]
"""Of a standard topic: one that keeps an order, ``….fifo``, would refuse every notice of ours."""


def is_address(text: str) -> bool:
    """Tell whether mail can be sent to it; headers cannot be smuggled in with one that is."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _address(text: str) -> str:
    if not is_address(text):
        raise InvalidRequest(
            f"{text!r:.100} is no e-mail address",
            value=shortened(text),
            mend="give name@domain, without a display name",
        )
    return text


Address = Annotated[str, AfterValidator(_address)]


def _hidden(value: object) -> object:
    """There may be a secret in it, and no error may show that; nor may a password stand in it."""
    with suppress(ValueError):
        parts = urlsplit(value) if isinstance(value, str) else None
        is_plain = parts is not None and parts.username is None and parts.password is None
        if is_plain and parts is not None and parts.hostname and parts.port != 0:
            return value
    return "(not shown: give https://host/path, without user and password)"


class Webhook(Noun):
    """An address that notices are posted to."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://"), BeforeValidator(_hidden)] = (
        Field(repr=False)
    )
    """``https://…``; with ``is_private`` also ``http://…``."""
    secret: SecretReference
    """What the notices are signed with."""
    is_private: bool = Field(default=False, validate_default=True)
    """Whether it may lead into a private network, or to this machine."""

    @field_validator("is_private")
    @classmethod
    def _check_scheme(cls, is_private: bool, told: ValidationInfo) -> bool:
        if not is_private and not str(told.data.get("url", "https:")).startswith("https:"):
            raise InvalidRequest(
                "a webhook in the clear is for private networks",
                field="is_private",
                value=False,
                mend="give an https:// address, or say is_private",
            )
        return is_private


class EveryRun(Noun):
    """What is told of runs that ask for nothing themselves; the event bus hears the same."""

    on: tuple[StateName, ...] = ("PENDING", "RUNNING", *ENDS)
    stages: tuple[str, ...] = ()
    stages_on: tuple[StageStatusName, ...] = ("RETRY", "ERROR", "COMPLETE")
    topics: tuple[Name, ...] = ()
    webhooks: tuple[Name, ...] = ()
    has_children: bool = False
    """Whether runs that were started by runs are told of, too."""


class Notifications(Noun):
    """What a site has to tell with. Nothing: nobody is told."""

    webhooks: dict[Name, Webhook] = {}
    topics: dict[Name, TopicArn] = {}
    mail_from: Address | None = None
    """An identity of SES; None: no mail is sent."""
    mail_domains: tuple[str, ...] | None = None
    """Where mail may go; None: to the sender's own domain, ``*``: anywhere.

    Who submits writes part of the text, and it is signed with the sender's good name.
    """
    event_bus: str | None = None
    """Name or ARN of a bus of EventBridge; None: no events are put."""
    every_run: EveryRun = EveryRun()
    only_for: dict[Name, tuple[GroupName, ...]] = {}
    """Names of webhooks and topics that hear of the runs of these groups alone."""

    @model_validator(mode="after")
    def _know_what_is_named(self) -> Self:
        check_named("only_for", tuple(self.only_for), (*self.webhooks, *self.topics))
        check_named("every_run.topics", self.every_run.topics, tuple(self.topics))
        check_named("every_run.webhooks", self.every_run.webhooks, tuple(self.webhooks))
        return self

    @property
    def are_there(self) -> bool:
        """Whether there is anything to tell with."""
        return bool(self.webhooks or self.topics or self.mail_from or self.event_bus)

    def open_to(self, group: str, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the names that may hear of the group's runs."""
        return tuple(each for each in names if group in self.only_for.get(each, (group,)))

    def may_mail(self, address: str) -> bool:
        """Tell whether mail may go there."""
        own = (_domain_of(self.mail_from or ""),)
        known = {
            each.lower() for each in (own if self.mail_domains is None else self.mail_domains)
        }
        return ANYWHERE in known or _domain_of(address) in known


class RunNotices(Noun):
    """``options.notify``: which changes of this run are told, and to whom."""

    on: Once[StateName] = ENDS
    stages: Once[str] = ()
    """Names of stages whose changes are told as well; ``*`` for all of them."""
    stages_on: Once[StageStatusName] = ("RETRY", "ERROR", "COMPLETE")
    topics: Once[Name] = ()
    webhooks: Once[Name] = ()
    """Both by the names that the site has for them."""
    mail: Annotated[
        tuple[Address, ...], Field(max_length=MOST_ADDRESSES), AfterValidator(_once)
    ] = ()

    @model_validator(mode="after")
    def _tell_somebody(self) -> Self:
        if not (self.topics or self.webhooks or self.mail):
            raise InvalidRequest(
                "nobody is to be told",
                field="",
                value=None,
                mend="name one of topics, webhooks, mail",
            )
        return self

    def check_stages(self, names: Sequence[str]) -> None:
        """Raise InvalidRequest for a stage that the run does not have."""
        check_named("notify.stages", self.stages, (EVERY_STAGE, *names))

    def check_targets(self, site: Notifications, group: str) -> None:
        """Raise InvalidRequest for what this site cannot tell, or not of that group's runs.

        What is for others alone is not there: whose it is nobody learns by trying.
        """
        check_named("notify.topics", self.topics, site.open_to(group, site.topics))
        check_named("notify.webhooks", self.webhooks, site.open_to(group, site.webhooks))
        for address in self.mail:
            if site.mail_from is None or not site.may_mail(address):
                why = "sends no mail" if site.mail_from is None else "sends no mail there"
                raise InvalidRequest(
                    f"this site {why}",
                    field="notify.mail",
                    value=address,
                    mend="leave it out, or have the operator set notifications.mail_from"
                    " and mail_domains",
                )


def check_named(field: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise InvalidRequest for a name that is not known."""
    mend = f"give one of {', '.join(known)}" if known else "leave it out: there are none"
    for name in given:
        if name not in known:
            raise InvalidRequest(
                f"there is no {name!r:.100}",
                field=field,
                value=shortened(name),
                mend=mend,
            )
