"""What proves the end, and who may close without a proof: seen from the side of somebody who would like it to be easier."""

from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.offboarding.actions import ask_to_close, close_with_leftovers, consent_to_leftovers
from accounts.offboarding.certificates import certificate_of
from accounts.offboarding.models import Offboarding, SignIn
from accounts.offboarding.parts import parts
from accounts.offboarding.proofs import Answer, keep, kits_to_remove
from cells.actions.cells import request_cell_deletion
from cells.models import AgentKey, CellResource, Enrolment, Instance
from portal.audit.verify_certificate import Wrong, check, check_in_log, main
from portal.operations.availability import NotAllowed
from tests.accounts.signing_in import let_proof_grow_old
from tests.cells.factories import make_cell, make_enrolment, make_instance
from tests.cells.living import newest, turn
from tests.cells.protocol.answers import refused
from tests.cells.spoken import speaker
from tests.factories import make_kit, make_membership, make_user
from tests.losing import LOSSES, lose
from tests.offboarding.guards import (
    LEFTOVER,
    make_asked_to_consent,
    make_leaving,
    make_offboarding,
    make_with_instance,
    make_with_leftover,
)
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.portal.test_admin_site import make_staff, sign_in


@pytest.mark.django_db(transaction=True)
def test_azure_identity_that_only_lost_its_role_is_no_end(stand, acme, alice, client, sandbox):
    """Entra still signs it in, so it stands and is trusted."""
    leaver = Leaver(stand("azure"), acme, alice, client, sandbox, has_cell=False)
    leaver.start()
    leaver.until_ready()
    hand = leaver.standing.hand
    for entry in hand.assignments("operator"):
        hand.account.control("DELETE", f"resources?id={entry['id']}")
    for _turn in range(2):
        turn(OFFBOARD)

    assert not SignIn.objects.refused().exists()
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")
    assert newest(OFFBOARD).waiting_why == "offboarding_kit_unclear"


@pytest.mark.django_db
def test_last_contact_of_the_account_is_the_last_sign_in_that_its_certificate_names(acme, alice):
    account = make_leaving(acme, alice)
    offboarding, kit = make_offboarding(account=account, by=alice), account.kits.get()
    for answer in (Answer(is_accepted=True, evidence="arn"), Answer(is_accepted=False, code="role_deleted")):
        keep(offboarding, kit, answer)

    assert [one.is_refused for one in SignIn.objects.order_by("asked_at", "pk")] == [False, True]
    account.refresh_from_db()
    assert account.last_contact_at == SignIn.objects.accepted().get().asked_at


@pytest.mark.django_db
def test_word_that_an_earlier_kit_was_removed_is_no_proof_of_it(acme, alice):
    account = make_leaving(acme, alice)
    said = make_kit(account=account, generation=2, state="outdated", ran_at=timezone.now(), removed_at=timezone.now())

    assert said in kits_to_remove(account)


@pytest.mark.django_db
def test_what_is_known_to_be_left_is_not_gone_because_nobody_can_look(acme, alice):
    account = make_with_leftover(acme, alice)
    account.kits.update(state="outdated")

    look = next(part for part in parts() if part.name == "resources").look(account)

    assert (look.is_gone, [one.made for one in look.obstructions]) == (False, ["vpc-1"])


@pytest.mark.django_db
def test_certificate_holds_where_an_earlier_kit_went_before_the_newest(acme, alice):
    account = make_leaving(acme, alice)
    row = make_offboarding(account=account, by=alice)
    old, new = account.kits.get(), make_kit(account=account, generation=2, state="outdated", ran_at=timezone.now())
    for kit, seconds in ((old, (10, 50)), (new, (200, 240))):
        for second in seconds:
            at = row.requested_at + timedelta(seconds=second)
            SignIn.objects.create(offboarding=row, kit=kit, asked_at=at, is_refused=True, code="provider_deleted")
    accepted = SignIn.objects.create(offboarding=row, kit=new, asked_at=row.requested_at + timedelta(seconds=100), is_refused=False)

    text, _sha256 = certificate_of(row, now=timezone.now())
    assert check(text)["totals"]["left"] == 0

    SignIn.objects.filter(pk=accepted.pk).update(asked_at=row.requested_at + timedelta(seconds=210))
    with pytest.raises(Wrong, match="Kit number 2 was accepted"):
        check(certificate_of(row, now=timezone.now())[0])


@pytest.mark.django_db
def test_consent_is_to_the_list_that_was_read_and_to_no_later_one(acme, alice, client):
    account = make_asked_to_consent(acme, alice)
    row, url = Offboarding.objects.get(account=account), f"/o/acme/accounts/{account.pk}/offboarding/consent/"
    client.force_login(alice)
    read = row.listing
    assert f'<input type="hidden" name="listed" value="{read}"' in client.get(url).text
    CellResource.objects.create(account=account, region="eu-west-1", kind="AWS::EC2::VPC", name="v", made="vpc-9", origin="tag")
    ask_to_close(row, reason="Another reason, with more left.", by=make_user(is_staff=True))

    client.post(url, {"name": "Main", "listed": read})
    assert Offboarding.objects.get().consent_by is None

    client.post(url, {"name": "Main", "listed": client.get(url).context["form"]["listed"].value()})
    assert Offboarding.objects.get().consent_by == alice


@pytest.mark.django_db
def test_whoever_asks_or_closes_for_the_provider_does_not_consent_for_the_customer(acme, alice):
    """Somebody of the provider may be an owner of a customer, too."""
    account = make_asked_to_consent(acme, alice)
    row = Offboarding.objects.get(account=account)
    with pytest.raises(NotAllowed):
        consent_to_leftovers(account, listed=row.listing, by=row.closing_asked_by)
    consent_to_leftovers(account, listed=row.listing, by=alice)
    User.objects.filter(pk=alice.pk).update(is_staff=True)

    with pytest.raises(NotAllowed, match="You have consented"):
        close_with_leftovers(row, by=User.objects.get(pk=alice.pk))
    with pytest.raises(NotAllowed, match="Ask the customer again"):
        close_with_leftovers(row, by=make_user(is_staff=True))


@pytest.mark.django_db
@pytest.mark.django_db
@pytest.mark.parametrize("loss", LOSSES)
def test_consent_of_somebody_who_is_an_owner_no_more_is_none(loss, acme, alice, charlie):
    account = make_asked_to_consent(acme, alice)
    row = Offboarding.objects.get(account=account)
    consent_to_leftovers(account, listed=row.listing, by=alice)
    lose(loss, acme, alice, role="operator")
    pat = make_user(is_staff=True)
    with pytest.raises(NotAllowed, match="is an owner no more"):
        close_with_leftovers(row, by=pat)

    make_membership(organisation=acme, user=charlie, role="owner")
    ask_to_close(row, reason="Asked anew.", by=make_user(is_staff=True))
    consent_to_leftovers(account, listed=Offboarding.objects.get().listing, by=charlie)
    close_with_leftovers(row, by=pat)
    assert Offboarding.objects.get().state == "complete"


@pytest.mark.parametrize("role", ["is_staff", "is_support_engineer", "is_superuser"])
def test_nobody_of_the_provider_consents_though_an_owner_of_the_customer(role, acme, alice, client):
    account = make_asked_to_consent(acme, alice)
    row, url = Offboarding.objects.get(account=account), f"/o/acme/accounts/{account.pk}/offboarding/consent/"
    member = make_membership(organisation=acme, role="owner", user=make_user(**{role: True})).user
    client.force_login(member)

    assert "Only people of the organisation itself consent to what is left." in client.get(url).text
    client.post(url, {"name": "Main", "listed": row.listing})

    assert Offboarding.objects.get().consent_by is None


@pytest.mark.django_db
@pytest.mark.parametrize(("asked", "consented", "closed"), [(0, 1, 0), (0, 1, 1), (0, 0, 1)])
def test_database_wants_three_people_for_a_closing_with_leftovers(asked, consented, closed, acme, alice):
    row = Offboarding.objects.get(account=make_asked_to_consent(acme, alice))
    people = [make_user(), make_user()]
    named = {"closing_asked_by": people[asked], "consent_by": people[consented], "closed_by": people[closed]}

    with pytest.raises(IntegrityError, match="offboarding_closed_by_two_with_consent"):
        Offboarding.objects.filter(pk=row.pk).update(**named)


@pytest.mark.django_db
def test_closing_with_leftovers_ends_the_access_of_every_agent(acme, alice, django_capture_on_commit_callbacks):
    """The deletion of the cell is cut short before it has come to its agent; another cell's agent has not registered yet."""
    account = make_asked_to_consent(acme, alice)
    row = Offboarding.objects.get(account=account)
    cell = make_cell(account=account, state="ready")
    make_enrolment(make_cell(account=account, state="failed", region="eu-west-2"))
    agent = speaker(cell)
    request_cell_deletion(cell, by=alice)
    assert agent.fetch_token().status_code == HTTPStatus.OK
    consent_to_leftovers(account, listed=row.listing, by=alice)

    with django_capture_on_commit_callbacks(execute=True):
        close_with_leftovers(row, by=make_user(is_staff=True))

    cell.refresh_from_db()
    assert cell.state == "failed"
    refused(agent.desired(), HTTPStatus.FORBIDDEN, "agent_revoked")
    refused(agent.fetch_token(), HTTPStatus.FORBIDDEN, "agent_revoked")
    assert not AgentKey.objects.valid().exists()
    assert not Enrolment.objects.filter(used_at=None, expires_at__gt=timezone.now()).exists()


@pytest.mark.django_db
def test_closing_asks_for_a_fresh_proof_of_identity(acme, alice, client):
    account = make_asked_to_consent(acme, alice)
    row, staff = Offboarding.objects.get(account=account), make_staff()
    sign_in(client, staff)
    let_proof_grow_old(client)
    url = reverse("admin:offboarding_offboarding_close", args=[row.pk])
    assert client.get(url).status_code == 200

    answer = client.post(url, {"ask": "1", "reason": "Taken over by whoever sat down here."})

    assert (answer.status_code, "reauthenticate" in answer.headers["Location"]) == (302, True)
    assert Offboarding.objects.get().closing_asked_by == row.closing_asked_by


@pytest.mark.django_db
def test_keeping_leftovers_asks_for_a_fresh_proof_of_identity(acme, alice, client):
    """It changes what the certificate says."""
    account = make_with_leftover(acme, alice)
    client.force_login(alice)
    let_proof_grow_old(client)

    url = reverse("cells:account_leftovers_keep", args=["acme", account.pk])
    answer = client.post(url, {"resource": LEFTOVER, "why": "Another team's", "name": "Main"})

    assert answer["Location"].startswith(reverse("account_reauthenticate"))
    assert CellResource.objects.get().outcome == "found"


@pytest.mark.django_db
def test_instance_made_after_the_list_was_read_is_shown_before_it_is_deleted(acme, alice, client):
    account = make_with_instance(acme, alice)
    url = reverse("cells:account_instances_delete", args=["acme", account.pk])
    client.force_login(alice)
    read = client.get(url).context["form"]["listed"].value()
    make_instance(cell=account.cells.get(), name="made-since", created_by=alice)

    shown = client.post(url, {"name": "Main", "listed": read}, follow=True)
    assert "The instances in this account have changed since you opened the page. Nothing was deleted." in shown.text
    assert "made-since" in shown.text
    assert not Instance.objects.filter(state="deleting").exists()

    client.post(url, {"name": "Main", "listed": shown.context["form"]["listed"].value()})
    assert Instance.objects.filter(state="deleting").count() == 2


@pytest.mark.parametrize("text", ['{"format":"byoc-offboarding/1","x":NaN}', "[" * 100_000])
def test_verifier_names_what_is_no_certificate_instead_of_breaking_off(text, tmp_path, capsys):
    (file := tmp_path / "c.json").write_text(text, encoding="utf-8")

    assert main([str(file)]) == 1
    assert "It does not hold." in capsys.readouterr().out


@pytest.mark.parametrize("line", [b"{", b"{}", b"[]", b'{"sequence": 14, "hash": null}', b"\xff"])
def test_verifier_names_a_log_that_is_none(line):
    document = {"activity": {"sequence": 1, "head": "a"}, "organisation": {"id": "x"}}
    with pytest.raises(Wrong):
        check_in_log(document, "0", [line])
