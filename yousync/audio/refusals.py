"""Why bytes are no recording. To those who upload all of these are one, NotAudio; `reason` tells them apart.

NotAudio
├── UnrecognisedFormat   no container we read, or one that breaks before its first packet
├── NoAudioStream        a container without sound
├── CodecNotAllowed      sound in a codec that is not on the list
├── OddParameters        channels or a sample rate that nobody records with
└── Undecodable          packets, and no sound in any of them
"""

from __future__ import annotations

from typing import ClassVar

from yousync.errors import NotAudio


class Refusal(NotAudio):
    """One of the reasons below."""

    reason: ClassVar[str] = "unrecognised_format"


class UnrecognisedFormat(Refusal):
    """Nothing that any of our readers makes something of."""


class NoAudioStream(Refusal):
    """A container that can be read and holds no sound."""

    reason = "no_audio_stream"


class CodecNotAllowed(Refusal):
    """A codec nobody records with here."""

    reason = "codec_not_allowed"


class OddParameters(Refusal):
    """Channels, bits or a sample rate out of all reason."""

    reason = "odd_parameters"


class Undecodable(Refusal):
    """Everything inside is damaged."""

    reason = "undecodable"
