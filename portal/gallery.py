"""What the component gallery shows: each component with invented data, each state once."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.brand import TEXT_RATIO, measure
from portal.templatetags.components import STATUS_ICONS

SURFACE_TOKENS = ("canvas", "surface", "sunken", "ink", "muted", "line", "control", "accent")


class SampleForm(forms.Form):
    name = forms.CharField(label=_("Name of the cloud account"), help_text=_("Shown in lists. Can be changed later."))
    region = forms.ChoiceField(label=_("Region"), choices=[("eu-west-1", "eu-west-1"), ("us-east-1", "us-east-1")])
    email = forms.EmailField(label=_("E-mail address"), required=False)
    notes = forms.CharField(label=_("Notes"), widget=forms.Textarea(attrs={"rows": 3}), required=False)
    cloud = forms.ChoiceField(
        label=_("Cloud"),
        choices=[("aws", _("AWS account")), ("gcp", _("GCP project")), ("azure", _("Azure subscription"))],
        widget=forms.RadioSelect,
        initial="aws",
    )
    agrees = forms.BooleanField(label=_("I have administrator rights in this account"), help_text=_("The kit creates two roles."))


def gallery_context() -> dict[str, Any]:
    now = timezone.now()
    return {
        "kinds": list(STATUS_ICONS),
        "tokens": SURFACE_TOKENS,
        "form": SampleForm(auto_id="blank_%s"),
        "bad_form": _bad_form(),
        "moments": {"recent": now - timedelta(minutes=3), "soon": now + timedelta(hours=4), "old": now - timedelta(days=40)},
        "lengths": [timedelta(seconds=32), timedelta(minutes=5, seconds=32), timedelta(hours=1, minutes=5), timedelta(days=2, hours=3)],
        "tabs": [
            {"label": _("Overview"), "url": "#tabs", "is_current": True},
            {"label": _("Permissions"), "url": "#tabs", "is_current": False, "count": 34},
            {"label": _("Kit"), "url": "#tabs", "is_current": False},
        ],
        "crumbs": [{"label": _("Cloud accounts"), "url": "#crumbs"}, {"label": "acme-production", "url": "#crumbs"}, {"label": _("Kit")}],
        "steps": [
            {"label": _("Start"), "url": "#steps"},
            {"label": _("Account"), "url": "#steps"},
            {"label": _("Place"), "url": "#steps"},
            {"label": _("Review"), "url": ""},
            {"label": _("Preflight"), "url": ""},
            {"label": _("Run kit"), "url": ""},
            {"label": _("Waiting"), "url": ""},
            {"label": _("Done"), "url": ""},
        ],
        "command": "aws cloudformation create-stack \\\n  --stack-name byoc-7f3k-kit \\\n  --region eu-west-1",
        "values": [3, 4, 4, 5, 4, 6, 7, 6, 8, 9, 8, 11],
        "days": [{"label": _("Day %(number)d") % {"number": day}, "kind": _day_kind(day)} for day in range(1, 91)],
        "brand_samples": [{"asked": accent, "themes": measure(accent)} for accent in ("#0F6B4F", "#FFD400", "#E11D48")],
        "text_ratio": TEXT_RATIO,
    }


def _bad_form() -> SampleForm:
    form = SampleForm({"name": "", "region": "mars-1", "email": "anna@", "cloud": "aws"}, auto_id="bad_%s")
    form.add_error(None, _("This cloud account is already connected."))
    return form


def _day_kind(day: int) -> str:
    return {41: "critical", 42: "attention", 77: "unknown"}.get(day, "neutral" if day < 20 else "ok")  # noqa: PLR2004  connected on day 20
