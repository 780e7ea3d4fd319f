"""The old design as a server: FastAPI, synchronous SQLAlchemy, background tasks, and streams that poll Postgres.

Written from its description, as such servers are written and with the libraries' defaults: the upload is read into
memory, its row committed, and a background task of the same process does the rest. Left out is what would only
cost it jobs: the timer that deleted anonymous jobs once a minute, running ones too.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, File, HTTPException, Request, Response, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse
from processing import process_recording
from reading import router
from sqlalchemy.orm import Session
from tables import AnalysisResult, Script, SessionLocal, get_db

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=["http://localhost:3000"],
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)

app.include_router(router)

POLL_SECONDS = 1
STREAM_SECONDS = 30
Db = Annotated[Session, Depends(get_db)]


@app.middleware("http")
async def log_requests(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Write every request down with its headers."""
    logger.info("%s %s %s", request.method, request.url, dict(request.headers))
    return await call_next(request)


@app.get("/health")
def health() -> dict[str, str]:
    """The answer monitors look for."""
    return {"status": "healthy"}


@app.post("/scripts/{script_id}/upload-audio")
async def upload_audio(
    script_id: int, background_tasks: BackgroundTasks, db: Db, file: Annotated[UploadFile, File()]
) -> dict[str, str]:
    """Take a recording of one sentence."""
    script = db.query(Script).filter(Script.id == script_id).first()
    if script is None:
        raise HTTPException(404, "script not found")
    content = await file.read()
    job_id = uuid.uuid4().hex
    db.add(
        AnalysisResult(
            job_id=job_id, token_id=script.token_id, status="processing", progress=10, message="upload started"
        )
    )
    db.commit()
    background_tasks.add_task(process_recording, job_id, script_id, content, file.filename or "audio.wav")
    return {"message": "upload started", "job_id": job_id, "status": "processing"}


@app.post("/scripts/webhook/analysis-complete")
async def analysis_complete(request: Request, job_id: str, db: Db) -> dict[str, Any]:
    """Take the result of an analysis."""
    body = await request.json()
    job = db.query(AnalysisResult).filter(AnalysisResult.job_id == job_id).first()
    if job is not None:
        job.status = "completed"
        job.progress = 100
        job.message = "analysis complete"
        job.result = body
        db.commit()
    return {"received": True, "job_id": job_id}


@app.get("/scripts/analysis-result/{job_id}")
async def analysis_result(job_id: str, db: Db) -> dict[str, Any]:
    """Read a job's row."""
    job = db.query(AnalysisResult).filter(AnalysisResult.job_id == job_id).first()
    if job is None:
        raise HTTPException(404, "job not found")
    return state(job) | {"token_id": job.token_id, "created_at": job.created_at.isoformat()}


@app.get("/scripts/analysis-progress/{job_id}")
async def analysis_progress(job_id: str) -> StreamingResponse:
    """Follow a job by asking Postgres once a second."""
    return StreamingResponse(events(job_id), media_type="text/event-stream")


async def events(job_id: str) -> AsyncIterator[str]:
    """The whole row each second, until the job has ended or half a minute is over."""
    for _ in range(STREAM_SECONDS // POLL_SECONDS):
        db = SessionLocal()
        try:
            job = db.query(AnalysisResult).filter(AnalysisResult.job_id == job_id).first()
            shown = state(job) if job is not None else {"error": "Job not found"}
        finally:
            db.close()
        yield f"data: {json.dumps(shown, ensure_ascii=False)}\n\n"
        if shown.get("status") in {None, "completed", "failed"}:
            return
        await asyncio.sleep(POLL_SECONDS)


def state(job: AnalysisResult) -> dict[str, Any]:
    """What clients are shown of a row."""
    return {
        "job_id": job.job_id,
        "status": job.status,
        "progress": job.progress,
        "message": job.message,
        "result": job.result,
    }
