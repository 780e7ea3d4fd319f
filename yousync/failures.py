"""How work behind the scenes fails, and what that means for the job: again, later, or never.

StageFailure
├── Transient   this job's own error: try again, counted against the stage's budget
├── Down        a dependency is away: wait for it, nobody's budget is spent
├── Unclear     the request may have been taken: wait for its webhook before asking again
└── Permanent   trying again cannot help: the job fails, and the learner is told why
"""

from __future__ import annotations


class StageFailure(Exception):
    """A failed attempt. `code` is stable and counted; `cause` is for operators and never shown to learners."""

    def __init__(self, code: str, cause: str = "", *, retry_after: float | None = None) -> None:
        self.code = code
        self.cause = cause[:500]
        self.retry_after = retry_after
        super().__init__(f"{code}: {self.cause}" if self.cause else code)


class Transient(StageFailure):
    """Worth another try, so many times."""


class Down(StageFailure):
    """The dependency named by `code` does not answer or asks for patience; `retry_after` is in seconds."""


class Unclear(StageFailure):
    """The connection ended after the request went out and before its reply came."""


class Permanent(StageFailure):
    """No try will end differently."""


LEARNER_MESSAGES: dict[str, str] = {
    "audio_lost": "녹음을 찾을 수 없습니다. 다시 녹음해 주세요",
    "analysis_timeout": "분석이 지연되고 있습니다. 잠시 후 다시 시도해 주세요",
    "analysis_rejected": "분석 서버가 이 녹음을 처리할 수 없습니다",
    "analysis_failed": "분석에 실패했습니다. 다시 녹음해 주세요",
    "analysis_result_invalid": "분석 결과를 읽을 수 없습니다. 잠시 후 다시 시도해 주세요",
    "analysis_error": "분석 서버에 문제가 있습니다. 잠시 후 다시 시도해 주세요",
    "audio_empty": "녹음 파일이 비어 있습니다. 다시 녹음해 주세요",
    "audio_unrecognised": "지원하지 않는 오디오 형식입니다. 다시 녹음해 주세요",
    "audio_too_long": "녹음이 너무 깁니다. 짧게 다시 녹음해 주세요",
    "unrecognised_format": "지원하지 않는 오디오 형식입니다. 다시 녹음해 주세요",
    "no_audio_stream": "파일에 소리가 없습니다. 다시 녹음해 주세요",
    "codec_not_allowed": "지원하지 않는 오디오 형식입니다. 다시 녹음해 주세요",
    "odd_parameters": "지원하지 않는 오디오 형식입니다. 다시 녹음해 주세요",
    "undecodable": "녹음 파일이 손상되었습니다. 다시 녹음해 주세요",
    "too_short": "녹음이 너무 짧습니다. 다시 녹음해 주세요",
    "too_long": "녹음이 너무 깁니다. 짧게 다시 녹음해 주세요",
    "alignment_failed": "문장을 알아듣지 못했습니다. 처음부터 끝까지 다시 녹음해 주세요",
    "never_ended": "이전 서버에서 끝나지 않은 분석입니다. 다시 녹음해 주세요",
    "no_speech": "목소리가 들리지 않습니다. 다시 녹음해 주세요",
    "preprocess_timeout": "영상 처리가 지연되고 있습니다. 잠시 후 다시 확인해 주세요",
    "preprocess_rejected": "이 영상은 처리할 수 없습니다",
    "preprocess_failed": "영상 처리에 실패했습니다",
    "preprocess_result_invalid": "영상 처리 결과를 읽을 수 없습니다",
    "preprocess_error": "영상 처리 서버에 문제가 있습니다. 잠시 후 다시 시도해 주세요",
    "background_missing": "이 클립에는 배경음이 없어 더빙을 만들 수 없습니다",
    "clip_too_long": "이 클립은 너무 길어서 더빙을 만들 수 없습니다",
    "take_unreadable": "읽을 수 없는 녹음이 있습니다. 다시 녹음해 주세요",
    "stem_unreadable": "이 클립의 음원을 읽을 수 없습니다",
    "mixing_failed": "더빙 합성에 실패했습니다. 잠시 후 다시 시도해 주세요",
    "catalogue_gone": "이 문장은 더 이상 제공되지 않습니다",
    "cancelled": "분석이 취소되었습니다",
    "deleted": "삭제된 녹음입니다",
}
"""What a learner reads about a failure; codes that are not here get the general message of their state."""
