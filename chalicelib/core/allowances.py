"""Whether a group may use what a request uses: one pure question for every kind of run.

::

    uses.used_by_… ─▶ uses (field, list, value) ─▶ check_allowed ─▶ Forbidden, or nothing
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from chalicelib.core.documents import shortened
from chalicelib.core.errors import Forbidden
from chalicelib.core.group_rules import EVERY_OTHER, GroupRules
from chalicelib.core.job_roles import is_own_role
from chalicelib.core.paths import efs_parts, is_inside, path_kind, without_dots
from chalicelib.core.site import Site
from chalicelib.core.uses import Listed, Use

SHOWN: Final = 5
"""How many of the allowed values an error names."""

Groups = Mapping[str, GroupRules] | None


def check_allowed(
    group: str,
    uses: Iterable[Use],
    site: Site,
    members: Collection[str] | None = (),
) -> None:
    """Raise Forbidden for the first thing that the group may not use, or for the group itself.

    Falsework's own roles have to be listed: what has them can read what is kept of every group.
    ``members`` is as for ``rules_of``.
    """
    rules = rules_of(group, site.groups, members)
    for use in uses:
        allowed: tuple[str, ...] | None = getattr(rules, use.listed) if rules else None
        if allowed is None and use.listed is Listed.ROLE and is_own_role(use.value, site):
            allowed = ()
        if allowed is not None and not _is_among(use, allowed):
            raise _unlisted(group, use, allowed)


def check_any_allows(members: Collection[str] | None, uses: Collection[Use], site: Site) -> None:
    """Raise Forbidden unless one of the groups may use it all.

    ``members`` None is a member of every group, who may use everything but those of
    Falsework's own roles that no list names.
    """
    groups = site.groups
    if groups is None or members is None:
        unlisted = [each for each in uses if not _is_listed_role(each, groups or {})]
        check_allowed("", unlisted, site.model_copy(update={"groups": None}))
        return
    refusals: list[Forbidden] = []
    for group in sorted(members):
        try:
            check_allowed(group, uses, site, members)
        except Forbidden as exc:
            refusals.append(exc)
        else:
            return
    raise refusals[0] if refusals else _no_rules("", groups, members)


def rules_of(
    group: str, groups: Groups, members: Collection[str] | None = ()
) -> GroupRules | None:
    """Return the group's rules; None where there are none for anybody. Raises Forbidden.

    ``members``: the groups of who asks, None for all; the error names no other one.
    """
    if groups is None:
        return None
    found = groups.get(group) or groups.get(EVERY_OTHER)
    if found is None:
        raise _no_rules(group, groups, members)
    return found


def listed_roles(group: str, site: Site, members: Collection[str] | None = ()) -> tuple[str, ...]:
    """Return the job roles that the group's own list names. Raises Forbidden as ``rules_of``."""
    rules = rules_of(group, site.groups, members)
    return (rules.job_roles if rules else None) or ()


def _is_listed_role(use: Use, groups: Mapping[str, GroupRules]) -> bool:
    listed = (role for rules in groups.values() for role in rules.job_roles or ())
    return use.listed is Listed.ROLE and use.value in listed


def _unlisted(group: str, use: Use, allowed: tuple[str, ...]) -> Forbidden:
    who = f"the group {group!r}" if group else "a user's job"
    return Forbidden(
        f"{who} may not use the {use.listed.noun} {use.value!r:.200}",
        field=use.field,
        value=shortened(use.value),
        mend=_mend(use, allowed),
    )


def _is_among(use: Use, allowed: tuple[str, ...]) -> bool:
    if use.listed is not Listed.ROOT:
        return use.value in allowed
    place = _place(use.value)
    return place is not None and any(_is_below(place, _place(root)) for root in allowed)


def _is_below(place: tuple[str, str], root: tuple[str, str] | None) -> bool:
    return root is not None and place[0] == root[0] and is_inside(place[1], root[1])


def _place(path: str) -> tuple[str, str] | None:
    """Return the file system ("" is the host) and the path in it; None for what may be anywhere:
    a relative path, or one that climbs out of its file system."""
    file_system, inside = efs_parts(path) if path_kind(path) == "efs" else ("", path)
    resolved = without_dots(inside) if inside.startswith("/") else None
    return None if resolved is None else (file_system, resolved)


def _mend(use: Use, allowed: tuple[str, ...]) -> str:
    named = ", ".join(allowed[:SHOWN]) + (", …" if len(allowed) > SHOWN else "")
    where = "at or below one of" if use.listed is Listed.ROOT else "one of"
    ask = f"ask the operator to add it to the group's {use.listed}"
    return f"name {where} {named}; or {ask}" if allowed else ask


def _no_rules(
    group: str, groups: Mapping[str, GroupRules], members: Collection[str] | None
) -> Forbidden:
    """Which groups the site has is nobody's to learn who is in none of them."""
    known = sorted(groups.keys() - {EVERY_OTHER})
    named = ", ".join([each for each in known if members is None or each in members][:SHOWN])
    ask = "ask the operator to let it in"
    return Forbidden(
        f"the group {group!r} may not submit here",
        field="options.group",
        value=group,
        mend=f"name a group of yours that may: {named}; or {ask}" if named else ask,
    )
