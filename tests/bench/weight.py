"""Part e: what a page of the signed-in portal makes a browser load, compressed."""

import gzip
import re
from pathlib import Path

from tests.bench.table import Report

GOALS = {"css": 40, "js": 60}


def run(report: Report) -> None:
    from django.contrib.staticfiles import finders
    from django.test import Client

    from tests.factories import make_membership, make_organisation, make_user

    organisation = make_organisation(name="Weight", slug="weight")
    user = make_membership(organisation=organisation, user=make_user(email="weight@people.example"), role="owner").user
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    page = client.get("/o/weight/instances/").content
    for kind, goal in GOALS.items():
        names = sorted(set(re.findall(rf'(?:href|src)="/static/([^"]+\.{kind})"', page.decode())))
        files = [finders.find(name) for name in names]
        size = sum(len(gzip.compress(Path(file).read_bytes(), 9)) for file in files)
        problem = "" if names and all(files) else "a file was not found"
        report.add(
            f"e. {kind.upper()} of a page, {len(names)} files, gzip",
            ours=f"{size / 1000:.1f} kB",
            ratio=f"{size / 1000 / goal:.2f} of it",
            goal=f"≤ {goal} kB",
            problem=problem,
        )
    report.add("e. the page itself, empty list, gzip", ours=f"{len(gzip.compress(page, 9)) / 1000:.1f} kB")
