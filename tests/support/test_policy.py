"""Opening hours across zones and clock changes, and what they mean for a grant; who may change a policy, and when it counts."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.access import Role
from accounts.support.actions.policies import confirm_change, set_policy
from accounts.support.models import AccessPolicy, PolicyChange
from accounts.support.models.policies import Mode
from accounts.support.rules.policy import is_looser, opening_for, policy_of, values_of, with_values
from accounts.support.rules.windows import Hours
from accounts.support.states import AccessState
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.factories import make_membership
from tests.support.factories import make_active, make_approver, make_request

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Hours(frozenset({0, 1, 2, 3, 4}), time(8), time(18), "Europe/Berlin")
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  Hypothesis wants its bounds so
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0, fold=0))
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe", "UTC"])


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        (datetime(2026, 11, 20, 7, 59, tzinfo=BERLIN), False),
        (datetime(2026, 11, 20, 8, 0, tzinfo=BERLIN), True),
        (datetime(2026, 11, 20, 17, 59, tzinfo=BERLIN), True),
        (datetime(2026, 11, 20, 18, 0, tzinfo=BERLIN), False),
        (datetime(2026, 11, 21, 12, 0, tzinfo=BERLIN), False),
    ],
)
def test_office_hours(local, is_open):
    assert (OFFICE.around(local.astimezone(UTC)) is not None) == is_open


def test_night_hours_belong_to_the_evening_they_begin_on():
    night = Hours(frozenset({4}), time(22), time(6), "Europe/Berlin")
    assert night.around(datetime(2026, 11, 21, 5, 0, tzinfo=BERLIN))
    assert night.around(datetime(2026, 11, 20, 5, 0, tzinfo=BERLIN)) is None


@given(st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES, ZONES, MOMENTS)
@settings(max_examples=300, deadline=None)
def test_next_opening_is_open_and_never_in_the_past(days, opens, closes, zone, moment):
    hours = Hours(days, opens, closes, zone)
    begins, ends = hours.next_after(moment)
    inside = max(begins, moment)
    assert begins < ends
    assert ends > moment
    assert hours.around(inside) is not None
    assert inside - moment <= timedelta(days=9)
    if hours.around(moment):
        assert inside == moment


def policy(**fields) -> AccessPolicy:
    office = {"days": [0, 1, 2, 3, 4], "opens": time(8), "closes": time(18), "zone": "Europe/Berlin"}
    return AccessPolicy(**office | fields)


def test_other_times_wait_or_are_refused():
    saturday = datetime(2026, 11, 21, 12, 0, tzinfo=BERLIN)
    assert opening_for(policy(outside="refuse"), saturday) is None
    begins, ends = opening_for(policy(outside="wait"), saturday)
    assert (begins, ends) == (datetime(2026, 11, 23, 8, 0, tzinfo=BERLIN), datetime(2026, 11, 23, 18, 0, tzinfo=BERLIN))
    assert opening_for(policy(days=[], opens=None, closes=None), saturday) == (saturday, None)


@given(st.frozensets(st.integers(0, 6)), st.frozensets(st.integers(0, 6)), TIMES, TIMES, TIMES, TIMES, MOMENTS)
@settings(max_examples=300, deadline=None)
def test_what_is_not_looser_is_never_open_when_the_old_was_closed(old_days, new_days, a, b, c, d, moment):
    def made(days, opens, closes):
        return policy(days=sorted(days), opens=opens if days else None, closes=closes if days else None, outside="refuse")

    old, new = made(old_days, a, b), made(new_days, c, d)
    if not is_looser(new, old) and opening_for(new, moment):
        assert opening_for(old, moment)


def test_values_come_back_as_they_were():
    assert values_of(with_values(policy(), values_of(policy()))) == values_of(policy())


# --- Changes ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_tightening_is_instant_and_loosening_waits_for_a_second_owner(client, acme):
    one, two = (make_membership(organisation=acme, role=Role.OWNER) for _ in range(2))
    values = values_of(policy_of(acme))
    assert set_policy(organisation=acme, values=values | {"longest_minutes": 60}, by=one) is None
    assert policy_of(acme).longest_minutes == 60
    change = set_policy(organisation=acme, values=values | {"longest_minutes": 120}, by=one)
    assert policy_of(acme).longest_minutes == 60
    with pytest.raises(NotAllowed, match="Another owner"):
        confirm_change(change, by=one)
    confirm_change(change, by=two)
    assert policy_of(acme).longest_minutes == 120
    with pytest.raises(NotAllowed, match="does not wait"):
        confirm_change(change, by=two)


LOOSER = {
    "mode": "one",
    "longest_minutes": 481,
    "decide_hours": 73,
    "days": [0, 1, 2],
    "opens": "07:00",
    "closes": "19:00",
    "zone": "Europe/Paris",
    "outside": "wait",
    "allows_direct": True,
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", LOOSER)
def test_each_loosening_waits(name, acme):
    hours = {"days": [0, 1], "opens": "08:00", "closes": "18:00", "zone": "Europe/Berlin", "outside": "refuse"}
    owner = make_membership(organisation=acme, role=Role.OWNER)
    set_policy(organisation=acme, values=values_of(policy_of(acme)) | hours, by=owner)
    before = values_of(policy_of(acme))

    change = set_policy(organisation=acme, values=before | {name: LOOSER[name]}, by=owner)

    assert change is not None
    assert values_of(policy_of(acme)) == before


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(LOOSER) - {"mode"}))
def test_nothing_looser_comes_into_force_beside_off(name, acme):
    """It would be valid unseen, once a second owner confirms that access is switched on again."""
    hours = {"days": [0, 1], "opens": "08:00", "closes": "18:00", "zone": "Europe/Berlin", "outside": "refuse"}
    one, two = (make_membership(organisation=acme, role=Role.OWNER) for _ in range(2))
    set_policy(organisation=acme, values=values_of(policy_of(acme)) | hours, by=one)
    before = values_of(policy_of(acme))
    wide = before | {name: LOOSER[name]}

    assert set_policy(organisation=acme, values=wide | {"mode": "off"}, by=one) is None
    assert values_of(policy_of(acme)) == before | {"mode": "off"}  # at once, and that alone

    change = set_policy(organisation=acme, values=wide | {"mode": "off"}, by=one)
    assert change is not None  # off already: there is no hurry
    change = set_policy(organisation=acme, values=wide, by=one)
    asked = Event.objects.filter(action="support.policy_change_asked").order_by("sequence").last()
    assert set(asked.details) == {"mode", name}
    confirm_change(change, by=two)
    assert values_of(policy_of(acme)) == wide


@pytest.mark.django_db
def test_what_is_tighter_comes_into_force_with_off(acme):
    owner = make_membership(organisation=acme, role=Role.OWNER)
    values = values_of(policy_of(acme)) | {"mode": "off", "longest_minutes": 30}
    assert set_policy(organisation=acme, values=values, by=owner) is None
    assert values_of(policy_of(acme)) == values


@pytest.mark.django_db
def test_off_ends_what_was_granted_and_refuses_what_is_asked(acme):
    person = make_approver(acme, role=Role.OWNER)
    request = make_active(organisation=acme, approvers=[person])
    set_policy(organisation=acme, values=values_of(policy_of(acme)) | {"mode": Mode.OFF}, by=person)

    request.refresh_from_db()
    assert (request.state, request.ends_as) == (AccessState.ENDING, AccessState.REVOKED)
    with pytest.raises(NotAllowed, match="switched support access off"):
        make_request(organisation=acme)


@pytest.mark.django_db
def test_confirming_an_overtaken_change_is_refused(acme):
    one, two = (make_membership(organisation=acme, role=Role.OWNER) for _ in range(2))
    values = values_of(policy_of(acme))
    change = set_policy(organisation=acme, values=values | {"longest_minutes": 960}, by=one)
    set_policy(organisation=acme, values=values | {"longest_minutes": 30}, by=two)
    with pytest.raises(NotAllowed, match="does not wait"):
        confirm_change(PolicyChange.objects.get(pk=change.pk), by=two)
    assert policy_of(acme).longest_minutes == 30
