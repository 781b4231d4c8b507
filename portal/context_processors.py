"""What the frame of every page needs: brand, theme, organisation, navigation. Rows are read only when a template shows them."""

from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, pgettext_lazy

from accounts.access import Permission, Role
from accounts.support.states import AccessState

THEMES = {
    "auto": pgettext_lazy("theme", "Same as my device"),
    "light": pgettext_lazy("theme", "Light"),
    "dark": pgettext_lazy("theme", "Dark"),
}
# Label, URL name, icon, and the URL names below it (by prefix) that belong to the same place.
NAVIGATION = (
    (pgettext_lazy("navigation", "Home"), "accounts:home", "house", ("home",)),
    (
        pgettext_lazy("navigation", "Cloud accounts"),
        "accounts:account_list",
        "cloud",
        ("account_", "connect_", "offboarding_", "certificate_"),
    ),
    (pgettext_lazy("navigation", "Deployment cells"), "cells:cell_list", "boxes", ("cell_",)),
    (pgettext_lazy("navigation", "Instances"), "cells:instance_list", "app-window", ("instance_",)),
    (pgettext_lazy("navigation", "Operations"), "accounts:operation_list", "list-checks", ("operation_",)),
    (pgettext_lazy("navigation", "Support access"), "support:access_home", "headset", ("access_", "bundle")),
    (pgettext_lazy("navigation", "Activity"), "accounts:activity", "scroll-text", ("activity",)),
    (
        pgettext_lazy("navigation", "Settings"),
        "accounts:organisation_settings",
        "settings",
        ("organisation_settings", "member", "invitation_", "contact", "security_", "closing_"),
    ),
)


class NavItem(NamedTuple):
    label: str
    url: str
    icon: str
    is_current: bool


class Shield(NamedTuple):
    """Whether somebody of the provider may reach this customer's cloud at this moment, for the frame of every page."""

    number: int
    ends: datetime | None
    is_unconfirmed: bool
    url: str
    can_end: bool


class Brand(NamedTuple):
    name: str
    support_email: str


class Choice(NamedTuple):
    """An organisation of the signed-in person, to switch to."""

    slug: str
    name: str
    role: str
    is_current: bool


class Person(NamedTuple):
    name: str
    email: str
    is_support_engineer: bool
    is_staff: bool


class Shell(NamedTuple):
    """All that the frame around a page shows, in plain words: parts of it are kept (portal.templatetags.kept)."""

    nav: tuple[NavItem, ...]
    organisations: tuple[Choice, ...]
    organisation: str
    person: Person | None


def portal(request: HttpRequest) -> dict[str, Any]:
    """What the frame shows, by name; `shield` and `shell` are called only where they are shown."""
    return {
        "brand": brand_of(),
        "theme": theme_of(request),
        "themes": tuple((value, str(label)) for value, label in THEMES.items()),
        "path": request.get_full_path(),
        "organisation": getattr(request, "organisation", None),
        "membership": getattr(request, "membership", None),
        "viewing": getattr(request, "viewing", None),
        "shield": cache(lambda: shield_of(request)),
        "shell": cache(lambda: shell_of(request)),
    }


def shell_of(request: HttpRequest) -> Shell:
    organisation, user = getattr(request, "organisation", None), getattr(request, "user", None)
    here = getattr(request.resolver_match, "url_name", None) or ""
    organisations = [
        Choice(each.organisation.slug, each.organisation.name, str(Role(each.role).label), each.organisation == organisation)
        for each in memberships_of(request)
    ]
    is_known = user is not None and user.is_authenticated
    return Shell(
        navigation(organisation.slug, here, get_language() or "") if organisation else (),
        tuple(organisations),
        organisation.name if organisation else "",
        Person(user.name, user.email, user.is_support_engineer, user.is_staff) if user and is_known else None,
    )


def brand_of() -> Brand:
    return Brand(settings.PROVIDER_NAME, settings.PROVIDER_SUPPORT_EMAIL)


def theme_of(request: HttpRequest) -> str:
    """The theme this browser asked for, from its cookie; `auto` follows the device."""
    chosen = request.COOKIES.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


def memberships_of(request: HttpRequest) -> list[Any]:
    """The signed-in user's memberships with their organisations, by name; one query, unless tenancy's gate has them already."""
    if (known := getattr(request, "memberships", None)) is not None:
        return list(known)
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    return list(user.memberships_with_organisations())


@lru_cache(maxsize=1024)
def navigation(slug: str, here: str, language: str) -> tuple[NavItem, ...]:
    """The left rail of one organisation: only places that exist. `here` is the name of the page's address."""
    return tuple(NavItem(str(label), reverse(name, args=[slug]), icon, here.startswith(places)) for label, name, icon, places in NAVIGATION)


def shield_of(request: HttpRequest) -> Shield:
    """From what the gate has read with the memberships. One open grant leads to its own page of ending, several to all of them."""
    membership = getattr(request, "membership", None)
    rows: list[dict[str, Any]] = list(getattr(membership, "open_access", []))
    can_end = membership is not None and membership.can(Permission.DECIDE_SUPPORT_ACCESS)
    is_unconfirmed = any(row["state"] == AccessState.CLOSE_FAILED for row in rows)
    if membership is None or not rows:
        return Shield(0, None, is_unconfirmed=False, url="", can_end=False)
    slug = membership.organisation.slug
    if len(rows) == 1:
        name = "access_end" if can_end else "access_request"
        url = reverse(f"support:{name}", args=[slug, rows[0]["id"]])
    else:
        url = reverse("support:access_home", args=[slug])
    ends = max(datetime.fromisoformat(row["until"]) for row in rows)
    return Shield(len(rows), ends, is_unconfirmed, url, can_end)
