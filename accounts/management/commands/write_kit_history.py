"""`manage.py write_kit_history`: keep what each shipped kit asks for. Run it after a kit has got a new version, and commit its files."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts import kits
from accounts.kits import history, kept


class Command(BaseCommand):
    help = "Write accounts/kits/<cloud>/history/<version>.json and the version's main document. Earlier versions are left alone."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        for cloud in kits.KITS:
            kit = kits.load(cloud)
            known = history.snapshot(cloud, kit.version)
            released_on = known.released_on if known else timezone.now().date()
            place = history.folder(cloud)
            place.mkdir(exist_ok=True)
            text = json.dumps(history.taken(kit, released_on), indent=1, ensure_ascii=False)
            (place / f"{kit.version}.json").write_text(f"{text}\n", encoding="utf-8")
            document = kit.documents[0]
            (place / f"{kit.version}.kit{Path(document.file).suffix}").write_text(document.text, encoding="utf-8")
            if kit.shipped_type is not None:
                trust = json.dumps(kept.taken(kit.shipped(kept.sample_of(kit))), indent=1, ensure_ascii=False)
                kept.path(cloud, kit.version).write_text(f"{trust}\n", encoding="utf-8")
            self.stdout.write(f"{cloud} {kit.version}: {len(kit.permissions)} permissions kept")
