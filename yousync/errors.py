"""Every failure a caller can see: its stable code, HTTP status and titles, drawn as one tree.

    YouSyncError
    ├── BadRequest 400        MalformedBody · MalformedWebhook · BatchMismatch · JobIdsMissing · ActorExists ·
    │                         RequestPending · RequestNotRejected · GoogleTokenInvalid · EmailUnverified
    ├── Unauthenticated 401   TokenMissing · TokenInvalid (TokenReused) · TokenExpired · WebhookTokenInvalid ·
    │                         WebhookSignatureInvalid
    ├── Forbidden 403         AdminOnly · AccountDeactivated
    ├── NotFound 404          TokenNotFound · ScriptNotFound · ActorNotFound · UrlNotFound · JobNotFound ·
    │                         ResultsNotFound · ScoreNotFound · VideoRequestNotFound ·
    │                         NothingRecorded · BackgroundMissing · DubbingNotFound
    ├── UploadTooSlow 408
    ├── Conflict 409          OperationRefused · BookmarkExists · IdempotencyKeyBusy · EmailTaken
    ├── TooLarge 413          FileTooLarge · WebhookTooLarge
    ├── Unprocessable 422     ValidationFailed · EmptyAudio · NotAudio · AudioTooLong ·
    │                         IdempotencyKeyReused · NotMixable
    ├── TooManyJobs 429
    ├── TooManyStreams 429
    ├── RateLimited 429
    ├── DubbingFailed 500
    └── Unavailable 503       StagingFull · UploadsBusy · DependencyDown · SignInNotConfigured ·
                              PreprocessingNotConfigured · DubbingPending

The web layer renders them as problem+json (RFC 9457) and the OpenAPI document lists them from the same
classes, so what is documented and what is answered cannot drift apart.
"""

from __future__ import annotations

from typing import ClassVar


class YouSyncError(Exception):
    """A failure with a stable `code`, an HTTP `status`, and a title in English and Korean.

    `detail` is one sentence for people; it never carries another system's error text.
    `retry_after` is in seconds and becomes a Retry-After header.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    title_ko: ClassVar[str] = "서버 내부 오류가 발생했습니다"

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        self.detail = detail or self.title_ko
        self.retry_after = retry_after
        self.errors = errors or []
        super().__init__(self.detail)

    @property
    def in_english(self) -> str:
        """`detail`, for those who do not read Korean."""
        return self.title if self.detail == self.title_ko else self.detail


class BadRequest(YouSyncError):
    """The request as such makes no sense."""

    code = "bad_request"
    status = 400
    title = "Bad request"
    title_ko = "요청 형식이 올바르지 않습니다"


class MalformedBody(BadRequest):
    """The body is not what its content type says, or the content type is not what the route takes."""

    code = "malformed_body"
    title = "Malformed request body"
    title_ko = "요청 본문을 읽을 수 없습니다"


class BatchMismatch(BadRequest):
    """A batch needs exactly one token id for each of its files."""

    code = "batch_mismatch"
    title = "There must be one token id for each file"
    title_ko = "파일 수와 token_ids 수가 다릅니다"


class JobIdsMissing(BadRequest):
    """Nothing was asked about."""

    code = "job_ids_missing"
    title = "No job ids are given"
    title_ko = "job_ids가 필요합니다"


class MalformedWebhook(BadRequest):
    """A webhook whose body is not a JSON object, or that names no job."""

    code = "malformed_webhook"
    title = "Malformed webhook"
    title_ko = "웹훅 본문이 올바르지 않습니다"


class ActorExists(BadRequest):
    """An actor of this name is in the catalogue already."""

    code = "actor_exists"
    title = "Actor exists"
    title_ko = "이미 등록된 배우입니다"


class RequestPending(BadRequest):
    """A learner's earlier video request is under review: they may have one at a time."""

    code = "video_request_pending"
    title = "A video request is under review already"
    title_ko = "이미 심사중인 요청이 있습니다"


class RequestNotRejected(BadRequest):
    """Only rejected video requests may be removed."""

    code = "video_request_not_rejected"
    title = "Only rejected video requests may be removed"
    title_ko = "거절된 요청만 삭제할 수 있습니다"


class GoogleTokenInvalid(BadRequest):
    """An ID token that Google did not sign for us, or whose time is over: signing in with Google again helps."""

    code = "google_token_invalid"
    title = "Invalid Google ID token"
    title_ko = "구글 로그인 정보가 올바르지 않습니다"


class EmailUnverified(BadRequest):
    """Google has not seen that this account's e-mail is its owner's, so it is nobody's here."""

    code = "email_unverified"
    title = "The Google account's e-mail is not verified"
    title_ko = "이메일이 확인되지 않은 구글 계정입니다"


class Unauthenticated(YouSyncError):
    """Nobody we know: answered with `WWW-Authenticate: Bearer`."""

    code = "unauthenticated"
    status = 401
    title = "Authentication required"
    title_ko = "로그인이 필요합니다"


class TokenMissing(Unauthenticated):
    """No Authorization header where one is required."""

    code = "token_missing"


class TokenInvalid(Unauthenticated):
    """A bearer token that is malformed, forged, of another kind, or of an unknown user."""

    code = "token_invalid"
    title = "Invalid token"
    title_ko = "로그인 정보가 올바르지 않습니다"


class TokenReused(TokenInvalid):
    """An expired token that was exchanged before: two people have it, so its session has ended."""

    code = "token_reused"


class TokenExpired(Unauthenticated):
    """A genuine bearer token whose time is over; never taken for an anonymous caller."""

    code = "token_expired"
    title = "Token expired"
    title_ko = "로그인이 만료되었습니다"


class WebhookTokenInvalid(Unauthenticated):
    """A webhook without the token that was handed out with its URL; the same answer for every job id."""

    code = "webhook_token_invalid"
    title = "Webhook token missing or wrong"
    title_ko = "웹훅 토큰이 올바르지 않습니다"


class WebhookSignatureInvalid(Unauthenticated):
    """A webhook without a Standard Webhooks signature by WEBHOOK_SECRET, or with one that is too old."""

    code = "webhook_signature_invalid"
    title = "Webhook signature missing, wrong or too old"
    title_ko = "웹훅 서명이 없거나 올바르지 않거나 오래되었습니다"


class Forbidden(YouSyncError):
    """Somebody we know, who may not."""

    code = "forbidden"
    status = 403
    title = "Forbidden"
    title_ko = "권한이 없습니다"


class AdminOnly(Forbidden):
    """An operator's route, and the caller is none."""

    code = "admin_only"
    title = "Operators only"
    title_ko = "관리자만 사용할 수 있습니다"


class AccountDeactivated(Forbidden):
    """Signing in again does not help: an operator has to."""

    code = "account_deactivated"
    title = "Account deactivated"
    title_ko = "사용이 중지된 계정입니다"


class NotFound(YouSyncError):
    """No such thing."""

    code = "not_found"
    status = 404
    title = "Not found"
    title_ko = "요청한 항목을 찾을 수 없습니다"


class TokenNotFound(NotFound):
    """No clip (catalogue token) with this id."""

    code = "token_not_found"
    title = "Token not found"
    title_ko = "토큰을 찾을 수 없습니다"


class ScriptNotFound(NotFound):
    """No sentence (script) with this id."""

    code = "script_not_found"
    title = "Script not found"
    title_ko = "스크립트를 찾을 수 없습니다"


class ActorNotFound(NotFound):
    """No actor is linked to this clip."""

    code = "actor_not_found"
    title = "Actor not found"
    title_ko = "배우를 찾을 수 없습니다"


class UrlNotFound(NotFound):
    """No such video in the catalogue."""

    code = "url_not_found"
    title = "Video not found"
    title_ko = "등록되지 않은 영상입니다"


class JobNotFound(NotFound):
    """No job with this id, neither running nor stored."""

    code = "job_not_found"
    title = "Job not found"
    title_ko = "작업을 찾을 수 없습니다"


class ResultsNotFound(NotFound):
    """The caller has no results of this clip."""

    code = "results_not_found"
    title = "No results"
    title_ko = "분석 결과가 없습니다"


class ScoreNotFound(NotFound):
    """Nothing of the caller's has a score."""

    code = "score_not_found"
    title = "No score"
    title_ko = "점수가 없습니다"


class VideoRequestNotFound(NotFound):
    """No video request with this id, or somebody else's."""

    code = "video_request_not_found"
    title = "Video request not found"
    title_ko = "영상 요청을 찾을 수 없습니다"


class NothingRecorded(NotFound):
    """None of the clip's sentences has a recording by this learner."""

    code = "no_recordings"
    title = "No recordings"
    title_ko = "아직 녹음이 없습니다. 먼저 문장을 녹음해 주세요"


class BackgroundMissing(NotFound):
    """The clip has no background sound that a dubbing could be laid over."""

    code = "background_missing"
    title = "No background sound"
    title_ko = "이 클립에는 배경음이 없어 더빙을 만들 수 없습니다"


class DubbingNotFound(NotFound):
    """This learner has made no dubbing of the clip yet."""

    code = "dubbing_not_found"
    title = "Dubbing not found"
    title_ko = "아직 만든 더빙이 없습니다"


class UploadTooSlow(YouSyncError):
    """The sender fell below the minimum rate, or stopped sending."""

    code = "upload_too_slow"
    status = 408
    title = "Upload too slow"
    title_ko = "업로드 속도가 너무 느립니다"


class Conflict(YouSyncError):
    """Not as things stand."""

    code = "conflict"
    status = 409
    title = "Conflict"
    title_ko = "현재 상태에서는 처리할 수 없습니다"


class OperationRefused(Conflict):
    """An operator asked for something that the job's state does not allow; `detail` says why."""

    code = "operation_refused"
    title = "Operation refused"


class BookmarkExists(Conflict):
    """The clip is bookmarked already."""

    code = "bookmark_exists"
    title = "Bookmarked already"
    title_ko = "이미 북마크에 있습니다"


class IdempotencyKeyBusy(Conflict):
    """A request with the same Idempotency-Key is still being answered."""

    code = "idempotency_key_busy"
    title = "Idempotency-Key in use"
    title_ko = "같은 요청을 처리하고 있습니다. 잠시 후 다시 시도해 주세요"


class EmailTaken(Conflict):
    """This Google account is new to us, and its e-mail belongs to somebody who signs in with another one."""

    code = "email_taken"
    title = "The e-mail belongs to another account"
    title_ko = "다른 구글 계정으로 가입된 이메일입니다"


class TooLarge(YouSyncError):
    """The body is larger than the route takes."""

    code = "too_large"
    status = 413
    title = "Body too large"
    title_ko = "요청 크기가 너무 큽니다"


class FileTooLarge(TooLarge):
    """The recording is larger than MAX_UPLOAD_BYTES."""

    code = "file_too_large"
    title = "File too large"
    title_ko = "파일이 너무 큽니다"


class WebhookTooLarge(TooLarge):
    """The webhook body is larger than MAX_WEBHOOK_BYTES."""

    code = "webhook_too_large"


class Unprocessable(YouSyncError):
    """Well-formed, but not something that can be worked with."""

    code = "unprocessable"
    status = 422
    title = "Unprocessable content"
    title_ko = "처리할 수 없는 내용입니다"


class ValidationFailed(Unprocessable):
    """Fields are missing or wrong; `errors[]` points at each."""

    code = "validation_failed"
    title = "Validation failed"
    title_ko = "입력값을 확인해 주세요"


class EmptyAudio(Unprocessable):
    """A file of no bytes, or of a container that holds no sound."""

    code = "audio_empty"
    title = "The recording is empty"
    title_ko = "녹음 파일이 비어 있습니다"


class NotAudio(Unprocessable):
    """The content is none of the accepted audio formats, whatever its name says."""

    code = "audio_unrecognised"
    title = "Not an accepted audio format"
    title_ko = "지원하지 않는 오디오 형식입니다"


class AudioTooLong(Unprocessable):
    """More sound than MAX_AUDIO_SECONDS."""

    code = "audio_too_long"
    title = "The recording is too long"
    title_ko = "녹음이 너무 깁니다"


class IdempotencyKeyReused(Unprocessable):
    """This Idempotency-Key was sent before with another request; a new request needs a key of its own."""

    code = "idempotency_key_reused"
    title = "Idempotency-Key used for something else"
    title_ko = "이미 다른 요청에 사용된 Idempotency-Key입니다"


class NotMixable(Unprocessable):
    """No dubbing can be made of this: a recording cannot be read or is gone, or the clip is too long."""

    code = "not_mixable"
    title = "Cannot be mixed"
    title_ko = "이 녹음으로는 더빙을 만들 수 없습니다"


class TooManyJobs(YouSyncError):
    """This user or address has as many jobs in flight as allowed."""

    code = "too_many_jobs"
    status = 429
    title = "Too many jobs in flight"
    title_ko = "진행 중인 분석이 너무 많습니다. 잠시 후 다시 시도해 주세요"


class TooManyStreams(YouSyncError):
    """This address has as many streams open as a process lets it have."""

    code = "too_many_streams"
    status = 429
    title = "Too many streams"
    title_ko = "열려 있는 연결이 너무 많습니다. 잠시 후 다시 시도해 주세요"


class RateLimited(YouSyncError):
    """This user or address asks more often than its rate allows; the RateLimit headers say how often that is."""

    code = "rate_limited"
    status = 429
    title = "Too many requests"
    title_ko = "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요"


class DubbingFailed(YouSyncError):
    """Mixing went wrong again and again; asking again begins anew."""

    code = "dubbing_failed"
    title = "Dubbing failed"
    title_ko = "더빙 합성에 실패했습니다. 잠시 후 다시 시도해 주세요"


class Unavailable(YouSyncError):
    """Nothing wrong with the request: try again."""

    code = "unavailable"
    status = 503
    title = "Service unavailable"
    title_ko = "잠시 후 다시 시도해 주세요"


class StagingFull(Unavailable):
    """The budget of staged audio is used up until the upload stage catches up."""

    code = "staging_full"
    title = "Too much audio is waiting to be stored"


class UploadsBusy(Unavailable):
    """More bytes are being received at this moment than this process may hold."""

    code = "uploads_busy"
    title = "Too many uploads at once"


class DependencyDown(Unavailable):
    """Valkey, Postgres or S3 does not answer as it should."""

    code = "dependency_down"
    title = "A service behind this one is unavailable"


class PreprocessingNotConfigured(Unavailable):
    """PREPROCESS_SERVER_URL or YOUTUBE_WEBHOOK_URL is not set, so nobody makes clips of videos here."""

    code = "preprocessing_not_configured"
    title = "Preprocessing of videos is not configured"
    title_ko = "영상 처리 서버가 설정되지 않았습니다"


class SignInNotConfigured(Unavailable):
    """GOOGLE_CLIENT_ID is not set, so nobody can sign in with Google here."""

    code = "sign_in_not_configured"
    title = "Sign-in with Google is not configured"
    title_ko = "구글 로그인이 설정되지 않았습니다"


class DubbingPending(Unavailable):
    """The dubbing is still being made; the same request finds it again."""

    code = "dubbing_pending"
    title = "Dubbing under way"
    title_ko = "더빙을 합성하고 있습니다. 잠시 후 다시 시도해 주세요"
