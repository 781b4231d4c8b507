"""Clients of AWS: each has its own session and keys, all share one reading of the SDK's data files."""

from concurrent.futures import ThreadPoolExecutor

from botocore import UNSIGNED
from botocore.config import Config

from accounts.clouds.aws.clients import _loader, open_client

KEYS = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "s", "SessionToken": "t"}


def test_client_signs_with_the_keys_it_was_given_and_no_others(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHISMACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    client = open_client("iam", region="eu-west-1", credentials=KEYS)

    signs_with = client._request_signer._credentials
    assert (signs_with.access_key, signs_with.secret_key, signs_with.token) == ("ASIAEXAMPLE", "s", "t")


def test_client_answers_or_fails_within_seconds():
    config = open_client("sts", region="eu-west-1", config=Config(signature_version=UNSIGNED)).meta.config

    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (5, 20, 2)
    assert config.signature_version is UNSIGNED


def test_client_of_a_region_speaks_to_that_region(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    assert open_client("sts", region="eu-south-2", credentials=KEYS).meta.endpoint_url == "https://sts.eu-south-2.amazonaws.com"


def test_clients_opened_by_many_threads_at_once():
    services = ["sts", "iam", "cloudformation"] * 8

    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda service: open_client(service, region="eu-west-1", credentials=KEYS), services))

    assert [client.meta.service_model.service_name for client in opened] == services


def test_clients_leave_nothing_behind_in_what_they_share():
    open_client("sts", region="eu-west-1", credentials=KEYS)
    before = list(_loader().search_paths)

    for _turn in range(5):
        open_client("sts", region="eu-west-1", credentials=KEYS)

    assert _loader().search_paths == before
