"""Words for codes: every failure has four parts, every wait a sentence and the next act. Filled by the apps at start-up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from django.conf import settings
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise  # exists in the stubs only

Text: TypeAlias = "str | _StrPromise"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class FailureText:
    """What happened · what it means for data and instances · what to do. The reference is the operation's own."""

    happened: Text
    means: Text
    act: Text


@dataclass(frozen=True)
class WaitText:
    """`sentence` says what is waited for, `act` what the one who holds the ball does next. Both may use %(name)s of the params."""

    sentence: Text
    act: Text = ""


# Said of a code nobody described; a test of each app holds its codes against the catalogue.
UNKNOWN_FAILURE = FailureText(
    happened=_("A step could not be finished."),
    means=_("Nothing else was changed, and your instances are not affected."),
    act=_("Retry this step. If it fails again, contact %(provider)s with the reference."),
)
UNKNOWN_WAIT = WaitText(sentence=_("Waiting for the next answer."))

FAILURES: dict[str, FailureText] = {
    "internal_error": FailureText(
        happened=_("A fault in this portal stopped the step, also when it was tried again."),
        means=_("What the earlier steps did is kept. Your data and instances are not affected."),
        act=_("%(provider)s sees this failure. Retry this step later, or contact %(provider)s with the reference."),
    ),
    "worker_lost": FailureText(
        happened=_("The process that ran this step ended several times before the step answered."),
        means=_("What the earlier steps did is kept. Your data and instances are not affected."),
        act=_("%(provider)s sees this failure. Retry this step later, or contact %(provider)s with the reference."),
    ),
    "step_took_too_long": FailureText(
        happened=_("The step did not finish in the time it may take."),
        means=_("What the earlier steps did is kept. Your data and instances are not affected."),
        act=_("Retry this step. If it fails again, contact %(provider)s with the reference."),
    ),
    "waited_too_long": FailureText(
        happened=_("Your part of this step was not done in the time it may wait."),
        means=_("What the earlier steps did is kept. Your data and instances are not affected."),
        act=_("Retry this step when you are ready to do your part."),
    ),
    "step_unknown": FailureText(
        happened=_("This portal was updated and no longer knows this step."),
        means=_("What the earlier steps did is kept. Your data and instances are not affected."),
        act=_("Contact %(provider)s with the reference."),
    ),
}
WAITS: dict[str, WaitText] = {
    "retrying": WaitText(sentence=_("A passing fault stopped the step. It is tried again by itself.")),
}


def register_failures(texts: Mapping[str, FailureText], *, variant: str = "") -> None:
    """Words by code. With a `variant` they are that variant's own, beside the general ones."""
    FAILURES.update({f"{code}@{variant}" if variant else code: text for code, text in texts.items()})


def register_waits(texts: Mapping[str, WaitText], *, variant: str = "") -> None:
    """As `register_failures`."""
    WAITS.update({f"{code}@{variant}" if variant else code: text for code, text in texts.items()})


def failure_text(code: str, params: Mapping[str, object]) -> FailureText:
    """The three sentences for a failure code, filled in and in the reader's language."""
    text = _failure(code, params)
    return FailureText(happened=fill(text.happened, params), means=fill(text.means, params), act=fill(text.act, params))


def needed_params(code: str, params: Mapping[str, object]) -> dict[str, str]:
    """Of the parameters those that `failure_words` will need to say what happened, as text for the activity log."""
    needed = set(_PLACEHOLDER.findall(str(_failure(code, params).happened)))
    if _wording(code, params) in FAILURES:
        needed.add("variant")
    return {name: str(params[name]) for name in sorted(needed & params.keys())}


def failure_words(code: str, details: Mapping[str, Any]) -> str:
    """What happened, in one sentence, from the details of an event; "…" for what the event does not have."""
    params = details.get("params") or {}
    happened = _failure(code, params).happened
    return fill(happened, dict.fromkeys(_PLACEHOLDER.findall(str(happened)), "…") | {"provider": settings.PROVIDER_NAME} | params)


def _failure(code: str, params: Mapping[str, object]) -> FailureText:
    return FAILURES.get(_wording(code, params)) or FAILURES.get(code, UNKNOWN_FAILURE)


def wait_text(why: str, params: Mapping[str, object]) -> WaitText:
    """The sentence and the next act for a wait code, filled in and in the reader's language."""
    text = WAITS.get(_wording(why, params)) or WAITS.get(why, UNKNOWN_WAIT)
    return WaitText(sentence=fill(text.sentence, params), act=fill(text.act, params))


def _wording(code: str, params: Mapping[str, object]) -> str:
    """`kit_failed@gcp`: what one cloud words differently."""
    return f"{code}@{params.get('variant', '')}"


class _Params(dict[str, object]):
    """A parameter a sentence names and a step forgot shows as nothing: never a 500 on the page that explains a failure."""

    def __missing__(self, key: str) -> str:
        return ""


def fill(text: Text, params: Mapping[str, object]) -> str:
    """`text` with its %(name)s replaced; %(provider)s is always known."""
    return str(text) % _Params({"provider": settings.PROVIDER_NAME, **params})
