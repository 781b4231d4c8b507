"""The exact HTML of the components: pages and fragments rely on it."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django import forms
from django.template import Context, Template, TemplateSyntaxError
from django.utils import timezone as django_timezone

from portal.templatetags.components import browser_name, elapsed, offset

NOON = datetime(2026, 11, 21, 12, 0, 11, tzinfo=UTC)


def render(source: str, **context: object) -> str:
    """The template's output with the white space between tags taken out."""
    text = " ".join(Template(source).render(Context(context)).split())
    return text.replace("> <", "><")


def render_exactly(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


# --- Leaves ----------------------------------------------------------------------------------------------------------


def test_icon_is_decorative_unless_it_has_a_label():
    assert render('{% icon "check" %}') == (
        '<svg width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round"'
        ' stroke-linejoin="round" focusable="false" class="icon icon-check" aria-hidden="true"><path d="M20 6 9 17l-5-5"/></svg>'
    )
    assert 'role="img" aria-label="Person"' in render('{% icon "user-round" 20 "Person" %}')


@pytest.mark.parametrize(
    ("kind", "drawn"),
    [
        ("ok", "circle-check"),
        ("progress", "loader-circle"),
        ("attention", "triangle-alert"),
        ("critical", "octagon-x"),
        ("neutral", "circle-minus"),
        ("unknown", "circle-question-mark"),
    ],
)
def test_badge_says_its_state_by_shape_and_word(kind, drawn):
    html = render("{% badge kind label %}", kind=kind, label="Ready & <well>")

    assert html.startswith(f'<span class="badge badge-{kind}"><svg ')
    assert f"icon-{drawn}" in html
    assert html.endswith('<span class="badge-label">Ready &amp; &lt;well&gt;</span></span>')


def test_badge_of_an_unknown_kind_is_an_error():
    with pytest.raises(TemplateSyntaxError, match="status kind 'good' is none of ok, progress"):
        render('{% badge "good" "Ready" %}')


def test_button_is_a_verb_that_submits():
    assert render('{% button "Check again" "quiet" name="act" value="check" %}') == (
        '<button type="submit" class="button button-quiet" name="act" value="check">Check again</button>'
    )
    with pytest.raises(TemplateSyntaxError, match="kind 'loud' is none of"):
        render('{% button "Check" "loud" %}')


# --- Time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ("absolute", "21 Nov 2026, 13:00 (UTC+1)"),
        ("clock", "13:00:11 (UTC+1)"),
        ("date", "21 Nov 2026"),
    ],
)
def test_when_speaks_the_readers_zone_and_keeps_utc_for_machines(style, shown):
    with django_timezone.override(ZoneInfo("Europe/Berlin")):
        assert render("{% when moment style %}", moment=NOON, style=style) == f'<time datetime="2026-11-21T12:00:11Z">{shown}</time>'


@pytest.mark.parametrize(
    ("distance", "shown"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(seconds=-20), "just now"),
        (timedelta(seconds=46), "1 minute ago"),
        (timedelta(minutes=3), "3 minutes ago"),
        (timedelta(hours=-4), "in 4 hours"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=-6), "in 6 days"),
        (timedelta(days=40), "12 Oct 2026"),
    ],
)
def test_when_relative_keeps_the_exact_time_one_key_press_away(distance, shown):
    moment = NOON - distance
    with time_machine.travel(NOON, tick=False):
        html = render('{% when moment "relative" %}', moment=moment)

    assert html.startswith(f'<time class="when" datetime="{moment:%Y-%m-%dT%H:%M:%SZ}" tabindex="0">{shown}<span class="when-exact">')
    assert html.endswith("(UTC)</span></time>")


def test_when_shows_nothing_for_no_time():
    assert render("{% when moment %}", moment=None) == ""


@pytest.mark.parametrize(("minutes", "shown"), [(0, "UTC"), (120, "UTC+2"), (-210, "UTC-3:30"), (345, "UTC+5:45"), (-30, "UTC-0:30")])
def test_offset_is_written_as_people_do(minutes, shown):
    assert offset(NOON.astimezone(timezone(timedelta(minutes=minutes)))) == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (0, "0s"),
        (32.9, "32s"),
        (timedelta(minutes=5, seconds=2), "5m 02s"),
        (3900, "1h 05m"),
        (timedelta(days=2, hours=3), "2d 3h"),
        (-5, "0s"),
        (None, ""),
    ],
)
def test_elapsed_is_short_and_exact(length, shown):
    assert elapsed(length) == shown


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin"])
def test_zone_name_says_the_offset_once(name):
    with django_timezone.override(ZoneInfo(name)), time_machine.travel(NOON, tick=False):
        expected = {"UTC": "Times in UTC", "Europe/Berlin": "Times in Europe/Berlin (UTC+1)"}[name]
        assert render("{% zone_name %}") == expected


# --- With a body -----------------------------------------------------------------------------------------------------


def test_verdict_is_one_sentence_with_its_state():
    html = render('{% verdict "critical" %}Trust is broken since {{ since }}.{% endverdict %}', since="<14:02>")

    assert html.startswith('<p class="verdict verdict-critical"><svg ')
    assert html.endswith("<span>Trust is broken since &lt;14:02&gt;.</span></p>")


def test_card_with_a_title_is_a_named_region():
    assert render('{% card title="Operator role" %}<p>Body</p>{% endcard %}') == (
        '<section class="card" aria-labelledby="card-operator-role"><h2 class="card-title" id="card-operator-role">Operator role</h2>'
        "<p>Body</p></section>"
    )


def test_card_without_a_title_is_only_a_box():
    assert render("{% card %}<p>Body</p>{% endcard %}") == '<div class="card"><p>Body</p></div>'


def test_notice_shows_title_and_body():
    html = render('{% notice "attention" title="Late" %}<p>AWS is slow.</p>{% endnotice %}')

    assert html.startswith('<div class="notice notice-attention"><svg ')
    assert html.endswith('<div class="notice-body"><p class="notice-title">Late</p><p>AWS is slow.</p></div></div>')


@pytest.mark.parametrize(("kind", "drawn"), [("empty", "inbox"), ("filtered", "search-x"), ("error", "cloud-off"), ("forbidden", "lock")])
def test_empty_looks_different_for_each_reason(kind, drawn):
    html = render('{% empty title="Nothing here" kind=kind %}<p>Why.</p>{% endempty %}', kind=kind)

    assert html.startswith(f'<div class="empty empty-{kind}"><svg ')
    assert f"icon-{drawn}" in html
    assert html.endswith('<p class="empty-title">Nothing here</p><div class="empty-body"><p>Why.</p></div></div>')


# --- With structure --------------------------------------------------------------------------------------------------


def test_copyable_is_a_selectable_field_until_a_script_shows_its_button():
    html = render('{% copyable "a&b" "Role" %}')

    assert '<input class="copyable-text" type="text" readonly value="a&amp;b" spellcheck="false" data-portal-copy-source>' in html
    assert '<span class="copyable-label">Role</span>' in html
    assert 'type="button" hidden aria-label="Copy Role" data-portal-copy-done="Copied"' in html


def test_copyable_multiline_keeps_every_byte():
    html = render_exactly('{% copyable text "Command" multiline=True %}', text="one \\\n  two")

    assert "<code data-portal-copy-source>one \\\n  two</code></pre>" in html
    assert '<pre class="copyable-text" tabindex="0" role="group" aria-label="Command">' in html


def test_copyable_joins_lines():
    html = render_exactly('{% copyable codes "Codes" multiline=True %}', codes=["one", "two"])

    assert "<code data-portal-copy-source>one\ntwo</code>" in html


def test_tabs_are_links_and_mark_this_page():
    items = [{"label": "Overview", "url": "/a/", "is_current": True}, {"label": "Kit", "url": "/b/", "is_current": False, "count": 3}]

    assert render('{% tabs items "Cloud account" %}', items=items) == (
        '<nav class="tabs" aria-label="Cloud account"><ul><li><a href="/a/" aria-current="page">Overview</a></li>'
        '<li><a href="/b/">Kit <span class="count">3</span></a></li></ul></nav>'
    )


def test_crumbs_end_at_this_page():
    assert render("{% crumbs items %}", items=[{"label": "Accounts", "url": "/a/"}, {"label": "acme"}]) == (
        '<nav class="crumbs" aria-label="Breadcrumb"><ol><li><a href="/a/">Accounts</a></li>'
        '<li><span aria-current="page">acme</span></li></ol></nav>'
    )


def test_steps_nav_counts_and_links_only_what_is_done():
    steps = [{"label": "Start", "url": "/1/"}, {"label": "Account", "url": "/2/"}, {"label": "Place", "url": "/3/"}]

    assert render("{% steps_nav steps 2 %}", steps=steps) == (
        '<nav class="steps-nav" aria-label="Progress"><p class="steps-nav-count">Step 2 of 3</p><ol>'
        '<li class="is-done"><a href="/1/">Start</a></li>'
        '<li class="is-current" aria-current="step"><span>Account</span></li>'
        '<li class="is-next"><span>Place</span></li></ol></nav>'
    )


def test_strip_says_each_day_in_words_and_as_a_table():
    days = [{"label": "Mon", "kind": "ok"}, {"label": "Tue", "kind": "critical"}]

    html = render('{% strip days "One day broken." %}', days=days)

    assert 'role="img" aria-label="One day broken."' in html
    assert '<rect class="strip-day is-critical" x="6" y="0" width="4" height="28" rx="1"><title>Tue: Failed</title></rect>' in html
    assert '<th scope="row">Tue</th>' in html


def test_sparkline_has_its_conclusion_as_text():
    assert 'role="img" aria-label="Up from 1 to 3."' in render('{% sparkline values "Up from 1 to 3." %}', values=[1, 3])
    assert render('{% sparkline values "No data yet." %}', values=[]) == '<span class="muted">No data yet.</span>'


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Safari/604", "Safari on iOS"),
        ("curl/8.5", "curl"),
        ("", "Unknown browser"),
    ],
)
def test_browser_name_is_what_people_call_it(agent, shown):
    assert browser_name(agent) == shown


# --- Forms -----------------------------------------------------------------------------------------------------------


class AccountForm(forms.Form):
    name = forms.CharField(help_text="Shown in lists.")
    notes = forms.CharField(required=False)
    cloud = forms.ChoiceField(choices=[("aws", "AWS")], widget=forms.RadioSelect)
    agrees = forms.BooleanField()
    token = forms.CharField(widget=forms.HiddenInput)


def test_form_ties_label_hint_and_error_to_the_field():
    html = render("{{ form }}", form=AccountForm({"notes": "", "cloud": "aws", "agrees": "on", "token": "t"}))

    assert (
        '<div class="field field-text has-error"><label for="id_name">Name</label>'
        '<div class="hint" id="id_name_helptext">Shown in lists.</div>'
        '<ul class="field-errors" id="id_name_error"><li>This field is required.</li></ul>'
        '<input type="text" name="name" required aria-invalid="true" aria-describedby="id_name_helptext id_name_error" id="id_name">'
    ) in html
    assert '<label for="id_notes">Notes <span class="optional">(optional)</span></label>' in html
    assert "<fieldset><legend>Cloud</legend>" in html
    assert '<div class="choice"><input type="checkbox" name="agrees" required id="id_agrees" checked><label for="id_agrees">' in html


def test_form_starts_with_a_summary_that_links_to_the_fields():
    form = AccountForm({"cloud": "aws", "agrees": "on", "token": ""})
    form.add_error(None, "Already connected.")

    html = render("{{ form }}", form=form)

    assert html.startswith('<div class="error-summary" role="alert" tabindex="-1" autofocus data-portal-focus>')
    assert (
        '<ul><li>Already connected.</li><li>This field is required.</li><li><a href="#id_name">This field is required.</a></li></ul>'
    ) in html


def test_form_leaves_the_summary_to_the_page_that_shows_its_own():
    html = render("{% error_summary form %}{{ form }}", form=AccountForm({}))

    assert html.count('class="error-summary"') == 1


def test_form_without_errors_has_no_summary():
    assert "error-summary" not in render("{{ form }}", form=AccountForm())
