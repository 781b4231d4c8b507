"""No template lies around that nothing shows, and none is asked for that is not there."""

import re
from pathlib import Path

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = ROOT / "templates"
ALL = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file())
# Taken by name from inside a package: allauth's pages, elements and mails, Django's admin and error pages.
FRAMEWORKS = ("account/", "allauth/", "mfa/", "usersessions/", "admin/", "registration/", "django/")
ERROR_PAGES = {"400.html", "403.html", "403_csrf.html", "404.html", "429.html", "500.html", "503.html"}
# Names put together at run time, as patterns of what they can be; each pattern must match something.
COMPOSED = {
    r"accounts/connect/connect_(start|account|place|review|preflight|run|waiting|done)\.html": "one page a step of the wizard",
    r"accounts/cloud_accounts/account_(detail|trust|environment|permissions|kit|activity)\.html": "one page a tab of a cloud account",
    r"accounts/kits/kit_(update|run|waiting)\.html": "one page a step of renewing a kit",
    r"cells/instances/instance_(detail|metrics|configuration|activity)\.html": "one page a tab of an instance",
    r"cells/instances/instance_(modify|upgrade|stop|start|restart|delete|keep)\.html": "one page an act on an instance",
    r"cells/create/instance_new(_place|_settings|_check)?\.html": "one page a step of creating an instance",
    r"cells/cells/cell_(detail|metrics|resources|activity)\.html": "one page a tab of a cell",
    r"emails/[a-z_]+\.txt": "named without folder and ending in queue_mail(template=...), checked below",
}


def sources() -> str:
    code = [path for folder in ("portal", "accounts", "cells") for path in (ROOT / folder).rglob("*.py")]
    return "\n".join(path.read_text() for path in [*code, *(TEMPLATES / name for name in ALL)])


@pytest.fixture(scope="module")
def text() -> str:
    return sources()


@pytest.mark.parametrize("name", ALL)
def test_template_is_used(name, text):
    if name.startswith("emails/") and not name.startswith("emails/base"):
        assert f'"{Path(name).stem}"' in text, f"{name}: no queue_mail names it"
        return
    is_known = name in ERROR_PAGES or name.startswith(FRAMEWORKS) or any(re.fullmatch(pattern, name) for pattern in COMPOSED)
    assert is_known or f'"{name}"' in text, f"{name} is shown by nothing"


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith(FRAMEWORKS)])
def test_override_overrides_something(name):
    """A template in a framework's folder replaces one of the framework's, or belongs to our override of one."""
    from django.template.engine import Engine
    from django.template.loaders.app_directories import Loader

    packaged = [Path(source.name) for source in Loader(Engine.get_default()).get_template_sources(name)]
    ours = [path for path in TEMPLATES.rglob("*.html") if f'"{name}"' in path.read_text()]
    assert any(path.exists() for path in packaged) or ours


@pytest.mark.parametrize("name", ALL)
def test_template_compiles(name):
    assert get_template(name).template.name == name


@pytest.mark.parametrize("pattern", COMPOSED)
def test_composed_names_are_not_stale(pattern):
    assert [name for name in ALL if re.fullmatch(pattern, name)] != []


def test_no_inline_script_or_style():
    """The content security policy allows none; the browser would drop it without a word. A block of JSON is data and runs nowhere."""
    forbidden = re.compile(r"<style|\sstyle=|<script(?![^>]*(?:\ssrc=|\stype=.application/json.))|\son[a-z]+=\"|javascript:", re.IGNORECASE)
    html = [name for name in ALL if name.endswith(".html")]
    assert [name for name in html if forbidden.search((TEMPLATES / name).read_text())] == []


# --- Forms -----------------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r"""{%-? *include "([^"]+)"([^%]*)%}""")


def with_forms() -> set[str]:
    """Templates that need the token of their page: for a form of their own, or for one of what they include."""
    needing = {name for name in ALL if "{% csrf_token %}" in (TEMPLATES / name).read_text()}
    while more := {name for name in ALL for one, _words in INCLUDE.findall((TEMPLATES / name).read_text()) if one in needing} - needing:
        needing |= more
    return needing


def test_part_with_a_form_that_is_given_its_words_only_is_given_the_token_too():
    """An include with `only` hides the token, and the form that it draws is refused."""
    needing = with_forms()
    without = [
        f"{name} includes {one}"
        for name in ALL
        for one, words in INCLUDE.findall((TEMPLATES / name).read_text())
        if one in needing and " only" in words and "csrf_token=csrf_token" not in words
    ]
    assert without == []
