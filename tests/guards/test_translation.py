"""Every word a person reads goes through gettext.

Two looks at it: a scan of all templates for text outside translation tags, and pages rendered under a pseudo language whose
every translated character is accented and which is 60 % longer: plain English left on such a page was never translated.
"""

import gettext
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation import trans_real

from accounts.access import Role
from tests.factories import make_membership, make_organisation, make_user

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.*") if path.suffix in (".html", ".txt"))

# --- The scan --------------------------------------------------------------------------------------------------------

TRANSLATED = re.compile(r"{%\s*(blocktranslate|blocktrans)\b.*?{%\s*end\1\s*%}", re.DOTALL)
COMMENT = re.compile(r"{#.*?#}|{%\s*comment\b.*?{%\s*endcomment\s*%}|<!--.*?-->", re.DOTALL)
TEMPLATE_TAG = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
READ_ATTRIBUTES = {"alt", "title", "placeholder", "aria-label", "content-label", "data-label"}
# What machines say: names, identifiers, commands, logs.
MACHINE_TAGS = {"script", "style", "code", "samp", "pre"}
MACHINE_CLASS = "mono"
VOID_TAGS = {"area", "br", "hr", "img", "input", "link", "meta", "rect", "path", "circle"}
# Marks and names that are the same in every language.
SAME_EVERYWHERE = re.compile(r"\b(AWS|GCP|Azure|SHA-256|JSON|IAM|UTC|arn|nbsp|rsaquo|hellip|amp)\b")
LETTERS = re.compile(r"[A-Za-z]{2,}")
# Blocks whose text is a class or an address, not words.
CLASS_BLOCK = re.compile(r"{%\s*block (body_class|bodyclass|coltype|favicon)\s*%}.*?{%\s*endblock\b.*?%}", re.DOTALL)


class Words(HTMLParser):
    """Collects what a person reads: text between tags and the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._inside: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        if tag not in VOID_TAGS:
            self._inside.append((tag, tag in MACHINE_TAGS or MACHINE_CLASS in classes))
        self.found += [value for name, value in attrs if name in READ_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        # Tags opened in one branch of an {% if %} may close in another: drop to the nearest of this name.
        while self._inside and any(tag == name for name, _ in self._inside):
            if self._inside.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if not any(is_machine for _, is_machine in self._inside):
            self.found.append(data)


def untranslated(source: str) -> list[str]:
    for pattern in (COMMENT, TRANSLATED, CLASS_BLOCK, TEMPLATE_TAG):
        source = pattern.sub(" ", source)
    words = Words()
    words.feed(source)
    return [text.strip() for text in words.found if _is_english(text)]


def _is_english(text: str) -> bool:
    return bool(LETTERS.search(SAME_EVERYWHERE.sub("", text)))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_template_translates_every_text(path: Path) -> None:
    assert untranslated(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>Hello there</p>", ["Hello there"]),
        ('<p>{% translate "Hello there" %}</p>', []),
        ("<p>{% blocktranslate trimmed %}Hello <b>there</b>{% endblocktranslate %}</p>", []),
        ('<img alt="A chart">', ["A chart"]),
        ('<p class="muted">{{ name }}</p>', []),
        ('<dd class="mono">byoc-7f3k-kit</dd>', []),
        ("<script>const notRead = true;</script>", []),
    ],
)
def test_scan_finds_text_outside_translation(source: str, expected: list[str]) -> None:
    assert untranslated(source) == expected


# --- The pseudo language ---------------------------------------------------------------------------------------------

ACCENTS = str.maketrans("aceinosuyACEINOSUY", "áçéíñóšúýÁÇÉÍÑÓŠÚÝ")
PLACEHOLDER = re.compile(r"%\(\w+\)[0-9.]*[sdif]|%%|<[^>]+>|&\w+;|{\w+}")
PSEUDO = "en-xa"


def pseudo(text: str) -> str:
    """The text with accents, 60 % longer, its placeholders and markup untouched."""
    parts, last = [], 0
    for match in PLACEHOLDER.finditer(text):
        parts += [text[last : match.start()].translate(ACCENTS), match[0]]
        last = match.end()
    parts.append(text[last:].translate(ACCENTS))
    return "⟦" + "".join(parts) + "·" * round(len(text) * 0.6) + "⟧" if LETTERS.search(text) else text


class PseudoCatalog(gettext.NullTranslations):
    """Answers every message with its pseudo form, except the formats that `date` reads."""

    def gettext(self, message: str) -> str:
        context, separator, text = message.rpartition("\x04")  # how Django hands over pgettext
        return text if separator and context.endswith("format") else pseudo(text)

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)

    def to_language(self) -> str:
        return PSEUDO


@pytest.fixture
def pseudo_language(settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    catalog = PseudoCatalog()
    catalog._catalog = {}  # type: ignore[attr-defined]  # Django looks whether a language is loaded by it
    monkeypatch.setattr(trans_real, "translation", lambda language: catalog)
    monkeypatch.setattr(trans_real, "get_language_from_request", lambda request, check_path=False: "en")
    previous = getattr(trans_real._active, "value", None)
    yield
    trans_real._active.value = previous
    if previous is None:
        del trans_real._active.value


PUBLIC_PAGES = ("/auth/login/", "/auth/signup/", "/auth/password/reset/", "/auth/password/reset/done/", "/no/such/page/")
READ_TEXT = re.compile(r">([^<>]+)<")
# Names, and what the gallery shows as output of machines.
NAMES = re.compile(r"Fernhill|support@fernhill\.example|[\w.+-]+@[\w.-]+|⟦[^⟧]*⟧|UTC|acme-production")


def plain_english(html: str) -> list[str]:
    body = re.sub(r"<(script|style|svg|code|pre|title)\b.*?</\1>", " ", html, flags=re.DOTALL)
    body = re.sub(r'<(\w+)[^>]*class="[^"]*\bmono\b[^"]*"[^>]*>.*?</\1>', " ", body, flags=re.DOTALL)
    body = re.sub(
        r'<option value="\w[^"]*/[^"]+".*?</option>|<option value="([^"]+)"[^>]*>\1</option>', " ", body
    )  # regions, time zones: names
    body = re.sub(r"</?(strong|b|a|span)\b[^>]*>", "", body)
    texts = [NAMES.sub("", text.replace("\n", " ")).strip() for text in READ_TEXT.findall(re.sub(r"⟦[^⟧]*⟧", "", body))]
    return [text for text in texts if LETTERS.search(SAME_EVERYWHERE.sub("", text))]


@pytest.mark.django_db
@pytest.mark.usefixtures("pseudo_language")
@pytest.mark.parametrize("path", PUBLIC_PAGES)
def test_public_page_is_translated_whole(path: str) -> None:
    html = Client().get(path).content.decode()

    assert "⟦" in html
    assert plain_english(html) == []


SIGNED_IN_PAGES = (
    "/gallery/",
    "/o/acme/",
    "/o/acme/accounts/",
    "/o/acme/accounts/connect/",
    "/o/acme/cells/",
    "/o/acme/instances/",
    "/o/acme/instances/new/",
    "/o/acme/operations/",
    "/o/acme/activity/",
    "/o/acme/settings/",
    "/o/acme/settings/members/",
    "/o/acme/settings/contacts/",
    "/organisations/new/",
    "/profile/",
    "/auth/email/",
    "/auth/password/change/",
    "/auth/2fa/",
    "/auth/sessions/",
    "/no/such/page/",
)


@pytest.mark.django_db
@pytest.mark.usefixtures("pseudo_language")
@pytest.mark.parametrize("path", SIGNED_IN_PAGES)
def test_signed_in_page_is_translated_whole(client: Client, path: str) -> None:
    user = make_user(name="⟦Alice⟧", is_staff=True)
    make_membership(user=user, organisation=make_organisation(name="⟦Acme⟧", slug="acme"), role=Role.OWNER)
    client.force_login(user)

    html = client.get(path, follow=True).content.decode()

    assert "⟦" in html
    assert plain_english(html) == []


def test_pseudo_text_is_longer_and_keeps_placeholders() -> None:
    assert pseudo("Copy %(label)s") == "⟦Çópý %(label)s········⟧"
    assert pseudo("%(hours)d:%(minutes)02d") == "⟦%(hours)d:%(minutes)02d··············⟧"
