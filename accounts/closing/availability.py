"""May this organisation be closed, and if not, why: one answer for page, button and request."""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.closing.models import Closing
from accounts.closing.parts import Blocker
from accounts.closing.states import ClosingState


def why_not_start(closing: Closing | None, found: Sequence[Blocker]) -> str:
    """`closing` is the one that is planned or done, `found` everything in the way: both are given, not queried."""
    if closing is not None:
        return _("The closing of this organisation is planned already.")
    if count := len(found):
        told = ngettext(
            "%(count)s thing is in the way. It is listed with its fix.",
            "%(count)s things are in the way. Each is listed with its fix.",
            count,
        )
        return told % {"count": count}
    return ""


def why_not_cancel(closing: Closing | None) -> str:
    if closing is not None and closing.state == ClosingState.PLANNED:
        return ""
    return _("No closing is planned that could be called off.")
