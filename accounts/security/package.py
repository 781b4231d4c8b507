"""One package for an organisation and a cloud: the page and the file are made from the same data."""

import hashlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import kits
from accounts.issuer.keys import PUBLISH_BEFORE, ROTATE_AFTER
from accounts.issuer.tokens import LIFETIME_S
from accounts.kits.base import CloudKit
from accounts.mail import GIVE_UP_AFTER
from accounts.models import Organisation
from accounts.models.cloud_accounts import KIT_LIFETIME
from accounts.models.environment import KEPT_ASSESSMENTS
from accounts.models.people import INVITATION_LIFETIME
from accounts.models.step_links import STEP_LINK_LIFETIME
from accounts.security.hosts import connections
from accounts.security.inside import TELLERS, Flow
from accounts.security.responsibilities import PART_WORDS, TASKS
from accounts.shutting import shut_of
from accounts.sign_in import STEP_UP_MAX_AGE
from accounts.steps.trust_history import KEPT_FOR


def security_package(organisation: Organisation, cloud: str) -> dict[str, Any]:
    """Raises KeyError for a cloud without a kit."""
    kit = kits.load(cloud)
    inside = [tell(organisation, cloud) for tell in TELLERS]
    return {
        "record": "security package",
        "made_at": timezone.now(),
        "organisation": organisation.name,
        "cloud": kit.words.cloud,
        "provider": {"name": settings.PROVIDER_NAME, "contact": settings.PROVIDER_SUPPORT_EMAIL},
        "kit": _kit(kit),
        "responsibilities": _responsibilities(),
        "data_flows": [vars(flow) for flow in (*_flows(kit), *(flow for told in inside for flow in told.flows))],
        "connections": [vars(one) for one in (*connections(cloud), *(one for told in inside for one in told.connections))],
        "records": [vars(record) for told in inside for record in told.records],
        "permissions": [_permission(permission) for permission in kit.permissions],
        "never_allowed": [_denial(denial) for denial in kit.denials],
        "creates": [_resource(resource) for resource in kit.resources],
        "switches_of_the_customer": [{"title": switch.title, "effect": switch.effect} for switch in kit.switches],
        "shut_support_access": shut_of(organisation, cloud),
        "lifetimes": _lifetimes(kit),
        "retention": _retention(),
        "contacts": [
            {
                "name": contact.name,
                "email": contact.email,
                "told_about": contact.get_purpose_display(),
                "confirmed": bool(contact.confirmed_at),
            }
            for contact in organisation.contacts.all()
        ],
    }


def _kit(kit: CloudKit) -> dict[str, Any]:
    documents = [{"file": document.file, "title": document.title, "sha256": document.sha256} for document in kit.documents]
    published = [{"file": key, "sha256": hashlib.sha256(content).hexdigest()} for key, content in sorted(kit.files().items())]
    signature = _("None. A file is known by its SHA-256, which is part of its address and of every command that fetches it.")
    return {
        "version": kit.version,
        "sha256": kit.content_hash,
        "documents": documents,
        "published_files": published,
        "signature": signature,
    }


def _responsibilities() -> list[dict[str, Any]]:
    return [
        {
            "area": task.area,
            "task": task.title,
            "customer": PART_WORDS[task.customer],
            "provider": PART_WORDS[task.provider],
            "portal": PART_WORDS[task.portal],
            "note": task.note,
        }
        for task in TASKS
    ]


def _flows(kit: CloudKit) -> list[Flow]:
    """What goes where, and what does not."""
    names = {"cloud": kit.words.cloud, "provider": settings.PROVIDER_NAME, "account": kit.words.account}
    flows = [
        (
            _("The customer's people"),
            _("The portal"),
            _("What they type and decide: names, account ids, approvals"),
            _("Keys and passwords of the cloud"),
        ),
        (_("%(cloud)s") % names, _("The portal's issuer"), _("A request for public keys"), _("Anything about the account")),
        (_("The portal"), _("%(cloud)s") % names, _("Tokens, and calls that the kit permits"), _("Data of other customers")),
        (
            _("%(cloud)s") % names,
            _("The portal"),
            _("Answers to those calls: names, settings, states and counts of resources"),
            _("Content of storage, databases and secrets: the kit does not allow it"),
        ),
        (_("The portal"), _("Members and contacts"), _("Mails: what happened, and a link"), _("Credentials")),
    ]
    if kit.words.is_report_needed:
        flows.append((_("The kit's script"), _("The portal"), _("Ids of what the kit made"), _("Keys and passwords")))
    return [Flow(*flow) for flow in flows]


def _permission(permission: Any) -> dict[str, Any]:
    return {
        "action": permission.action,
        "role": permission.role.label,
        "phase": permission.phase.label,
        "reason": permission.reason,
        "limit": permission.limit,
        "statements": list(permission.sids),
    }


def _denial(denial: Any) -> dict[str, Any]:
    return {"promise": denial.promise, "role": denial.role.label, "examples": list(denial.actions)}


def _resource(resource: Any) -> dict[str, Any]:
    names = ("type", "name", "purpose", "phase", "payer", "tag")
    return {name: getattr(resource, name) for name in names}


def _lifetimes(kit: CloudKit) -> list[dict[str, str]]:
    rows = [
        (_("A token that the portal signs"), timedelta(seconds=LIFETIME_S)),
        (_("A session in the cloud that it opens"), kit.traffic.session),
        (_("A signing key, until another takes over"), ROTATE_AFTER),
        (_("A new signing key is published before it signs"), PUBLISH_BEFORE),
        (_("A kit that is not run"), KIT_LIFETIME),
        (_("A link to one step, unless chosen otherwise"), STEP_LINK_LIFETIME),
        (_("An invitation"), INVITATION_LIFETIME),
        (_("A sign-in of a person"), timedelta(seconds=settings.SESSION_COOKIE_AGE)),
        (_("A proof of identity, for acts that ask for one"), STEP_UP_MAX_AGE),
    ]
    return [{"what": what, "how_long": in_words(length) if length else _("As the cloud sets it")} for what, length in rows]


def _retention() -> list[dict[str, str]]:
    assessments = ngettext(
        "The last %(count)s of each account and region", "The last %(count)s of each account and region", KEPT_ASSESSMENTS
    )
    rows = [
        (_("Activity log"), _("Without end. It can be added to, never changed or shortened; names and addresses of who acted stay in it.")),
        (
            _("Mails"),
            _("Sealed until the mail server has taken them, then deleted. Given up after %(time)s of tries.")
            % {"time": in_words(GIVE_UP_AFTER)},
        ),
        (_("History of an account's trust"), in_words(KEPT_FOR)),
        (_("Checks of an account's environment"), assessments % {"count": KEPT_ASSESSMENTS}),
        (_("Credentials of the customer's cloud"), _("None is stored.")),
    ]
    return [{"what": what, "how_long": how_long} for what, how_long in rows]


def in_words(length: timedelta) -> str:
    """In the largest unit that says it exactly."""
    minutes = int(length.total_seconds()) // 60
    if minutes % 1440 == 0:
        return ngettext("%(count)s day", "%(count)s days", minutes // 1440) % {"count": minutes // 1440}
    if minutes % 60 == 0:
        return ngettext("%(count)s hour", "%(count)s hours", minutes // 60) % {"count": minutes // 60}
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
