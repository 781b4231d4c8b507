"""What every test stands on: a PostgreSQL and a Valkey of this run alone, settings from the environment, strict guards.

The servers live in a private folder with a short name and die with pytest, however it ends. With xdist the controller starts
them once; its workers inherit the addresses and each makes a database of its own on the one server.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.embedded.postgres import OWNER, Postgres, find_binaries
from portal.embedded.process import is_alive, wait_until
from portal.embedded.valkey import BROKER, CACHE, Valkey, find_server
from tests.local_cloud import LocalCloud, running

MOST_WORKERS = 64
SCRATCH = re.compile(r"byoc-test-(\d+)-")
servers = pytest.StashKey[tuple[Path, Postgres, Valkey]]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _start_servers(config)
    # Only now: the settings read the environment when they are first touched.
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    from django.conf import settings

    from tests.undefined import UndefinedVariable

    if worker := getattr(config, "workerinput", None):
        _separate_valkey(settings, int(worker["workerid"].removeprefix("gw")) + 1)
    settings.TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = UndefinedVariable()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    _answer_at_once()


def _answer_at_once() -> None:
    """The live server sends the body of an answer without the 40 ms that the kernel else waits after its head."""
    from django.core.servers.basehttp import WSGIRequestHandler

    WSGIRequestHandler.disable_nagle_algorithm = True


def _separate_valkey(settings: Any, number: int) -> None:
    """Rate limits and queued messages of one xdist worker are nobody else's, as its database is."""
    settings.CACHES["default"]["OPTIONS"]["db"] = 2 * number + CACHE
    settings.CELERY_BROKER_URL = re.sub(r"virtual_host=\d+$", f"virtual_host={2 * number + BROKER}", settings.CELERY_BROKER_URL)
    # For the processes that tests start.
    os.environ["BROKER_URL"] = settings.CELERY_BROKER_URL
    os.environ["CACHE_URL"] = re.sub(r"db=\d+$", f"db={2 * number + CACHE}", os.environ["CACHE_URL"])


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if found := config.stash.get(servers, None):
        scratch, postgres, valkey = found
        for server in (postgres.process, valkey.process):
            if server:
                server.kill()
                server.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def _start_servers(config: pytest.Config) -> None:
    _sweep()
    scratch = Path(tempfile.mkdtemp(prefix=f"byoc-test-{os.getpid()}-", dir="/tmp"))
    postgres = Postgres(scratch / "pg", scratch / "run", find_binaries(), is_durable=False)
    valkey = Valkey(scratch / "valkey", scratch / "run", find_server(), is_durable=False, databases=2 * MOST_WORKERS)
    config.stash[servers] = (scratch, postgres, valkey)
    postgres.prepare()
    valkey.prepare()
    with (scratch / "servers.log").open("wb") as log:
        postgres.spawn(log)
        valkey.spawn(log)
    if not wait_until(lambda: postgres.is_ready() and valkey.is_ready(), 30):
        pytest.exit(f"The test servers did not start:\n{(scratch / 'servers.log').read_text()}", returncode=1)
    for name in [name for name in os.environ if name.startswith(("AWS_", "PORTAL_", "PG")) and name not in KEPT]:
        del os.environ[name]
    os.environ |= environment(postgres.url(OWNER), valkey)
    os.environ["PORTAL_STATIC_ROOT"] = tempfile.mkdtemp(dir=scratch)


# Of the caller's variables only these reach the tests.
KEPT = {"PORTAL_CHROMIUM", "PORTAL_PG_BIN", "PORTAL_VALKEY_BIN"}


def environment(database_url: str, valkey: Valkey) -> dict[str, str]:
    return {
        "PORTAL_URL": "http://localhost:8000",
        "PORTAL_ISSUER_URL": "https://id.portal.test",
        "PORTAL_PROVIDER_NAME": "Fernhill",
        "PORTAL_SUPPORT_EMAIL": "support@fernhill.example",
        "PORTAL_SECRET_KEY": "only-for-tests-" + "x" * 50,
        "PORTAL_SEAL_KEYS": "b25seS1mb3ItdGVzdHMtMDEyMzQ1Njc4OWFiY2RlZmc=",
        "PORTAL_STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        "PORTAL_KITS_BUCKET": "fernhill-kits",
        "PORTAL_DATABASE_POOL": "false",  # a pool outlives the test that filled it
        "DATABASE_URL": database_url,
        "CACHE_URL": valkey.cache_url,
        "BROKER_URL": valkey.broker_url,
        "EMAIL_URL": "memorymail://",
        # No key, profile or instance role of this machine can be found, whatever a test forgets.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _sweep() -> None:
    """Remove the folders of runs that were killed."""
    for folder in Path("/tmp").glob("byoc-test-*"):
        match = SCRATCH.match(folder.name)
        if match and not is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Rate limits, and what pages remember, begin anew with each test: whose turn comes after which is left to chance."""
    from django.core.cache import cache

    cache.clear()


# --- People every test knows: alice owns Acme, bob operates it, charlie owns Globex, a stranger to Acme ---


@pytest.fixture
def acme(db):
    from tests.factories import make_organisation

    return make_organisation(name="Acme", slug="acme")


@pytest.fixture
def alice(acme):
    return _member(acme, "alice", "owner")


@pytest.fixture
def bob(acme):
    return _member(acme, "bob", "operator")


@pytest.fixture
def charlie(db):
    from tests.factories import make_organisation

    return _member(make_organisation(name="Globex", slug="globex"), "charlie", "owner")


def _member(organisation, name, role):
    """The user, as a member. Made with the factories, which can be imported only once Django is set up."""
    from tests.factories import make_membership, make_user

    return make_membership(organisation=organisation, user=make_user(email=f"{name}@people.example", name=name.title()), role=role).user


@pytest.fixture(autouse=True)
def _forced_sign_in_is_a_proof():
    """`client.force_login` stands for a sign-in of this moment: pages that ask for a recent proof of identity take it for one.

    Whoever has a second factor gave it, too: nobody who has one is signed in without.
    """
    from allauth.mfa.models import Authenticator
    from django.contrib.auth.signals import user_logged_in

    def prove(request, user, **_):
        if "REQUEST_METHOD" not in request.META:  # only the client's own request, which came from nobody
            methods = ["password", "mfa"] if Authenticator.objects.filter(user=user).exists() else ["password"]
            request.session["account_authentication_methods"] = [{"method": method, "at": time.time()} for method in methods]
            request.session["account_authentication_methods_user"] = str(user.pk)

    user_logged_in.connect(prove)
    yield
    user_logged_in.disconnect(prove)


@pytest.fixture(autouse=True)
def _kinds_of_operation():
    """A kind that a test registers ends with it: pages list the kinds there are."""
    from portal.operations.registry import KINDS

    known = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(known)


@pytest.fixture
def mailbox(mailoutbox):
    """Mails sent, in order; queued mail is sent at once, after the transaction: wrap the act in django_capture_on_commit_callbacks."""
    from portal.celery import app

    app.conf.task_always_eager = True
    yield mailoutbox
    app.conf.task_always_eager = False


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The database refuses to empty the activity log; in a test database, and only there, transactional tests may."""
    from django.test import TransactionTestCase

    from tests.activity import let_tests_empty_the_log
    from tests.emptying import empty_quickly

    with django_db_blocker.unblock():
        let_tests_empty_the_log()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_quickly)
        yield


# --- The local AWS -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sandbox_process(live_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One local AWS for all tests of a process; it fetches the issuer's keys from the live server."""
    with running(live_server.url, tmp_path_factory.mktemp("sandbox") / "sandbox.log") as cloud:
        yield cloud


@pytest.fixture
def sandbox(sandbox_process: LocalCloud, settings: Any, monkeypatch: pytest.MonkeyPatch) -> LocalCloud:
    """An empty local AWS that the portal is configured for. The live server makes such a test's database a committed one."""
    sandbox_process.control("POST", "reset")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox_process.aws_url)
    settings.CONSOLE_URLS = {**settings.CONSOLE_URLS, "aws": sandbox_process.console_url}
    return sandbox_process
