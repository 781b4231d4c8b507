"""To be staff is to enter the administration; whatever is written there takes a right of its own."""

from http import HTTPStatus

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.urls import NoReverseMatch, reverse

from accounts.access import Role
from accounts.models import Organisation, User
from cells.models import Plan, Release
from portal.audit.models import Event
from tests.activity import assert_no_event, assert_one_event
from tests.cells.factories import make_plan
from tests.factories import make_membership, make_user
from tests.portal.test_admin_site import SECRET

pytestmark = pytest.mark.django_db

SOMETHING = "0a1b2c3d-0000-4000-8000-000000000000"
# Shows what was done, and takes nothing.
SHOWING = "_history"


def make_staff(*rights, **fields):
    user = make_user(is_staff=True, **fields)
    TOTP.activate(user, SECRET)
    if rights:
        call_command("grant_staff", user.email, may=[right for right in rights if right != "look"])
    return User.objects.get(pk=user.pk)  # Django remembers rights on the object


def addresses():
    """Every address of every model in the administration, and the site's own that change anything."""
    for model, model_admin in admin.site._registry.items():
        for pattern in model_admin.get_urls():
            if pattern.name and not pattern.name.endswith(SHOWING):
                yield model._meta.label_lower, pattern.name


def place(name):
    try:
        return reverse(f"admin:{name}")
    except NoReverseMatch:
        return reverse(f"admin:{name}", args=[SOMETHING])


def test_the_walk_finds_what_is_written():
    found = {name for _, name in addresses()}

    own = {"accounts_organisation_start_connection", "offboarding_offboarding_close", "cells_release_add", "accounts_user_change"}
    assert own <= found


@pytest.mark.parametrize(("model", "name"), list(addresses()))
def test_staff_without_a_right_write_nowhere(client, model, name):
    client.force_login(make_staff())

    with assert_no_event():
        answer = client.post(place(name), {"reason": "x", "cloud": "aws"})

    assert answer.status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "name", ["accounts_organisation_add", "cells_release_add", "cells_plan_add", "accounts_organisation_start_connection"]
)
def test_staff_who_only_look_get_no_form_either(client, name):
    client.force_login(make_staff("look"))

    assert client.get(place(name)).status_code == HTTPStatus.FORBIDDEN


def test_staff_who_only_look_read_every_list(client):
    client.force_login(make_staff("look"))

    for model in admin.site._registry:
        there = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(there).status_code == HTTPStatus.OK, there


RELEASE = {"version": "9.9.9", "chart": "oci://charts.fernhill.example/orders", "chart_version": "9.9.9", "digest": "0" * 64}


def test_release_is_offered_by_whoever_may(client):
    given = RELEASE | {"plan": str(make_plan().pk), "notes": "", "is_offered": "on", "reason": "Case 1"}
    before = Release.objects.count()
    client.force_login(make_staff("customers", "leaving"))
    assert client.post(place("cells_release_add"), given).status_code == HTTPStatus.FORBIDDEN
    assert Release.objects.count() == before

    client.force_login(make_staff("offers"))
    answer = client.post(place("cells_release_add"), given)

    assert answer.status_code == HTTPStatus.FOUND, answer.context["adminform"].form.errors
    assert Release.objects.count() == before + 1


def test_plan_and_its_sizes_open_to_whoever_may(client):
    plan = make_plan()
    client.force_login(make_staff("offers"))
    there = reverse("admin:cells_plan_change", args=[plan.pk])

    assert 'name="sizes-0-code"' in client.get(there).text
    client.force_login(make_staff("look"))
    assert 'name="sizes-0-code"' not in client.get(there).text
    assert client.post(there, {"name": "Another"}).status_code == HTTPStatus.FORBIDDEN
    assert Plan.objects.get(pk=plan.pk).name == plan.name


def test_customers_are_set_up_and_their_people_deactivated_by_whoever_may(client, acme):
    owner = make_membership(organisation=acme, role=Role.OWNER).user
    client.force_login(make_staff("customers"))

    founded = client.post(place("accounts_organisation_add"), {"name": "Initech", "owner_email": "b@initech.example", "reason": "Case 1"})
    client.post(reverse("admin:accounts_user_change", args=[owner.pk]), {"reason": "Case 2"})

    owner.refresh_from_db()
    assert (founded.status_code, Organisation.objects.filter(slug="initech").count(), owner.is_active) == (HTTPStatus.FOUND, 1, False)


@pytest.mark.parametrize("fields", [{"is_staff": True}, {"is_support_engineer": True}, {"is_superuser": True, "is_staff": True}])
def test_people_of_the_provider_are_changed_by_superusers_alone(client, fields):
    person = make_user(**fields)
    there = reverse("admin:accounts_user_change", args=[person.pk])
    client.force_login(make_staff("customers"))

    with assert_no_event():
        assert client.get(there).status_code == HTTPStatus.OK
        assert client.post(there, {"reason": "x"}).status_code == HTTPStatus.FORBIDDEN
    client.force_login(make_staff(is_superuser=True))
    client.post(there, {"reason": "Left the company"})

    person.refresh_from_db()
    assert not person.is_active


def test_superusers_see_who_has_no_second_factor_and_others_do_not(client):
    bare, users = make_user(is_staff=True), reverse("admin:accounts_user_changelist")
    client.force_login(make_staff(is_superuser=True))

    shown = client.get(users, {"factor": "none", "is_staff__exact": "1"})

    assert list(shown.context["cl"].queryset) == [bare]
    assert "column-second_factor" in shown.text
    client.force_login(make_staff("look"))
    assert "column-second_factor" not in client.get(users).text


# --- The command ---------------------------------------------------------------------------------------------------------


def test_rights_are_those_named_last_and_on_record(capsys):
    person = make_user()

    call_command("grant_staff", person.email.upper(), may=["offers", "customers"])
    with assert_one_event(None, action="person.staff_rights_set") as written:
        call_command("grant_staff", person.email, may=["leaving"])

    found = User.objects.get(pk=person.pk)
    assert found.is_staff
    assert found.has_perms(["offboarding.change_offboarding", "accounts.view_user"])
    assert not found.has_perm("cells.change_plan")
    assert not found.has_perm("accounts.change_user")
    assert written.event.details == {"rights": ["look", "leaving"]}
    assert capsys.readouterr().out.splitlines()[-1] == f"{person.email}: look, leaving"


def test_revoked_rights_close_the_administration():
    person = make_staff("offers")

    call_command("grant_staff", person.email, revoke=True)

    found = User.objects.get(pk=person.pk)
    assert (found.is_staff, found.get_all_permissions()) == (False, set())


def test_rights_for_nobody_are_refused():
    with pytest.raises(CommandError, match="Nobody has signed up as"):
        call_command("grant_staff", "x@y.example")
    assert not Event.objects.exists()
