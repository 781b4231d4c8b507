"""A person's own profile: name and time zone."""

import pytest
from django.urls import reverse

from portal.audit.models import Event

URL = "accounts:profile"


def test_profile_saves_and_records_which_fields_not_what(client, alice):
    client.force_login(alice)

    page = client.post(reverse(URL), {"name": "Alice A.", "time_zone": "Europe/Berlin"}, follow=True)

    alice.refresh_from_db()
    assert (alice.name, alice.time_zone) == ("Alice A.", "Europe/Berlin")
    assert "Your profile is saved." in page.text
    event = Event.objects.get()
    assert (event.action, event.organisation_id, event.details) == ("person.profile_changed", None, {"fields": "name, time_zone"})


def test_profile_saved_unchanged_records_nothing(client, alice):
    client.force_login(alice)

    client.post(reverse(URL), {"name": "Alice", "time_zone": ""})

    assert not Event.objects.exists()


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd"])
def test_profile_refuses_a_zone_that_does_not_exist(client, alice, zone):
    client.force_login(alice)

    page = client.post(reverse(URL), {"name": "Alice", "time_zone": zone})

    assert list(page.context["form"].errors) == ["time_zone"]


def test_profile_zone_rules_over_the_browsers(client, alice, acme):
    from datetime import UTC, datetime

    acme.created_at = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    acme.save()
    client.force_login(alice)
    client.cookies["timezone"] = "Asia/Tokyo"
    by_browser = client.get("/o/acme/settings/").text
    client.post(reverse(URL), {"name": "Alice", "time_zone": "Europe/Berlin"})

    by_profile = client.get("/o/acme/settings/").text

    assert "1 Jul 2026, 21:00 (UTC+9)" in by_browser
    assert "1 Jul 2026, 14:00 (UTC+2)" in by_profile
