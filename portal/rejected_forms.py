"""A form that was refused is shown by an address of its own: POST, then redirect, as a form that was accepted.

A page that answers a POST is kept nowhere, so Back and Reload would end at the browser's own error page. What was sent waits in the
session until it is shown, once. Not for a form with a secret in it.
"""

import hashlib

from django.forms import BaseForm
from django.http import HttpRequest, HttpResponseRedirect, QueryDict

KEY = "rejected_form"
LONGEST = 5000  # characters of one field: more than any field here takes, so what was too long is still too long


def reject(request: HttpRequest, form: BaseForm | None = None, *, to: str = "") -> HttpResponseRedirect:
    """To the page of the form, which shows it again as it was sent. `to` where that is not the address it was sent to."""
    place = to or request.get_full_path()
    sent: dict[str, list[str]] = {}
    if form is not None and isinstance(form.data, QueryDict):
        names = [form.add_prefix(name) for name in form.fields]
        sent = {name: [str(value)[:LONGEST] for value in form.data.getlist(name)] for name in names}
    request.session[KEY] = {"place": _mark(place), "sent": sent}
    return HttpResponseRedirect(place)


def sent_data(request: HttpRequest) -> QueryDict | None:
    """What a form of this page is bound to: what is sent now, or was sent and refused a moment ago; None on a page that is just opened."""
    if request.method == "POST":
        return request.POST
    kept = request.session.get(KEY)
    if not kept or kept["place"] != _mark(request.path):
        return None
    del request.session[KEY]
    data = QueryDict(mutable=True)
    for name, values in kept["sent"].items():
        data.setlist(name, values)
    return data


def _mark(place: str) -> str:
    """Some addresses open something for whoever has them: a session keeps none."""
    return hashlib.sha256(place.partition("?")[0].encode()).hexdigest()
