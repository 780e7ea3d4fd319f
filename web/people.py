"""People as they are shown: everything to themselves, to others neither e-mail nor account."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from models.user import User


class UserView(BaseModel):
    """An account, shown to its owner alone."""

    id: int
    email: str
    google_id: str | None
    full_name: str | None
    profile_picture: str | None
    is_active: bool
    login_type: str
    created_at: datetime
    updated_at: datetime | None

    @classmethod
    def of(cls, user: User) -> UserView:
        """This user."""
        return cls.model_validate(user, from_attributes=True)
