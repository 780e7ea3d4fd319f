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
