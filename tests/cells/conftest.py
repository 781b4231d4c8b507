import pytest


@pytest.fixture
def stand(acme, alice, sandbox, monkeypatch, mailoutbox, settings, live_server):
    """Connects an account of Acme in the cloud that is named; agents of cells there reach this portal."""
    from django.utils import timezone

    from tests.cells.living import publish_plan
    from tests.factories import make_contact
    from tests.standing import Standing

    settings.AGENT_URL = live_server.url
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())

    def connect(cloud, **fields):
        if cloud == "gcp":
            publish_plan(sandbox, monkeypatch)
        return Standing(cloud, alice=alice, sandbox=sandbox, monkeypatch=monkeypatch, **{"organisation": acme, **fields})

    return connect


@pytest.fixture(scope="module")
def killer(sandbox_process, live_server, django_db_setup, django_db_blocker):
    """Workers that die where they are told to (see `tests.kill_server`)."""
    from tests import kill_server
    from tests.clouds.gcp.cells import addresses
    from tests.hands import HANDS, process
    from tests.worker import process_environment

    with django_db_blocker.unblock():
        found = [hand.environment(sandbox_process) for hand in HANDS.values()] + [addresses(process(sandbox_process))]
        more = {name: value for one in found for name, value in one.items()}
        environment = process_environment(sandbox_process, PORTAL_AGENT_URL=live_server.url, **more)
    with kill_server.running(environment) as server:
        yield server
