"""What a customer accepts before going on with a connection that the provider's staff prepared: made from the kit itself."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import kits
from accounts.issuer.tokens import LIFETIME_S
from accounts.kits.base import CloudKit


@dataclass(frozen=True)
class Section:
    title: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Terms:
    """The text in sections, and its hash: of the words that are shown, not of a version number."""

    sections: Sequence[Section]

    @property
    def text(self) -> str:
        return "\n\n".join("\n".join([section.title, *(f"- {line}" for line in section.lines)]) for section in self.sections) + "\n"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def terms_of(cloud: str) -> Terms:
    """In the portal's own language, whoever reads: one text has one hash."""
    kit = kits.load(cloud)
    with translation.override(settings.LANGUAGE_CODE):
        return Terms((_asked(kit), _allowed(kit), _never(kit), _yours(kit), _accepting()))


def _asked(kit: CloudKit) -> Section:
    names = {"provider": settings.PROVIDER_NAME, "account": kit.words.account, "version": kit.version}
    lines = [
        _("%(provider)s asks you to run onboarding kit %(version)s in your %(account)s. You run it; nobody else can.") % names,
        _("SHA-256 of the kit: %(hash)s.") % {"hash": kit.content_hash},
        _("The kit makes %(count)s things in your cloud, each listed before you run it.") % {"count": len(kit.resources)},
        _("%(provider)s then signs in with tokens that live at most %(minutes)s minutes. No key or password is handed over.")
        % (names | {"minutes": LIFETIME_S // 60}),
    ]
    return Section(_("What %(provider)s asks for") % names, lines)


def _allowed(kit: CloudKit) -> Section:
    counted = Counter((str(permission.role.label), str(permission.phase.label)) for permission in kit.permissions)
    words = _("%(role)s, %(phase)s: %(count)s permissions")
    lines = [words % {"role": role, "phase": phase, "count": count} for (role, phase), count in counted.items()]
    return Section(
        _("What the kit allows"),
        [*lines, _("Each permission stands with its reason and its limit on the review page and in the security package.")],
    )


def _never(kit: CloudKit) -> Section:
    return Section(_("What it never allows"), [str(denial.promise) for denial in kit.denials])


def _yours(kit: CloudKit) -> Section:
    lines = [f"{switch.title}: {switch.effect}" for switch in kit.switches]
    return Section(
        _("What stays in your hands"), [*lines, _("You can remove the kit, and with it the trust, at any time in your own cloud.")]
    )


def _accepting() -> Section:
    provider = {"provider": settings.PROVIDER_NAME}
    lines = [
        _("Accepting creates nothing in your cloud. The wizard goes on, and you make and run the kit yourselves."),
        _("%(provider)s staff prepared the draft. They cannot accept these terms, make the kit or run it for you.") % provider,
    ]
    return Section(_("What accepting means"), lines)
