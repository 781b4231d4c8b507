"""The played shell runs the portal's own scripts and no other: the recovery kits are among them, though the program makes them."""

from django.core.management import call_command

from accounts.kit_links import publication
from accounts.kits.recovery import recovery_of
from tests.clouds.azure.account import SUBSCRIPTION
from tests.clouds.azure.browser import Browser
from tests.clouds.azure.played import PlayedAzure
from tests.clouds.conftest import start_sandbox

OWNER = "owner@acme.onmicrosoft.example"


def test_played_shell_runs_the_recovery_kits_that_were_written_for_it(tmp_path, monkeypatch, issuer):
    folder = tmp_path / "recovery-kits"
    own = start_sandbox("--pace", "0", "--propagation", "0", scripts=["--kit-script", str(folder)])
    try:
        for name, value in {"AWS_ENDPOINT_URL": own.customer, "AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "root"}.items():
            monkeypatch.setenv(name, value)
        call_command("publish_kits", verbosity=0)
        shell = Browser(own)
        shell.sign_in_to_shell(OWNER, SUBSCRIPTION)
        command = recovery_of("azure").command(PlayedAzure(own, issuer).target, publication("azure"))

        code, said = shell.run(command)
        assert (code, "runs the kits of this portal and nothing else" in said) == (1, True)

        call_command("write_recovery_kits", folder)
        assert "byoc-recovery.sh: OK" in shell.run(command)[1]
    finally:
        own.stop()
