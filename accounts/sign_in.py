"""What we hang into allauth: mails through our queue, limits that let nobody lock others out, second factors sealed at rest, sessions
on the record.

Also `step_up`: a page that asks who you are once more; and the second factor, without which no provider's page opens.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import suspend_request
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.core.internal.ratelimit import RateLimitUsage, consume
from allauth.core.internal.ratelimit import get_ip as ratelimit_ip
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRedirect

from accounts.issuer.seal import seal, unseal
from accounts.mail import queue_message
from accounts.models import User
from accounts.sessions import SessionStore
from accounts.sign_in_record import record_failed_password, record_of_person

STEP_UP_MAX_AGE = timedelta(minutes=5)
# A working day: staff and engineers prove their second factor each morning, not each page.
SECOND_FACTOR_MAX_AGE = timedelta(hours=12)
# Recovery codes stand in for one of these, and are none themselves.
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
SEEN_TO_THE = timedelta(minutes=1)
FAILED_ANYWHERE = "login_failed_anywhere"  # in ACCOUNT_RATE_LIMITS


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is untyped
    _anywhere: RateLimitUsage
    # What happened and what to do; the first two are the same whether or not there is such an account.
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _(
            "You are not signed in: the e-mail address and the password do not belong together. "
            "Check both and try again, or set a new password."
        ),
        "too_many_login_attempts": _(
            "You are not signed in: too many wrong passwords were given. Wait five minutes and try again, or set a new password."
        ),
        "incorrect_password": _("This is not the password of your account. Try again."),
        "enter_current_password": _("This is not the password you have now. Nothing was changed. Try again."),
        "duplicate_email": _("This is the address you have already. Enter another one."),
        "invalid_password_reset": _("The password was not changed: the link was used already or is too old. Ask for a new one."),
    }

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queued, so that a known and an unknown address take the same time, and a mail server that is down stops nobody."""
        site = SimpleNamespace(name=settings.PROVIDER_NAME, domain=urlsplit(settings.PORTAL_URL).netloc)
        message: EmailMessage = self.render_mail(
            template_prefix, email, {"request": self.request, "email": email, "current_site": site, "user": None} | context
        )
        queue_message(message)

    # allauth counts failures by address of the machine, and by e-mail address: the latter lets a stranger lock anybody out. So its
    # count by e-mail address becomes one by both, and a second, higher count by e-mail address alone stops guessers with many machines.

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        return f"{super()._get_login_attempts_cache_key(request, **credentials)}:{ratelimit_ip(request)}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        super().pre_authenticate(request, **credentials)
        self._anywhere = consume(request, app="allauth.account", action=FAILED_ANYWHERE, key=self._anywhere_key(request, credentials))
        if not self._anywhere:
            raise self.validation_error("too_many_login_attempts")

    def _anywhere_key(self, request: HttpRequest, credentials: dict[str, Any]) -> str:
        return str(super()._get_login_attempts_cache_key(request, **credentials))

    def _rollback_login_failed_rl_usage(self) -> None:
        super()._rollback_login_failed_rl_usage()
        self._anywhere.rollback()

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """After a password reset by mail."""
        super()._delete_login_attempts_cached_email(request, **credentials)
        ratelimit.clear(request, action=FAILED_ANYWHERE, key=self._anywhere_key(request, credentials))

    def get_reauthentication_methods(self, user: AbstractBaseUser | AnonymousUser) -> list[dict[str, Any]]:
        """Whoever has a second factor proves by it who they are: a session left open and the password are not enough."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not has_second_factor(user):
            return methods
        # A key comes before the recovery codes, an authenticator app before the key: it needs no JavaScript.
        is_last = "mfa_reauthenticate:webauthn" if is_mfa_enabled(user, [Authenticator.Type.TOTP]) else "mfa_reauthenticate"
        return sorted((one for one in methods if one["id"] != "reauthenticate"), key=lambda one: bool(one["id"] == is_last))

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failed_password(str(credentials.get("email", "")))


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth is untyped
    """TOTP secrets and recovery code seeds lie sealed in the database, under the same keys as the issuer's."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This was not accepted. Try again with the code your app shows now, an unused recovery code, or your key."),
        "cannot_generate_recovery_codes": _("Recovery codes belong to an authenticator app or a key. Set one up first."),
    }

    def encrypt(self, text: str) -> str:
        return seal(text.encode())

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text).decode()

    def _get_site_name(self) -> str:
        # The name a passkey is stored under in the browser; allauth would take the host.
        return str(settings.PROVIDER_NAME)


class SessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]  # allauth is untyped
    def end_sessions(self, sessions: Iterable[UserSession]) -> None:
        ended = list(sessions)
        super().end_sessions(ended)
        if ended:
            record_of_person("person.sessions_ended", cast(User, ended[0].user), {"count": len(ended)})


class SessionActivityMiddleware:
    """Keeps "last seen" of a session to the minute. allauth's own writes at every request, also at every poll of an open page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated and request.session.session_key:
            seen_at = cast(SessionStore, request.session).seen_at
            if seen_at is None or seen_at <= timezone.now() - SEEN_TO_THE:
                UserSession.objects.create_from_request(request)
        return self.get_response(request)


# --- Second factors --------------------------------------------------------------------------------------------------


def has_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    return user.is_authenticated and bool(is_mfa_enabled(user, SECOND_FACTORS))


def has_proven_second_factor(request: HttpRequest) -> bool:
    """Whether this session holds a second factor given within the last working day."""
    proofs = [record for record in get_authentication_records(request, request.user) if record.get("method") == "mfa"]
    return bool(proofs) and time.time() - proofs[-1]["at"] < SECOND_FACTOR_MAX_AGE.total_seconds()


def ask_for_second_factor(request: HttpRequest, *, refusal: Any) -> HttpResponseBase | None:
    """The gate of the provider's pages: None for whoever has proven one, else the way to what is missing.

    `refusal` tells whoever has none why. Raises ReauthenticationRequired for whoever has not given theirs, as `step_up` does.
    """
    if has_proven_second_factor(request):
        return None
    if htmx := getattr(request, "htmx", None):
        # The whole page asks, not a fragment of it.
        return HttpResponseClientRedirect(htmx.current_url_abs_path or "/")
    if not has_second_factor(request.user):
        messages.warning(request, refusal)
        return redirect("mfa_index")
    raise _question(request)


# --- Step-up ---------------------------------------------------------------------------------------------------------


def require_recent_authentication(request: HttpRequest, *, max_age: timedelta = STEP_UP_MAX_AGE) -> None:
    """Return when the person proved who they are within `max_age`, at sign-in or since; else send them to prove it again.

    Whoever has a second factor proves it by that one; a password counts if it was given before there was one to ask for.
    Raises ReauthenticationRequired, which allauth's middleware answers; a POST is kept in the session and carried out afterwards.
    """
    if not _is_proven(request, max_age):
        raise _question(request)


def _is_proven(request: HttpRequest, max_age: timedelta) -> bool:
    since = time.time() - max_age.total_seconds()
    fresh = [record for record in get_authentication_records(request, request.user) if record["at"] >= since]
    if any(record.get("method") == "mfa" for record in fresh):
        return True
    return bool(fresh) and not _had_second_factor(request.user, at=fresh[0]["at"])


def _question(request: HttpRequest) -> Exception:
    """As allauth does it, which by itself carries no POST out whose address has a query: what was typed would be lost."""
    methods = AccountAdapter(request).get_reauthentication_methods(request.user)
    if request.method == "POST" and request.GET and methods:
        suspend_request(request, methods[0]["url"])
        carried_out: Exception = ImmediateHttpResponse(redirect(f"{methods[0]['url']}?{urlencode({'next': request.path})}"))
        return carried_out
    plain: Exception = ReauthenticationRequired()
    return plain


def _had_second_factor(user: Any, *, at: float) -> bool:
    then = datetime.fromtimestamp(at, UTC)
    return bool(Authenticator.objects.filter(user=user, type__in=SECOND_FACTORS, created_at__lte=then).exists())


View = Callable[..., HttpResponseBase]


def step_up(view: View) -> View:
    """Decorator: a POST runs only within five minutes of a proof of identity. Put it under `requires`: strangers get their 404 first.

    Reading stays free. The POST that led to the proof is carried out after it.
    """

    @wraps(view)
    def proven(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            require_recent_authentication(request)
        return view(request, *args, **kwargs)

    return proven


def step_up_for_file(page: str) -> Callable[[View], View]:
    """`step_up` for a POST that answers with a file: the proof leads to `page`, with the same query, where the button is pressed again.

    Carried out after the proof, the file would arrive and the person would still look at the question for the password.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def proven(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not _is_proven(request, STEP_UP_MAX_AGE):
                match = request.resolver_match
                back = reverse(page, kwargs=match.kwargs if match else {})
                back += f"?{request.GET.urlencode()}" if request.GET else ""
                return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': back})}")
            return view(request, *args, **kwargs)

        return proven

    return decorate


def second_factor_first(view: View) -> View:
    """For a page that asks for the password itself: whoever has a second factor gives that before, and the page keeps no password."""
    guarded = step_up_for_file("account_change_password")(view)

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return (guarded if has_second_factor(request.user) else view)(request, *args, **kwargs)

    return asked
