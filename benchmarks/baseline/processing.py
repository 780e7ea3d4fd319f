"""What happens to a recording after the answer: S3, then the analysis server, in the web process's own memory."""

import asyncio
import io
import json
import logging
import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import httpx
from botocore.config import Config
from sqlalchemy.orm import Session
from tables import AnalysisResult, Script, SessionLocal

logger = logging.getLogger(__name__)

BUCKET = os.environ["S3_BUCKET_NAME"]
TARGET_URL = os.environ["TARGET_SERVER_URL"]
WEBHOOK_URL = os.environ["SCRIPT_WEBHOOK_URL"]

s3_client = boto3.client(
    "s3",
    endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"],
    region_name=os.environ["AWS_REGION"],
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
)


def set_progress(db: Session, job_id: str, progress: int, message: str) -> None:
    """Write how far a job is."""
    job = db.query(AnalysisResult).filter(AnalysisResult.job_id == job_id).first()
    job.progress = progress
    job.message = message
    db.commit()


async def upload_to_s3(content: bytes, key: str) -> str:
    """Store a recording, in a thread, as boto3 would block the loop."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor() as pool:
        await loop.run_in_executor(
            pool,
            lambda: s3_client.upload_fileobj(io.BytesIO(content), BUCKET, key, ExtraArgs={"ContentType": "audio/mpeg"}),
        )
    return f"s3://{BUCKET}/{key}"


async def process_recording(job_id: str, script_id: int, content: bytes, filename: str) -> None:
    """Everything between the answer and the webhook; the webhook ends the job."""
    db = SessionLocal()
    try:
        set_progress(db, job_id, 40, "uploading")
        uri = await upload_to_s3(content, f"audio/{uuid.uuid4().hex}_{filename}")
        set_progress(db, job_id, 70, "requesting analysis")
        script = db.query(Script).filter(Script.id == script_id).first()
        words = [
            {
                "id": word.id,
                "start_time": word.start_time,
                "end_time": word.end_time,
                "word": word.word,
                "mfcc": word.mfcc,
            }
            for word in script.words
        ]
        request = {
            "s3_audio_url": uri,
            "webhook_url": f"{WEBHOOK_URL}?job_id={job_id}",
            "script": {"id": script.id, "words": words},
        }
        async with httpx.AsyncClient(timeout=30) as client:
            reply = await client.post(TARGET_URL, data={"request_data": json.dumps(request, ensure_ascii=False)})
            reply.raise_for_status()
        set_progress(db, job_id, 90, "waiting for the result")
    except Exception:
        logger.exception("job %s", job_id)
    finally:
        db.close()
