"""What is kept after an organisation has closed, for how long and why: one table, which the page shows and the scheduled task carries out.

Each model that belongs to an organisation stands under one term; apps above add theirs (`hold`). Within a term, what refers to something
else goes before it: that is the order of deletion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.apps import apps
from django.conf import settings
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.operations.catalogue import Text

YEAR = 365


@dataclass(frozen=True)
class Term:
    """One period, counted from the moment of closing."""

    code: str
    after: timedelta
    title: Text
    what: Text
    why: Text

    @property
    def period(self) -> str:
        """The very timedelta in words: "30 days", "3 years (1,096 days)"."""
        return _in_words(self.after.days)

    @property
    def period_in_backups(self) -> str:
        """Until the last backup that still held it is gone too: deleting takes up to a day itself."""
        return _in_words(self.after.days + 1 + settings.BACKUP_DAYS)

    @property
    def records(self) -> list[str]:
        """What is deleted, by the names of its tables."""
        return sorted({capfirst(str(apps.get_model(one.model)._meta.verbose_name_plural)) for one in holdings(self.code)})


def _in_words(days: int) -> str:
    in_days = ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
    if days < YEAR:
        return in_days
    years = days // YEAR
    return ngettext("%(count)s year (%(days)s)", "%(count)s years (%(days)s)", years) % {"count": years, "days": in_days}


PEOPLE = Term(
    "people",
    timedelta(days=30),
    gettext_lazy("Members, contacts and invitations"),
    gettext_lazy(
        "Who was a member with which role, whom we told about what, who was invited, and drafts that somebody had begun. "
        "A person who is then in no other organisation here also loses the sign-in: name, e-mail address, password and second factors. "
        "The provider's security record keeps the name and e-mail address of earlier sign-ins: see “What stays”."
    ),
    gettext_lazy("Owners can download the export until then, and everybody who was a member reads that it is closed."),
)
FLEET = Term(
    "fleet",
    timedelta(days=30),
    gettext_lazy("Instances, deployment cells and operations"),
    gettext_lazy(
        "Settings and their history, what was measured, what each operation did, checks of the trust and of the environment, "
        "diagnostic bundles."
    ),
    gettext_lazy("The export is made of it for as long as it can be downloaded."),
)
RECORD = Term(
    "record",
    timedelta(days=3 * YEAR + 1),
    gettext_lazy("Activity, support access and certificates"),
    gettext_lazy(
        "The activity with the names, e-mail addresses and network addresses in it, every support access with its decisions and receipts, "
        "the cloud accounts with their offboarding certificates, and the organisation's own name."
    ),
    gettext_lazy("It proves to both sides who did what, for as long as claims out of the contract can be made."),
)
TERMS = (PEOPLE, FLEET, RECORD)


@dataclass(frozen=True)
class Holding:
    """One table: the ways from a row to its organisation, and the term after which its rows are deleted."""

    model: str
    paths: tuple[str, ...]
    term: str


_HOLDINGS: list[tuple[int, Holding]] = []


def hold(term: Term, order: int, *tables: tuple[str, str | tuple[str, ...]]) -> None:
    """Put tables under a term. A smaller `order` goes first; in one call, the order given."""
    for model, paths in tables:
        _HOLDINGS.append((order, Holding(model, (paths,) if isinstance(paths, str) else paths, term.code)))
    _HOLDINGS.sort(key=lambda pair: pair[0])


def holdings(term: str = "") -> Sequence[Holding]:
    return [one for _order, one in _HOLDINGS if term in {"", one.term}]


def term_of(code: str) -> Term:
    return next(term for term in TERMS if term.code == code)


def after_all() -> str:
    """What stays for good, in words."""
    return _(
        "That it was deleted, when and how much: the organisation's ID, numbers, and the last hash of its activity. "
        "Beside that, the security record of %(provider)s stays. It belongs to no organisation and has no end yet. It keeps name, "
        "e-mail address and network address of each person with every sign-in, and the name of the organisation with every support access "
        "that was asked for."
    ) % {"provider": settings.PROVIDER_NAME}


def backups() -> str:
    """That a deletion does not reach into backups, in words."""
    return ngettext(
        "%(provider)s keeps backups of the whole database for %(count)s day. What is deleted here stays in them until they are gone.",
        "%(provider)s keeps backups of the whole database for %(count)s days. What is deleted here stays in them until they are gone.",
        settings.BACKUP_DAYS,
    ) % {"provider": settings.PROVIDER_NAME, "count": settings.BACKUP_DAYS}


ACCOUNT = "account__organisation"
REQUEST = "request__organisation"
hold(
    PEOPLE,
    50,
    ("accounts.StepLink", "kit__account__organisation"),
    ("accounts.Preparation", "organisation"),
    ("accounts.Invitation", "organisation"),
    ("accounts.Contact", "organisation"),
    ("accounts.Membership", "organisation"),
)
hold(
    FLEET,
    50,
    ("support.BundleFile", "bundle__organisation"),
    ("support.Bundle", "organisation"),
    ("accounts.EnvironmentFinding", "assessment__account__organisation"),
    ("accounts.Assessment", ACCOUNT),
    ("accounts.TrustCheck", ACCOUNT),
    ("accounts.TrustChange", ACCOUNT),
    ("accounts.TrustWatch", ACCOUNT),
    ("operations.StepLog", "step__operation__organisation"),
    ("operations.Step", "operation__organisation"),
    ("operations.Operation", "organisation"),
)
hold(
    RECORD,
    50,
    ("support.TraceMatch", REQUEST),
    ("support.EndProof", REQUEST),
    ("support.Act", REQUEST),
    ("support.Door", REQUEST),
    ("support.Opening", REQUEST),
    ("support.Device", REQUEST),
    ("support.Receipt", REQUEST),
    ("support.Decision", REQUEST),
    ("support.RequestNote", REQUEST),
    ("support.AccessRequest", "organisation"),
    ("support.PolicyChange", "organisation"),
    ("support.AccessPolicy", "organisation"),
    ("support.Viewing", "organisation"),
    ("offboarding.SignIn", "offboarding__organisation"),
    ("offboarding.Offboarding", "organisation"),
    ("accounts.Kit", ACCOUNT),
    ("accounts.CloudAccount", "organisation"),
    ("audit.Event", "organisation_id"),
)
hold(RECORD, 90, ("closing.Closing", "organisation"), ("accounts.Organisation", ""))
