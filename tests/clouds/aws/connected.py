"""A kit that stands in the strict local AWS, for the tests of that AWS itself."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clouds.aws import kit
from tests.clouds.conftest import Cloud

ROLE = "fidelity-operator"


def refusal(call: Any, *args: Any, **kwargs: Any) -> tuple[str, int]:
    """The code and HTTP status that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call(*args, **kwargs)
    return refused.value.response["Error"]["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def connected(cloud: Cloud) -> Iterator[Cloud]:
    """An account whose owner has run the kit."""
    stack = kit.create(cloud)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    if cloud.sandbox is None:
        time.sleep(15)  # real IAM needs its seconds
    yield cloud
    if cloud.sandbox is None:
        cloud.owner("cloudformation").delete_stack(StackName="fidelity")
        cloud.finish(cloud.owner("cloudformation"), stack["StackId"])


@pytest.fixture
def only_here(cloud: Cloud) -> Cloud:
    if cloud.sandbox is None:
        pytest.skip("needs the sandbox's control endpoint")
    return cloud
