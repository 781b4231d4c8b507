"""`manage.py publish_kits` on the strict local S3."""

import urllib.error
import urllib.request

import boto3
import pytest
from django.core.management import CommandError, call_command

from accounts import kits
from accounts.kits.recovery import recovery_of
from tests.accounts.aws_kit import KIT


@pytest.fixture
def provider(sandbox, settings, monkeypatch):
    """The provider's own AWS account, with keys in the environment as boto3 reads them. `settings` name its bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.customer_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "555566667777")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "root")
    settings.KITS_BUCKET, settings.KITS_REGION = "fernhill-kits", "eu-central-1"
    return boto3.Session().client("s3", region_name="eu-central-1")


def recovery_files(cloud):
    small = recovery_of(cloud)
    return small.files() if small else {}


@pytest.mark.django_db(transaction=True)
def test_publish_kits_uploads_once_and_changes_nothing_again(provider, capsys):
    call_command("publish_kits")
    first = capsys.readouterr().out.splitlines()
    call_command("publish_kits")
    again = capsys.readouterr().out.splitlines()

    keys = [KIT.object_key("template.yaml"), KIT.object_key("terraform.zip"), f"kits/aws/{KIT.version}/template.sha256"]
    every = sorted(key for cloud in kits.KITS for key in (*kits.load(cloud).files(), *recovery_files(cloud)))
    assert set(keys) <= set(every)
    assert first == [f"uploaded  fernhill-kits/{key}" for key in every]
    assert again == [f"there already  fernhill-kits/{key}" for key in every]
    assert provider.get_object(Bucket="fernhill-kits", Key=keys[0])["Body"].read().decode() == KIT.template_text


@pytest.mark.django_db(transaction=True)
def test_publish_kits_never_overwrites_what_customers_may_have_read(provider):
    call_command("publish_kits")
    provider.put_object(Bucket="fernhill-kits", Key=KIT.object_key(), Body=b"something else")

    with pytest.raises(CommandError, match=r"template\.yaml holds other content.*raise the kit's version instead"):
        call_command("publish_kits")

    assert provider.get_object(Bucket="fernhill-kits", Key=KIT.object_key())["Body"].read() == b"something else"


@pytest.mark.django_db(transaction=True)
def test_publish_kits_refuses_other_content_under_the_same_version(provider):
    call_command("publish_kits")
    provider.delete_object(Bucket="fernhill-kits", Key=KIT.object_key("template.yaml"))
    provider.put_object(Bucket="fernhill-kits", Key=f"kits/aws/{KIT.version}/template.sha256", Body=b"0" * 64)

    with pytest.raises(CommandError, match=r"template\.sha256 holds other content.*raise the kit's version instead"):
        call_command("publish_kits")

    listed = provider.list_objects_v2(Bucket="fernhill-kits")["Contents"]
    assert KIT.object_key("template.yaml") not in {entry["Key"] for entry in listed}


def fetched_by_a_page(sandbox, path, origin):
    """What a browser is answered for a page of `origin`, without any credential, and whether it lets the page see it."""
    request = urllib.request.Request(f"{sandbox.customer_url}/fernhill-kits/{path}", headers={"Origin": origin})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get("Access-Control-Allow-Origin")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers.get("Access-Control-Allow-Origin")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_lets_the_page_of_azures_portal_read_them_and_no_other(provider, sandbox):
    call_command("publish_kits")
    provider.put_object(Bucket="fernhill-kits", Key="invoices.txt", Body=b"ours")
    template = next(key for key in kits.load("azure").files() if key.endswith("kit.json"))

    assert fetched_by_a_page(sandbox, template, "https://portal.azure.com") == (200, "https://portal.azure.com")
    assert fetched_by_a_page(sandbox, template, "https://portal.azure.com.evil.example") == (200, None)
    assert fetched_by_a_page(sandbox, template, "http://portal.azure.com") == (200, None)
    assert fetched_by_a_page(sandbox, "invoices.txt", "https://portal.azure.com")[0] == 403


@pytest.mark.django_db(transaction=True)
def test_publish_kits_keeps_the_buckets_other_rules_and_mends_its_own(provider):
    theirs = {"ID": "OurShop", "AllowedOrigins": ["https://shop.fernhill.example"], "AllowedMethods": ["GET", "HEAD"]}
    changed = {"ID": "AzurePortalMayReadKits", "AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"]}
    provider.create_bucket(Bucket="fernhill-kits", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    provider.put_bucket_cors(Bucket="fernhill-kits", CORSConfiguration={"CORSRules": [changed, theirs]})

    for _time in range(2):
        call_command("publish_kits")

        ours = {"ID": "AzurePortalMayReadKits", "AllowedOrigins": ["https://portal.azure.com"], "AllowedMethods": ["GET"]}
        assert provider.get_bucket_cors(Bucket="fernhill-kits")["CORSRules"] == [theirs, ours]


def test_publish_kits_without_a_bucket_names_the_variable(settings):
    settings.KITS_BUCKET = ""

    with pytest.raises(CommandError, match="Set PORTAL_KITS_BUCKET"):
        call_command("publish_kits")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_into_somebody_elses_bucket_says_so(provider, monkeypatch):
    provider.create_bucket(Bucket="fernhill-kits", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "888899990000")

    with pytest.raises(
        CommandError, match=r"S3 refused: .*Check the credentials of this command, and that bucket fernhill-kits in eu-central-1 is yours"
    ):
        call_command("publish_kits")


@pytest.mark.django_db(transaction=True)
def test_publish_kits_without_credentials_says_so(sandbox, settings, monkeypatch):
    settings.KITS_BUCKET = "fernhill-kits"

    with pytest.raises(CommandError, match=r"Unable to locate credentials.*Check the credentials of this command"):
        call_command("publish_kits")
