"""Parts of a page that are drawn once and kept: the same for everybody who is given the same, and for nobody else."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template, TemplateSyntaxError
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from portal.templatetags.kept import is_plain
from tests.factories import make_user

SWITCH = Template('{% load kept %}{% kept "components/theme_switch.html" theme=theme themes=themes %}')
THEMES = (("light", "Light"), ("dark", "Dark"))


def switch(theme, **late):
    return SWITCH.render(Context({"theme": theme, "themes": THEMES, **late}))


def test_kept_part_follows_what_it_is_given():
    assert switch("light", csrf_token="a", path="/").index("true") < switch("dark", csrf_token="a", path="/").index("true")


def test_token_and_path_are_those_of_the_answer_and_escaped():
    first, second = switch("light", csrf_token="one", path="/a/?q=<b>"), switch("light", csrf_token="two", path="/c/")

    assert ('value="one"' in first, 'value="/a/?q=&lt;b&gt;"' in first) == (True, True)
    assert ('value="two"' in second, 'value="/c/"' in second) == (True, True)
    assert "one" not in second


def test_rows_of_the_database_are_refused():
    with pytest.raises(TemplateSyntaxError, match="may look different"):
        SWITCH.render(Context({"theme": AnonymousUser(), "themes": THEMES}))


def test_safe_text_and_the_same_text_are_one_and_escaped():
    for value in (mark_safe("<b>"), "<b>"):
        shown = SWITCH.render(Context({"theme": "x", "themes": ((value + "", "Light"),), "csrf_token": "a", "path": "/"}))
        assert 'value="&lt;b&gt;"' in shown


@pytest.mark.django_db
def test_rows_of_the_database_and_lazy_words_are_not_plain():
    values = (make_user(), gettext_lazy("Name"), ["x"], (("x", 1), (True, None)))

    assert [is_plain(value) for value in values] == [False, False, False, True]
