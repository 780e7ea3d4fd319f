"""The old design's tables, and the synchronous sessions it reads and writes them with."""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"))
SessionLocal = sessionmaker(bind=engine, autoflush=False)


class Base(DeclarativeBase):
    """All of them."""


class User(Base):
    """Somebody who signed in."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True, index=True)
    full_name: Mapped[str | None]
    profile_picture: Mapped[str | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    login_type: Mapped[str] = mapped_column(default="email")
    google_id: Mapped[str | None] = mapped_column(unique=True, index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime | None]


class Token(Base):
    """A clip to practise on."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_name: Mapped[str]
    actor_name: Mapped[str]
    category: Mapped[str | None]
    start_time: Mapped[float]
    end_time: Mapped[float]
    s3_textgrid_url: Mapped[str | None]
    s3_pitch_url: Mapped[str | None]
    s3_bgvoice_url: Mapped[str | None]
    thumbnail_url: Mapped[str | None]
    youtube_url: Mapped[str] = mapped_column(index=True)
    view_count: Mapped[int] = mapped_column(default=0, index=True)


class Bookmark(Base):
    """A clip that somebody keeps."""

    __tablename__ = "bookmarks"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    token: Mapped[Token] = relationship()


class Script(Base):
    """A sentence of a clip."""

    __tablename__ = "scripts"
    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int]
    start_time: Mapped[float]
    end_time: Mapped[float]
    script: Mapped[str]
    translation: Mapped[str | None]
    words: Mapped[list["Word"]] = relationship(order_by="Word.id")


class Word(Base):
    """One word of a sentence."""

    __tablename__ = "words"
    id: Mapped[int] = mapped_column(primary_key=True)
    script_id: Mapped[int] = mapped_column(ForeignKey("scripts.id", ondelete="CASCADE"), index=True)
    word: Mapped[str | None]
    start_time: Mapped[float | None]
    end_time: Mapped[float | None]
    probability: Mapped[float | None]
    mfcc: Mapped[Any | None] = mapped_column(JSON)


class AnalysisResult(Base):
    """One row a job."""

    __tablename__ = "analysis_results"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(unique=True, index=True)
    token_id: Mapped[int]
    user_id: Mapped[int | None] = mapped_column(index=True)
    status: Mapped[str]
    progress: Mapped[int]
    result: Mapped[Any | None] = mapped_column(JSON)
    message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


Base.metadata.create_all(engine)


def get_db() -> Iterator[Session]:
    """A request's session."""
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
