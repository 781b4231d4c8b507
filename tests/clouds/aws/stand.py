"""A cell's stand in the strict local AWS."""

import pytest

from tests.clouds.aws.cells import AwsCellStand
from tests.clouds.conftest import Cloud, SandboxProcess


@pytest.fixture
def stand(cloud: Cloud, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> AwsCellStand:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.portal)
    return AwsCellStand(cloud)
