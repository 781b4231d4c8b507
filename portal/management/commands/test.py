"""So that `manage.py help` lists it; manage.py itself starts pytest without loading Django."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.embedded.suite import run_tests


class Command(BaseCommand):
    help = "Run the tests. All arguments go to pytest."
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        run_tests(argv[2:])

    def handle(self, *_args: Any, **_options: Any) -> None:
        run_tests([])
