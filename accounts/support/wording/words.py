"""What people read about profiles, scopes and lengths, on both sides alike."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.support.models import AccessPolicy
from accounts.support.rules.policy import hours_of
from accounts.support.states import Profile

Words = str | Promise
DAYS = [
    ("0", _("Monday")),
    ("1", _("Tuesday")),
    ("2", _("Wednesday")),
    ("3", _("Thursday")),
    ("4", _("Friday")),
    ("5", _("Saturday")),
    ("6", _("Sunday")),
]
LENGTHS = (15, 30, 60, 120, 240, 480, 720, 1440, 2880)
AN_HOUR = 60


@dataclass(frozen=True)
class ProfileWords:
    """What a profile lets an engineer do. `asks` goes into the sentence "… asks to …"; `more` is what it adds to the one before."""

    asks: Words
    more: Words
    can: Words
    cannot: Words
    data: Words
    effect: Words = ""


_NEVER = _("Read secrets, read stored data, change permissions, or open a shell.")
_LINES = _("Log lines. They can contain what your users did.")
PROFILES: dict[Profile, ProfileWords] = {
    Profile.DIAGNOSE: ProfileWords(
        _("look at the state of"),
        _("see states and events"),
        _("See names, sizes, versions, states and events of the cell and of its instances."),
        _("Change anything, read logs, read secrets or stored data."),
        _("Names and states only. No log lines and no stored data."),
    ),
    Profile.LOGS: ProfileWords(
        _("read logs and the state of"),
        _("also read log lines"),
        _("See states and events of the cell and of its instances, and read their newest log lines."),
        _("Change anything, read secrets or stored data."),
        _LINES,
    ),
    Profile.OPERATE: ProfileWords(
        _("read logs of, restart and scale"),
        _("also restart and scale"),
        _("See states and events, read the newest log lines, and restart or scale instances through the cell's agent."),
        _NEVER,
        _LINES,
        _("A restart interrupts an instance for a short time."),
    ),
    Profile.REPAIR: ProfileWords(
        _("read logs of, restart, scale and roll back"),
        _("also roll back and resync"),
        _("See states and events, read the newest log lines, and restart, scale, roll back or resync instances through the cell's agent."),
        _NEVER,
        _LINES,
        _("A roll-back puts the version before in the place of the running one."),
    ),
}


# Parts of a diagnostic bundle, in the order in which they are read.
PART_WORDS: dict[str, tuple[Words, Words]] = {
    "versions": (_("Versions"), _("Of the cluster, its components and what runs.")),
    "resources": (_("Resource figures"), _("Machines, CPU, memory, restarts and counts of requests. No content of any request.")),
    "rollout": (_("Rollout status"), _("How many processes run, and what they wait for.")),
    "events": (_("Events"), _("What the cluster has written down about the processes.")),
    "log": (_("Last log lines"), _("What the processes have written themselves. Read these with care: they can contain anything.")),
}


def length_words(minutes: int) -> str:
    """`90 minutes`, `4 hours`."""
    if minutes % AN_HOUR or minutes < AN_HOUR:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    hours = minutes // AN_HOUR
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


def lengths_up_to(longest: timedelta) -> list[tuple[str, str]]:
    """Choices of a length, the longest allowed one among them."""
    most = int(longest.total_seconds() // 60)
    minutes = sorted({one for one in LENGTHS if one <= most} | {most})
    return [(str(one), length_words(one)) for one in minutes]


def rules_in_words(policy: AccessPolicy) -> list[tuple[str, str]]:
    """An organisation's rules, name by name."""
    hours = hours_of(policy)
    open_at = _now("At any time")
    if hours:
        days = ", ".join(str(dict(DAYS)[str(day)]) for day in sorted(hours.days))
        names = {"days": days, "from": f"{hours.opens:%H:%M}", "until": f"{hours.closes:%H:%M}", "zone": hours.zone}
        open_at = _now("%(days)s, %(from)s to %(until)s (%(zone)s)") % names
    outside = [(_now("A request for another time"), policy.get_outside_display())] if hours else []
    return [
        (_now("Who approves"), policy.get_mode_display()),
        (_now("Longest access"), length_words(policy.longest_minutes)),
        (_now("Time to decide"), length_words(policy.decide_hours * 60)),
        (_now("Access may be open"), open_at),
        *outside,
        (_now("Credentials may be handed out"), _now("Yes, where an approver agrees") if policy.allows_direct else _now("No")),
    ]
