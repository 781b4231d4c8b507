"""What provider staff see of people, and what they may do: set up a customer, start a connection for one, and (de)activate a person.

The first and the last ask for a reason and go through the same actions as the portal, so the customer reads them in the activity.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin
from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.actions.organisations import found_for_customer
from accounts.actions.people import set_person_active
from accounts.admin.preparations import start_connection
from accounts.availability_people import why_not_set_active, why_not_touch
from accounts.forms.people import AddressField, PlainNameField
from accounts.models import Contact, Invitation, Membership, Organisation, User
from accounts.sign_in import SECOND_FACTORS
from portal.audit.admin import ClosedAdmin, ReadOnlyAdmin, has_right

# --- Organisations ---------------------------------------------------------------------------------------------------


class FoundingForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only for the type checker
    name = PlainNameField(label=_("Name of the organisation"))
    owner_email = AddressField(label=_("E-mail address of the first owner"), help_text=_("Gets an invitation that is valid for 7 days."))
    reason = forms.CharField(label=_("Reason and case"), max_length=200, help_text=_("The customer reads it in the activity."))

    class Meta:
        model = Organisation
        fields = ["name"]


@admin.register(Organisation)
class OrganisationAdmin(ClosedAdmin):
    list_display = ["name", "slug", "member_count", "account_count", "created_at", "closed_at"]
    list_filter = ["created_at", "cloud_accounts__state", "contacts__purpose"]
    search_fields = ["name", "slug", "=id", "memberships__user__email", "cloud_accounts__external_id"]
    search_help_text = _("Name, address, ID, a member's e-mail address or a cloud account's number")
    date_hierarchy = "created_at"
    change_form_template = "accounts/preparations/admin_organisation.html"

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(start_connection)
        return [path("<path:object_id>/start-connection/", page, name="accounts_organisation_start_connection"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return has_right(request, "add", Organisation)

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs) if obj else FoundingForm

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ["id", "name", "slug", "created_at", "closed_at"] if obj else ["name", "owner_email", "reason"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        counts = {"members": Count("memberships", distinct=True), "accounts": Count("cloud_accounts", distinct=True)}
        found: QuerySet[Model] = super().get_queryset(request).annotate(**counts)
        return found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = found_for_customer(name=given["name"], owner_email=given["owner_email"], reason=given["reason"], by=request.user)  # type: ignore[arg-type]
        obj.pk, obj.slug = made.pk, made.slug

    @admin.display(description=_("Members"), ordering="members")
    def member_count(self, obj: Any) -> int:
        return int(obj.members)

    @admin.display(description=_("Cloud accounts"), ordering="accounts")
    def account_count(self, obj: Any) -> int:
        return int(obj.accounts)


# --- Users -----------------------------------------------------------------------------------------------------------


class ActiveForm(forms.ModelForm):  # type: ignore[type-arg]
    reason = forms.CharField(label=_("Reason and case"), max_length=200, help_text=_("The customer reads it in the activity."))

    class Meta:
        model = User
        fields = ["is_active"]

    acting: User

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if refusal := why_not_set_active(self.instance, is_active=bool(cleaned.get("is_active")), by=self.acting):
            self.add_error("is_active", refusal)
        return cleaned


SECOND_FACTORS_OF_ONE = Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_FACTORS)


class SecondFactorFilter(admin.SimpleListFilter):
    title = _("second factor")
    parameter_name = "factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("None")), ("set", _("Set up"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {"none": False, "set": True}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(has_factor=wanted)


@admin.register(User)
class UserAdmin(ClosedAdmin):
    list_display = ["email", "name", "is_active", "is_staff", "is_support_engineer", "last_login", "created_at"]
    list_filter = ["is_active", "is_staff", "is_support_engineer", "memberships__role", "created_at"]
    search_fields = ["email", "name", "=id", "memberships__organisation__slug"]
    search_help_text = _("E-mail address, name, ID or an organisation's address")
    date_hierarchy = "created_at"
    readonly_fields = ["id", "email", "name", "time_zone", "is_staff", "is_support_engineer", "last_login", "created_at"]
    fields = ["id", "email", "name", "time_zone", "is_staff", "is_support_engineer", "last_login", "created_at", "is_active", "reason"]
    form = ActiveForm

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return has_right(request, "change", User) and not (obj and why_not_touch(obj, by=request.user))  # type: ignore[arg-type]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        found: QuerySet[Model] = super().get_queryset(request).annotate(has_factor=Exists(SECOND_FACTORS_OF_ONE))
        return found

    def get_list_display(self, request: HttpRequest) -> Any:
        """Whose password is all there is concerns nobody but superusers."""
        return [*self.list_display, *(["second_factor"] if request.user.is_superuser else [])]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*self.list_filter, *([SecondFactorFilter] if request.user.is_superuser else [])]

    @admin.display(description=_("Second factor"), boolean=True, ordering="has_factor")
    def second_factor(self, obj: Any) -> bool:
        return bool(obj.has_factor)

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        return type("ActiveForm", (super().get_form(request, obj, change, **kwargs),), {"acting": request.user})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        set_person_active(user=obj, is_active=given["is_active"], reason=given["reason"], by=request.user)  # type: ignore[arg-type]


# --- Memberships, invitations, contacts ------------------------------------------------------------------------------


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ["user", "organisation", "role", "created_at"]
    list_filter = ["role", "user__is_active", "created_at"]
    list_select_related = ["user", "organisation"]
    search_fields = ["user__email", "user__name", "organisation__name", "organisation__slug", "=id"]
    search_help_text = _("E-mail address, name or organisation")
    date_hierarchy = "created_at"


class InvitationStateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("expired", _("Expired")), ("accepted", _("Accepted")), ("revoked", _("Withdrawn"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        unanswered = Q(accepted_at=None, revoked_at=None)
        states = {
            "open": unanswered & Q(expires_at__gt=timezone.now()),
            "expired": unanswered & Q(expires_at__lte=timezone.now()),
            "accepted": Q(accepted_at__isnull=False),
            "revoked": Q(revoked_at__isnull=False),
        }
        return queryset.filter(states.get(self.value() or "", Q()))


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["email", "organisation", "role", "invited_by", "created_at", "expires_at", "accepted_at", "revoked_at"]
    list_filter = [InvitationStateFilter, "role", "created_at"]
    list_select_related = ["organisation", "invited_by"]
    search_fields = ["email", "organisation__name", "organisation__slug", "=id"]
    search_help_text = _("E-mail address or organisation")
    date_hierarchy = "created_at"
    fields = [
        "id",
        "organisation",
        "email",
        "role",
        "invited_by",
        "created_at",
        "sent_at",
        "expires_at",
        "accepted_at",
        "accepted_by",
        "revoked_at",
    ]


@admin.register(Contact)
class ContactAdmin(ReadOnlyAdmin):
    list_display = ["name", "email", "organisation", "purpose", "confirmed_at", "created_at"]
    list_filter = ["purpose", ("confirmed_at", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ["organisation"]
    search_fields = ["name", "email", "organisation__name", "organisation__slug", "=id"]
    search_help_text = _("Name, e-mail address or organisation")
    date_hierarchy = "created_at"
    fields = ["id", "organisation", "name", "email", "purpose", "confirmed_at", "sent_at", "created_at"]
