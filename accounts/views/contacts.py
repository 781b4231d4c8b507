"""Contacts of an organisation, and the page a contact's confirmation link opens."""

from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import OrganisationRequest, Permission, requires
from accounts.actions.contacts import add_contact, confirm_contact, remove_contact, resend_confirmation
from accounts.availability_people import why_not_remove_contact, why_not_resend_confirmation
from accounts.forms.people import ContactForm
from accounts.models import Contact
from accounts.models.people import token_hash
from accounts.views.people import do_and_return, settings_tabs
from portal.operations.availability import NotAllowed


@requires(Permission.VIEW)
@require_GET
def contacts(request: OrganisationRequest) -> HttpResponse:
    found = list(request.organisation.contacts.all())
    operational_count = sum(contact.purpose == Contact.Purpose.OPERATIONAL for contact in found)
    has_proven_accounts = request.organisation.cloud_accounts.proven().exists()
    rows = [
        {
            "contact": contact,
            "why_not_remove": why_not_remove_contact(contact, operational_count=operational_count, has_proven_accounts=has_proven_accounts),
            "why_not_resend": why_not_resend_confirmation(contact),
        }
        for contact in found
    ]
    context = {
        "rows": rows,
        "has_operational": operational_count > 0,
        "can_manage": request.membership.can(Permission.MANAGE_CONTACTS),
        "tabs": settings_tabs(request),
    }
    return render(request, "accounts/contacts/contacts.html", context)


@requires(Permission.MANAGE_CONTACTS)
@require_http_methods(["GET", "POST"])
def contact_add(request: OrganisationRequest) -> HttpResponse:
    form = ContactForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            contact = add_contact(organisation=request.organisation, by=request.user, **form.cleaned_data)
        except NotAllowed as refusal:
            form.add_error("email", refusal.reason)
        else:
            messages.success(request, _("%(contact)s is added and gets a mail to confirm.") % {"contact": contact.name})
            return redirect("accounts:contacts", slug=request.organisation.slug)
    return render(request, "accounts/contacts/contact_add.html", {"form": form, "tabs": settings_tabs(request)})


@requires(Permission.MANAGE_CONTACTS)
@require_POST
def contact_remove(request: OrganisationRequest, pk: str) -> HttpResponse:
    contact = get_object_or_404(request.organisation.contacts, pk=pk)
    done = _("%(contact)s is no longer a contact.") % {"contact": contact.name}
    return do_and_return(request, partial(remove_contact, contact=contact, by=request.user), done=done, to="accounts:contacts")


@requires(Permission.MANAGE_CONTACTS)
@require_POST
def contact_resend(request: OrganisationRequest, pk: str) -> HttpResponse:
    contact = get_object_or_404(request.organisation.contacts, pk=pk)
    done = _("A new mail to confirm is on its way to %(email)s.") % {"email": contact.email}
    return do_and_return(request, partial(resend_confirmation, contact=contact, by=request.user), done=done, to="accounts:contacts")


@login_not_required  # contacts need no account; the secret in the address is the key
@never_cache
@require_http_methods(["GET", "POST"])
def contact_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST confirms: mail scanners open links, they do not press buttons."""
    contact = Contact.objects.select_related("organisation").filter(token_hash=token_hash(token)).first()
    if contact is None:
        return render(request, "accounts/contacts/contact_confirm_gone.html", status=410)
    if request.method == "POST":
        confirm_contact(contact=contact)
    template = "accounts/contacts/contact_confirmed.html" if request.method == "POST" else "accounts/contacts/contact_confirm.html"
    return render(request, template, {"contact": contact})
