"""A worker that kills itself with SIGKILL while it sends a mail: `before` the mail server has it, or `after`, when nothing is noted yet.

run_until_killed("after", env=process_environment(sandbox))
"""

import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.kill import LONGEST_SECONDS, ROOT, die


def run_until_killed(point: str, *, env: Mapping[str, str]) -> None:
    """Send what is due in a process of its own until it dies there. Fails when it lives."""
    command = [sys.executable, "-m", "tests.kill_mail", point]
    done = subprocess.run(command, cwd=ROOT, env=dict(env), capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    assert done.returncode == -signal.SIGKILL, f"It was not killed {point} the mail:\n{done.stdout}\n{done.stderr}"


def main(point: str) -> None:
    import django

    django.setup()
    from django.core.mail import EmailMessage

    from accounts.mail import send_due_mails

    send = EmailMessage.send

    def send_and_die(message: EmailMessage, *given: Any) -> int:
        if point == "after":
            send(message, *given)
        die()
        return 1

    EmailMessage.send = send_and_die
    send_due_mails()


if __name__ == "__main__":
    main(*sys.argv[1:])
