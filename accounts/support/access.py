"""The gate of the provider's own support pages: the role, and a second factor proven in this session."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.sign_in import ask_for_second_factor
from accounts.support.rules.availability import is_engineer

P = ParamSpec("P")


class EngineerRequest(HttpRequest):
    """A request of a signed-in support engineer."""

    user: User


View = Callable[Concatenate[Any, P], HttpResponseBase]


def engineers_only(view: View[P]) -> Callable[..., HttpResponseBase]:
    """To everybody else these pages do not exist."""

    @wraps(view)
    def gate(request: EngineerRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not is_engineer(request.user):
            raise Http404
        refusal = _("The support desk needs a second factor. Set one up, then open it again.")
        return ask_for_second_factor(request, refusal=refusal) or view(request, *args, **kwargs)

    return gate
