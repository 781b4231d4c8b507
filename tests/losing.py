"""How somebody who decided about an organisation is one who may no more: another role, no membership, no sign-in."""

from accounts.models import Organisation, User

LOSSES = ("role", "membership", "sign-in")


def lose(loss: str, organisation: Organisation, user: User, *, role: str) -> None:
    """One of `LOSSES`; `role` is what is left to who loses the role alone."""
    held = organisation.memberships.filter(user=user)
    if loss == "role":
        held.update(role=role)
    elif loss == "membership":
        held.delete()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)
