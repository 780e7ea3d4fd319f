"""People who sign in."""

from __future__ import annotations

from contextlib import suppress

from tortoise import fields, timezone
from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from yousync.errors import EmailTaken
from yousync.google import Account


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


async def user_of_google(account: Account) -> User:
    """The user of a Google account whose e-mail is verified: known by its `sub`, else linked by e-mail, else new.

    Only a user who signs in with no other Google account is linked. Constraints decide between several first sign-ins
    at once: whoever loses looks again. Raises EmailTaken.
    """
    for _ in range(3):
        user = await User.get_or_none(google_id=account.sub)
        if user is not None:
            return await _as_google_has_it(user, account)
        with suppress(IntegrityError):
            if (user := await _linked(account)) is not None:
                return user
            return await User.create(
                email=account.email,
                google_id=account.sub,
                full_name=account.name or None,
                profile_picture=account.picture or None,
                login_type="google",
            )
    raise EmailTaken


async def _as_google_has_it(user: User, account: Account) -> User:
    """Name and picture are Google's at each sign-in; what its token does not tell stays."""
    name, picture = account.name or user.full_name, account.picture or user.profile_picture
    if (user.full_name, user.profile_picture) != (name, picture):
        user.full_name, user.profile_picture = name, picture
        await user.save(update_fields=["full_name", "profile_picture", "updated_at"])
    return user


async def _linked(account: Account) -> User | None:
    """The user with this e-mail, who from now on signs in with this account; None when there is none to be linked."""
    user = await User.get_or_none(email=account.email, google_id=None)
    if user is None:
        return None
    linked = await User.filter(id=user.id, google_id=None).update(
        google_id=account.sub,
        login_type="google",
        full_name=user.full_name or account.name or None,
        profile_picture=account.picture or user.profile_picture,
        updated_at=timezone.now(),
    )
    return await User.get(id=user.id) if linked else None


async def user_id_of(name: str) -> int | None:
    """The id that `name` is, or that belongs to the e-mail it is; None for neither."""
    if name.isascii() and name.isdigit():
        return int(name) if int(name) < 2**31 else None
    user = await User.get_or_none(email=name)
    return None if user is None else user.id
