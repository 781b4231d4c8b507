"""Rows as a file that no spreadsheet takes for orders."""

import csv

import pytest

from portal.exports import csv_lines

ORDERS = ["=1+1", "see log;=1+1", 'see log;"=1+1', "first line\n=1+1", "first\tsecond\t@cmd", "\t=1", {"note": "a;+1"}, ["a\n-1", "b;=2"]]


@pytest.mark.parametrize("value", ORDERS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_begins_a_formula_whatever_the_separator(value, separator):
    text = "".join(csv_lines([("CASE-1", value)], ("case", "reason")))

    cells = [cell for row in csv.reader(text.splitlines(keepends=True), delimiter=separator) for cell in row]

    assert not [cell for cell in cells if cell.lstrip('"').startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("value", ["a = b", "2026-11-22", "x+y;z", "a; -b", "mail@acme.example", ""])
def test_other_text_stays_as_it_is(value):
    assert list(csv.reader(csv_lines([(value,)], ("reason",))))[1] == ([value] if value else [""])
