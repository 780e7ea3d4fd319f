"""People who sign in."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class User(Model):
    """A learner or an operator; Google users are known by `google_id` (the ID token's sub), never by e-mail."""

    id = fields.IntField(primary_key=True)
    email = fields.CharField(max_length=320, unique=True)
    google_id = fields.CharField(max_length=255, unique=True, null=True)
    profile_picture = fields.TextField(null=True)
    full_name = fields.TextField(null=True)
    is_active = fields.BooleanField(default=True)
    login_type = fields.CharField(max_length=20, default="email")
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True, null=True)
    is_admin = fields.BooleanField(default=False)

    class Meta:
        table = "users"


def public_name(full_name: str | None, email: str) -> str | None:
    """The name that others may see, None for who has none: an e-mail is not one, whoever put it there."""
    return full_name if full_name and full_name.strip() and full_name.strip() != email else None


async def ensure_user(email: str, *, admin: bool = False) -> User:
    """The user with this e-mail, created if need be; `admin` grants, it never takes away.

    Safe against two callers at once: the unique e-mail decides, and the loser reads the winner's row.
    """
    user, _ = await User.get_or_create(email=email)
    if admin and not user.is_admin:
        user.is_admin = True
        await user.save(update_fields=["is_admin", "updated_at"])
    return user


async def user_id_of(name: str) -> int | None:
    """The id that `name` is, or that belongs to the e-mail it is; None for neither."""
    if name.isascii() and name.isdigit():
        return int(name) if int(name) < 2**31 else None
    user = await User.get_or_none(email=name)
    return None if user is None else user.id
