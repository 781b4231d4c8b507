"""Words for codes: every failure has four parts, every wait a sentence and the next act. Filled by the apps at start-up."""

from dataclasses import dataclass

from django.utils.functional import _StrPromise

Text = str | _StrPromise


@dataclass(frozen=True)
class FailureText:
    """What happened · what it means for data and instances · what to do. The reference is the operation's own."""

    happened: Text
    means: Text
    act: Text


@dataclass(frozen=True)
class WaitText:
    """`sentence` says what is waited for, `act` what the one who holds the ball does next."""

    sentence: Text
    act: Text = ""


FAILURES: dict[str, FailureText] = {}
WAITS: dict[str, WaitText] = {}


def register_failures(texts: dict[str, FailureText]) -> None:
    FAILURES.update(texts)


def register_waits(texts: dict[str, WaitText]) -> None:
    WAITS.update(texts)
