"""Who may do what: permissions, the four roles as lists of them, and the gate every organisation page passes.

A page of an organisation starts with `@requires(Permission.X)`: an outsider gets 404, a member without the right 403.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_htmx.http import HttpResponseClientRedirect

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from accounts.models import Membership, Organisation, User


class Permission(StrEnum):
    VIEW = "view"  # every page of the organisation
    MANAGE_ORGANISATION = "manage_organisation"  # name, members, roles, invitations
    MANAGE_CONTACTS = "manage_contacts"
    CONNECT_ACCOUNTS = "connect_accounts"  # drafts, kits, verification, retry
    RUN_OPERATIONS = "run_operations"  # retry, cancel, check now
    MANAGE_INSTANCES = "manage_instances"  # create, change, stop, delete; update and delete cells
    DECIDE_SUPPORT_ACCESS = "decide_support_access"
    EXPORT_ACTIVITY = "export_activity"


# What each permission lets a person do, in the words of the members page.
PERMISSION_WORDS: dict[Permission, str | Promise] = {
    Permission.VIEW: _("See every page of the organisation"),
    Permission.MANAGE_ORGANISATION: _("Invite people, change roles, rename the organisation"),
    Permission.MANAGE_CONTACTS: _("Add and remove contacts"),
    Permission.CONNECT_ACCOUNTS: _("Connect cloud accounts and run kits"),
    Permission.RUN_OPERATIONS: _("Retry, cancel and check operations"),
    Permission.MANAGE_INSTANCES: _("Create, change and delete instances and deployment cells"),
    Permission.DECIDE_SUPPORT_ACCESS: _("Approve or decline support access requests"),
    Permission.EXPORT_ACTIVITY: _("Export the activity record"),
}


class Role(TextChoices):
    OWNER = "owner", pgettext_lazy("role", "Owner")
    OPERATOR = "operator", pgettext_lazy("role", "Operator")
    APPROVER = "approver", pgettext_lazy("role", "Approver")
    AUDITOR = "auditor", pgettext_lazy("role", "Auditor")


ROLE_PERMISSIONS: dict[Role, tuple[Permission, ...]] = {
    Role.OWNER: tuple(Permission),
    Role.OPERATOR: (
        Permission.VIEW,
        Permission.MANAGE_CONTACTS,
        Permission.CONNECT_ACCOUNTS,
        Permission.RUN_OPERATIONS,
        Permission.MANAGE_INSTANCES,
    ),
    Role.APPROVER: (Permission.VIEW, Permission.DECIDE_SUPPORT_ACCESS),
    Role.AUDITOR: (Permission.VIEW, Permission.EXPORT_ACTIVITY),
}


def role_words(role: Role) -> list[str | Promise]:
    """What this role may do, one phrase a permission."""
    return [PERMISSION_WORDS[permission] for permission in ROLE_PERMISSIONS[role]]


def roles_with(permission: Permission) -> list[Role]:
    """Roles that hold this permission: whom to ask for it."""
    return [role for role, permissions in ROLE_PERMISSIONS.items() if permission in permissions]


class OrganisationRequest(HttpRequest):
    """A request that passed `requires`: signed in, a member, allowed."""

    user: "User"
    organisation: "Organisation"
    membership: "Membership"
    memberships: "list[Membership]"
    htmx: "HtmxDetails"


class MissingPermission(PermissionDenied):
    """Member, but the role lacks the right. The 403 page names it and who can grant it."""

    def __init__(self, permission: Permission, organisation: "Organisation") -> None:
        super().__init__(permission.value)
        self.permission = permission
        self.organisation = organisation


P = ParamSpec("P")
# Each view names the request it takes: OrganisationRequest in this app, its own idea of one on the floor.
View = Callable[Concatenate[Any, P], HttpResponseBase]


def requires(
    permission: Permission, *, to_change: Permission | None = None, even_closed: bool = False
) -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """Resolve `slug` to the member's organisation and check the right; leaves `required_permission` on the view.

    `to_change` is the right a POST needs, for a page that more people may read than change. Of an organisation that has closed, every
    request leads to the one page that says so, but for what is `even_closed`.
    """

    def decorate(view: View[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def gate(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            org_request = cast(OrganisationRequest, request)
            # All of them in one query: the page's frame lists the organisations to switch to.
            org_request.memberships = cast("User", request.user).memberships_with_organisations()
            # Of the provider, who looks on as a customer (accounts.support.brokering.viewing): ahead of a membership of their own.
            if (guest := getattr(request, "guest", None)) is not None:
                org_request.memberships.insert(0, guest)
            membership = next((each for each in org_request.memberships if each.organisation.slug == slug), None)
            if membership is None:
                raise Http404
            org_request.membership = membership
            org_request.organisation = membership.organisation
            if membership.organisation.closed_at and not even_closed:
                return _to_closed(org_request)
            needed = to_change if to_change and request.method == "POST" else permission
            if not membership.can(needed):
                raise MissingPermission(needed, membership.organisation)
            return view(org_request, *args, **kwargs)

        gate.required_permission = permission  # type: ignore[attr-defined]  # the mark a guard test looks for
        return gate

    return decorate


def _to_closed(request: OrganisationRequest) -> HttpResponseBase:
    """Whatever was asked for: nothing of it is done."""
    page = reverse("closing:closing_done", args=[request.organisation.slug])
    return HttpResponseClientRedirect(page) if getattr(request, "htmx", False) else redirect(page)


def membership_of(user: "User", slug: str) -> "Membership":
    """The user's membership in the organisation with this slug. Raises Http404 for everybody else."""
    is_text = "\0" not in slug  # PostgreSQL holds no NUL
    membership = user.memberships.select_related("organisation").filter(organisation__slug=slug).first() if is_text else None
    if membership is None:
        raise Http404
    return membership
