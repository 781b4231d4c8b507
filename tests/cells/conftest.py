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
