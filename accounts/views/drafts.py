"""What the pages of a draft say when somebody else was faster, and what the last kit found."""

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponseRedirect
from django.utils.translation import gettext as _

from accounts.access import OrganisationRequest
from accounts.availability import why_not_edit
from accounts.models import CloudAccount
from portal.rejected_forms import reject


def is_behind(request: OrganisationRequest, account: CloudAccount) -> bool:
    """The page that was sent showed answers that somebody has changed since."""
    return request.POST.get("seen", "") not in {"", account.answers_mark}


def rejected(request: OrganisationRequest, account: CloudAccount, form: BaseForm) -> HttpResponseRedirect:
    """The same page with what was sent; where somebody was faster, sent again from there it replaces what they wrote."""
    account.refresh_from_db()
    if is_behind(request, account):
        told = _("Somebody changed this draft after you opened the page. What you entered is below and is not saved.")
        messages.warning(request, f"{told} {_('Compare it with a colleague, then press Continue to replace their answers.')}")
    return reject(request, form)


def unsaved(request: OrganisationRequest, account: CloudAccount, moved: HttpResponseRedirect) -> HttpResponseRedirect:
    """To where the account is by now; what was entered for a page that is over is not dropped without a word."""
    if request.method == "POST":
        messages.warning(request, f"{_('What you entered was not saved.')} {why_not_edit(account)}")
    return moved


def found_by_kit(account: CloudAccount) -> dict[str, str]:
    """What the last kit found where the customer had said something else, to be offered as the answer."""
    kit = account.kits.select_related("account").first()
    return {kit.differing: kit.reported[kit.differing]} if kit and kit.differing else {}
