"""Who acted, and on what. Duck-typed on purpose: the log knows no table of people."""

from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class ActorKind(TextChoices):
    USER = "user", pgettext_lazy("kind of actor", "Person")
    STAFF = "staff", pgettext_lazy("kind of actor", "Provider staff")
    GUEST = "guest", pgettext_lazy("kind of actor", "Person with a link")
    WORKER = "worker", pgettext_lazy("kind of actor", "Worker")
    SYSTEM = "system", pgettext_lazy("kind of actor", "System")


@dataclass(frozen=True)
class Actor:
    """Who acted, as it was at that moment: a later change of name does not rewrite history."""

    kind: ActorKind
    id: str
    name: str
    email: str = ""

    @classmethod
    def user(cls, user: Any) -> "Actor":
        """A signed-in person. Reads `pk`, `name`, `email`, `is_staff` and `is_support_engineer` (the latter three where present)."""
        is_staff = getattr(user, "is_staff", False) or getattr(user, "is_support_engineer", False)
        email = getattr(user, "email", "")
        return cls(ActorKind.STAFF if is_staff else ActorKind.USER, str(user.pk), getattr(user, "name", "") or email, email)

    @classmethod
    def guest(cls, email: str, name: str = "") -> "Actor":
        """Somebody who is not signed in and came by a link that was sent to this address."""
        return cls(ActorKind.GUEST, email, name or email, email)

    @classmethod
    def worker(cls, name: str) -> "Actor":
        """A background task, by name."""
        return cls(ActorKind.WORKER, name, name)

    @classmethod
    def system(cls, name: str) -> "Actor":
        """The portal by itself: the schedule, a command."""
        return cls(ActorKind.SYSTEM, name, name)


@dataclass(frozen=True)
class Subject:
    """On what: `kind` is a code ("cloud_account"), `id` its key as text, `label` its name at that moment."""

    kind: str
    id: str
    label: str = ""
