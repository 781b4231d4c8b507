"""`manage.py write_kit_history`: keep what each shipped kit asks for. Run it after a kit has got a new version, and commit its files."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts import kits
from accounts.kits import history


class Command(BaseCommand):
    help = "Write accounts/kits/<cloud>/history/<version>.json and the version's main document. Earlier versions are left alone."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        for cloud in kits.KITS:
            kit = kits.load(cloud)
            kept = history.snapshot(cloud, kit.version)
            released_on = kept.released_on if kept else timezone.now().date()
            place = history.folder(cloud)
            place.mkdir(exist_ok=True)
            text = json.dumps(history.taken(kit, released_on), indent=1, ensure_ascii=False)
            (place / f"{kit.version}.json").write_text(f"{text}\n", encoding="utf-8")
            document = kit.documents[0]
            (place / f"{kit.version}.kit{Path(document.file).suffix}").write_text(document.text, encoding="utf-8")
            self.stdout.write(f"{cloud} {kit.version}: {len(kit.permissions)} permissions kept")
