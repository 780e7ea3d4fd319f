"""What the old design answers to readers: synchronous queries, relations loaded one by one.

Its readers are kinder to it than the original was: they run in FastAPI's thread pool. As asynchronous handlers, which
they were, 32 of them at once run the database pool dry with the event loop waiting for it, and nothing is answered.
"""

import os
from datetime import datetime
from typing import Annotated, Any

import jwt
from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func
from sqlalchemy.orm import Session
from tables import AnalysisResult, Bookmark, Script, Token, User, get_db

router = APIRouter()
Db = Annotated[Session, Depends(get_db)]


class Shape(BaseModel):
    """Read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)


class TokenShape(Shape):
    """A clip in a list."""

    id: int
    token_name: str
    actor_name: str
    category: str | None
    start_time: float
    end_time: float
    s3_textgrid_url: str | None
    s3_pitch_url: str | None
    s3_bgvoice_url: str | None
    thumbnail_url: str | None
    youtube_url: str
    view_count: int


class WordShape(Shape):
    """A word and its time."""

    id: int
    script_id: int
    word: str | None
    start_time: float | None
    end_time: float | None
    probability: float | None


class ScriptShape(Shape):
    """A sentence and its words."""

    id: int
    token_id: int
    start_time: float
    end_time: float
    script: str
    translation: str | None
    words: list[WordShape]


class DetailShape(TokenShape):
    """A clip and its sentences."""

    bgvoice_url: str | None = None
    pitch: Any = None
    scripts: list[ScriptShape]


class KeptToken(Shape):
    """What a bookmark shows of its clip."""

    id: int
    token_name: str
    actor_name: str
    category: str | None
    thumbnail_url: str | None
    youtube_url: str | None


class BookmarkShape(Shape):
    """A bookmark."""

    id: int
    user_id: int
    token_id: int
    created_at: datetime
    token: KeptToken


class DubbedShape(Shape):
    """A clip somebody practised."""

    token_id: int
    token_name: str
    actor_name: str
    category: str | None
    youtube_url: str | None
    last_dubbed_at: datetime
    total_scripts: int
    completed_scripts: int


class UserShape(Shape):
    """Who is signed in."""

    id: int
    email: str
    google_id: str | None
    full_name: str | None
    profile_picture: str | None
    is_active: bool
    login_type: str
    created_at: datetime
    updated_at: datetime | None


class OverviewShape(BaseModel):
    """My page."""

    user_info: UserShape
    total_bookmarks: int
    total_dubbed_tokens: int
    total_practice_count: int
    average_completion_rate: float
    recent_bookmarks: list[BookmarkShape]
    recent_dubbed_tokens: list[DubbedShape]


def current_user(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())], db: Db) -> User:
    """Whose token it is."""
    try:
        claims = jwt.decode(credentials.credentials, os.environ["JWT_SECRET_KEY"], algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "invalid token") from None
    user = db.query(User).filter(User.id == int(claims["sub"])).first()
    if user is None:
        raise HTTPException(401, "unknown user")
    return user


Me = Annotated[User, Depends(current_user)]


@router.get("/tokens/", response_model=list[TokenShape])
def tokens(db: Db, skip: int = 0, limit: int = 100) -> Any:
    """Clips."""
    return db.query(Token).offset(skip).limit(limit).all()


@router.get("/tokens/popular/", response_model=list[TokenShape])
def popular(db: Db, skip: int = 0, limit: int = 100) -> Any:
    """Clips by their views."""
    return db.query(Token).order_by(Token.view_count.desc()).offset(skip).limit(limit).all()


@router.get("/tokens/{token_id}", response_model=DetailShape)
def token_detail(token_id: int, db: Db) -> Any:
    """A clip; the words of each sentence are a query of their own."""
    token = db.query(Token).filter(Token.id == token_id).first()
    if token is None:
        raise HTTPException(404, "token not found")
    scripts = db.query(Script).filter(Script.token_id == token_id).order_by(Script.id).all()
    shown = TokenShape.model_validate(token).model_dump()
    return DetailShape(**shown, scripts=[ScriptShape.model_validate(script) for script in scripts])


@router.get("/mypage/bookmarks", response_model=list[BookmarkShape])
def bookmarks(db: Db, me: Me, limit: int = 20, offset: int = 0) -> Any:
    """Bookmarks; the clip of each is a query of its own."""
    kept = db.query(Bookmark).filter(Bookmark.user_id == me.id).order_by(Bookmark.created_at.desc())
    return kept.offset(offset).limit(limit).all()


@router.get("/mypage/overview", response_model=OverviewShape)
def overview(db: Db, me: Me) -> Any:
    """My page; what was practised is asked clip by clip."""
    kept = db.query(Bookmark).filter(Bookmark.user_id == me.id).order_by(Bookmark.created_at.desc()).all()
    dubbed = dubbed_tokens(db, me.id)
    practised = db.query(AnalysisResult).filter(AnalysisResult.user_id == me.id).count()
    results = db.query(AnalysisResult).filter(AnalysisResult.user_id == me.id).all()
    rates = [found["completion_rate"] for row in results if (found := row.result or {}).get("completion_rate")]
    return OverviewShape(
        user_info=UserShape.model_validate(me),
        total_bookmarks=len(kept),
        total_dubbed_tokens=len(dubbed),
        total_practice_count=practised,
        average_completion_rate=round(sum(rates) / len(rates), 2) if rates else 0.0,
        recent_bookmarks=[BookmarkShape.model_validate(bookmark) for bookmark in kept],
        recent_dubbed_tokens=dubbed,
    )


def dubbed_tokens(db: Session, user_id: int) -> list[DubbedShape]:
    """The clips somebody practised, newest first."""
    last = func.max(AnalysisResult.created_at)
    practised = (
        db.query(AnalysisResult.token_id, last)
        .filter(AnalysisResult.user_id == user_id)
        .group_by(AnalysisResult.token_id)
        .order_by(last.desc())
        .all()
    )
    found = []
    for token_id, last_dubbed_at in practised:
        token = db.query(Token).filter(Token.id == token_id).first()
        if token is None:
            continue
        total = db.query(Script).filter(Script.token_id == token_id).count()
        done = (
            db.query(AnalysisResult)
            .filter(AnalysisResult.user_id == user_id, AnalysisResult.token_id == token_id)
            .filter(AnalysisResult.status == "completed")
            .count()
        )
        found.append(
            DubbedShape(
                token_id=token.id,
                token_name=token.token_name,
                actor_name=token.actor_name,
                category=token.category,
                youtube_url=token.youtube_url,
                last_dubbed_at=last_dubbed_at,
                total_scripts=total,
                completed_scripts=done,
            )
        )
    return found
