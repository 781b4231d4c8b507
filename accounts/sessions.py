"""What every request of a signed-in person reads first: the session, when it was last seen, and the person. Planned statements, no ORM.

What they say is believed for one request, never remembered: an ended session and a deactivated person count from the next request on.
"""

from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from accounts.models import User
from portal.planned import A_KEY, A_TEXT, A_TIME, Planned


class SessionStore(DatabaseStore):
    """Django's own, which reads with the session when allauth's record last saw it."""

    seen_at: datetime | None = None  # None also where nobody is signed in, or for the first time

    def load(self) -> dict[str, Any]:
        # PostgreSQL holds no NUL, and a cookie may hold anything.
        is_text = "\0" not in (self.session_key or "")
        rows = _session_query().rows(key=self.session_key, now=timezone.now()) if is_text else []
        if not rows:
            self._session_key = None
            return {}
        data, self.seen_at = rows[0]
        return dict(self.decode(data))


class PersonBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth is untyped
    """allauth's own. Who is deactivated, or has another password since, is nobody (Django compares the session's hash)."""

    def get_user(self, user_id: UUID) -> User | None:
        columns, query = _person_query()
        rows = query.rows(key=user_id)
        user = User.from_db("default", columns, rows[0]) if rows else None
        return user if user and self.user_can_authenticate(user) else None


@cache
def _session_query() -> Planned:
    seen = UserSession.objects.filter(session_key=OuterRef("session_key")).values("last_seen_at")
    rows = Session.objects.filter(session_key=A_TEXT, expire_date__gt=A_TIME).values_list("session_data", Subquery(seen))
    return Planned.written(rows, key=A_TEXT, now=A_TIME)


@cache
def _person_query() -> tuple[tuple[str, ...], Planned]:
    columns = tuple(field.attname for field in User._meta.concrete_fields)
    return columns, Planned.written(User.objects.filter(pk=A_KEY).values_list(*columns), key=A_KEY)
