"""Every shipped version is kept: what it asked for, and what changes from one to the next."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from accounts import kits
from accounts.clouds.base import PermissionProbe, Target
from accounts.kits import history, kept
from accounts.kits.history import Difference, Line, difference, is_outdated, number, snapshot, supported_until

CLOUDS = sorted(kits.KITS)
TARGET = Target(
    account="0a1b2c3d-0000-4000-8000-000000000000",
    external_id="111122223333",
    region="eu-west-1",
    suffix="0a1b2c3d-g2",
    generation=2,
    kit_version="",
    kit_hash="",
    issuer="https://id.example/trust/0a1b2c3d/g2",
    audience="",
    identity={"project_number": "123456789012", "tenant_id": "11111111-1111-4111-8111-111111111111"},
)


def of(version: str) -> Target:
    return Target(**{**vars(TARGET), "kit_version": version})


@pytest.mark.parametrize("cloud", CLOUDS)
def test_shipped_version_is_kept_as_it_is(cloud):
    """A kit that changes gets a new version, and `manage.py write_kit_history` keeps it."""
    kit = kits.load(cloud)
    kept = snapshot(cloud, kit.version)
    assert kept is not None, f"Run `manage.py write_kit_history`: {cloud} {kit.version} is not kept."
    path = history.folder(cloud) / f"{kit.version}.json"

    assert json.loads(path.read_text()) == history.taken(kit, kept.released_on), f"{cloud} {kit.version} was changed without a new version."
    (document,) = history.folder(cloud).glob(f"{kit.version}.kit.*")
    assert document.read_text() == kit.documents[0].text
    assert history.versions(cloud)[-1] == kit.version


@pytest.mark.parametrize("cloud", CLOUDS)
def test_kept_questions_are_those_of_the_kit_itself(cloud):
    kit = kits.load(cloud)
    target = of(kit.version)

    for switches in (None, {"AllowSupport": "no"}):
        assert history.probes(cloud, target, switches) == tuple(kit.probes(target, switches))
    with pytest.raises(KeyError):
        history.probes(cloud, of("0.0.1"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_permission_has_a_question(cloud):
    kept = snapshot(cloud, kits.load(cloud).version)

    assert {probe.key for probe in kept.probes} == set(kept.permissions)
    assert all(line.reason and line.limit for line in kept.permissions.values())
    assert all(isinstance(probe, PermissionProbe) for probe in kept.probes)


def test_earlier_aws_kit_is_still_known_document_by_document():
    kit = kits.load("aws")

    assert kit.keeps("1.2.0")
    assert not kit.keeps("0.0.1")
    old, new = kit.shipped(of("1.2.0")), kit.shipped(of(kit.version))
    assert old.provider == new.provider
    assert old.roles["operator"].policies != new.roles["operator"].policies


@pytest.mark.parametrize("cloud", [cloud for cloud in CLOUDS if kits.load(cloud).shipped_type])
def test_shipped_trust_is_kept_and_reads_back_as_it_was(cloud):
    kit = kits.load(cloud)
    target = replace(of(kit.version), audience=kit.audience(of(kit.version)))
    place = kept.path(cloud, kit.version)
    assert place.exists(), f"Run `manage.py write_kit_history`: the trust of {cloud} {kit.version} is not kept."

    now = json.loads(json.dumps(kept.taken(kit.shipped(kept.sample_of(kit)))))
    assert json.loads(place.read_text()) == now, f"The trust of {cloud} {kit.version} was changed without a new version."
    assert kept.shipped(kit.shipped_type, cloud, target) == normal(kit.shipped(target))
    assert not kept.keeps(cloud, "../../aws/history/1.2.0")


def normal(shipped):
    """Lists and tuples are one to the comparison: what was written down has no tuples."""
    plain = kept._plain(shipped)
    return kept._restored(type(shipped), plain)


@pytest.mark.parametrize("cloud", [cloud for cloud in CLOUDS if kits.load(cloud).shipped_type])
def test_every_kept_version_is_compared_with_its_own_trust(cloud):
    kit = kits.load(cloud)
    for version in history.versions(cloud):
        assert kit.keeps(version)
        text = str(kit.shipped(replace(of(version), audience=kit.audience(of(version)))))
        assert TARGET.suffix in text
        assert not re.search("<[a-z_0-9]+>", text)
    assert not kit.keeps("0.0.1")


def test_earlier_google_kit_had_no_builder_and_built_as_the_operator():
    old, new = (kits.load("gcp").shipped(of(version)) for version in ("1.0.0", kits.load("gcp").version))

    assert set(new.accounts) - set(old.accounts) == {"builder", "agent", "support2", "support3"}
    assert {bound.account for bound in old.bindings if bound.role.endswith("_g2_clusters")} == {"operator"}


def test_earlier_google_kit_is_asked_for_no_account_that_it_did_not_make():
    kit = kits.load("gcp")
    asked = {version: kit.forbidden_probes(of(version)) for version in ("0.0.1", "1.0.0", "1.1.0")}

    assert asked["0.0.1"] == asked["1.0.0"]
    assert {probe.role for probe in asked["1.0.0"]} == {"operator", "support"}
    assert not any("-builder@" in probe.resource for probe in asked["1.0.0"])
    assert {probe.role for probe in asked["1.1.0"]} == {"operator", "support", "builder"}
    assert any("-builder@" in probe.resource for probe in asked["1.1.0"])


def test_difference_from_one_version_to_the_next():
    changes = difference("aws", "1.2.0", "1.3.0")

    assert "eks:ListClusters" in [line.action for line in changes.added]
    assert all(line.reason.endswith(".") for line in changes.added)
    assert (changes.removed, changes.changed) == ([], [])
    back = difference("aws", "1.3.0", "1.2.0")
    assert back.removed == changes.added
    assert difference("aws", "1.3.0", "1.3.0").is_empty
    assert difference("aws", "0.0.1", "1.3.0") is None


def test_difference_names_a_changed_limit(tmp_path, monkeypatch):
    line = {"key": "a:Do", "action": "a:Do", "role": "operator", "phase": "run", "reason": "So.", "limit": "Ours."}
    for version, limit in (("1.0.0", "Ours."), ("1.10.0", "Everything.")):
        told = {"cloud": "x", "version": version, "content_hash": "", "released_on": "2026-01-01", "probes": []}
        (tmp_path / "x/history").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"x/history/{version}.json").write_text(json.dumps({**told, "permissions": [{**line, "limit": limit}]}))
    monkeypatch.setattr(history, "ROOT", tmp_path)

    assert difference("x", "1.0.0", "1.10.0") == Difference([], [], [(Line(**line), Line(**{**line, "limit": "Everything."}))])
    assert history.versions("x") == ["1.0.0", "1.10.0"]


def test_versions_are_compared_as_numbers():
    assert number("1.10.0") > number("1.9.0") > number("") == number("latest")
    assert is_outdated("aws", "1.2.0")
    assert not is_outdated("aws", kits.load("aws").version)


def test_support_ends_some_time_after_the_version_that_followed():
    following = snapshot("aws", "1.3.0").released_on

    assert supported_until("aws", "1.2.0", timedelta(days=180)) == following + timedelta(days=180)
    assert supported_until("aws", kits.load("aws").version, timedelta(days=180)) is None
