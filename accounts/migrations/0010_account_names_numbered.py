"""Accounts of an organisation that share a name get a number behind it; the oldest keeps its own. The constraint follows in 0011."""

from django.db import migrations

NAME_LENGTH = 80


def number_doubles(apps, schema_editor):
    """The same rows always get the same names: by age, then by id, each the lowest number that is free."""
    named = apps.get_model("accounts", "CloudAccount").objects.exclude(state__in=["offboarded"]).exclude(name="")
    rows = list(named.only("name", "organisation_id").order_by("organisation_id", "created_at", "id"))
    taken = {(row.organisation_id, row.name.lower()) for row in rows}
    seen = set()
    for row in rows:
        key = (row.organisation_id, row.name.lower())
        if key in seen:
            row.name = _free_name(row, taken)
            row.save(update_fields=["name"])
        seen.add(key)


def _free_name(row, taken):
    number = 2
    while True:
        ending = f" ({number})"
        name = row.name[: NAME_LENGTH - len(ending)] + ending
        if (row.organisation_id, name.lower()) not in taken:
            taken.add((row.organisation_id, name.lower()))
            return name
        number += 1


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_claim_kept"),
    ]

    operations = [migrations.RunPython(number_doubles, migrations.RunPython.noop)]
