"""Chart geometry."""

from portal.charts import Bar, sparkline, strip


def test_sparkline_runs_from_lowest_to_highest_inside_its_margin():
    chart = sparkline([1, 3, 2], width=106, height=26, margin=3)

    assert chart.line == "M3 23L53 3L103 13"
    assert chart.area == "M3 23L53 3L103 13L103 26L3 26Z"
    assert chart.end == (103.0, 13.0)


def test_sparkline_of_equal_values_lies_in_the_middle():
    assert sparkline([5, 5], width=26, height=20, margin=3).line == "M3 10L23 10"
    assert sparkline([0, 0], width=26, height=20, margin=3).line == "M3 17L23 17"


def test_sparkline_needs_two_values():
    assert sparkline([]) is None
    assert sparkline([4]) is None


def test_strip_places_a_bar_a_day_without_a_gap_at_the_end():
    assert strip([("Mon", "ok"), ("Tue", "critical")]) == (10, [Bar(0, "ok", "Mon"), Bar(6, "critical", "Tue")])


def test_strip_of_no_days_is_empty():
    assert strip([]) == (0, [])
