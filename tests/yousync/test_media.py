"""A stored location means an object of a bucket that is ours to read, or is only a link."""

from __future__ import annotations

import pytest

from yousync.media import Link, S3Object, located


@pytest.mark.parametrize(
    ("stored", "bucket", "key"),
    [
        ("pitch/36.json", "ours", "pitch/36.json"),
        ("/pitch/36.json", "ours", "pitch/36.json"),
        ("미나/한글 이름.json", "ours", "미나/한글 이름.json"),
        ("s3://ours/a/b.wav", "ours", "a/b.wav"),
        ("s3://older.bucket/a%20b.wav", "older.bucket", "a%20b.wav"),
        ("https://ours.s3.amazonaws.com/a/b.wav", "ours", "a/b.wav"),
        ("https://ours.s3.ap-northeast-2.amazonaws.com/a%20b.wav?versionId=1", "ours", "a b.wav"),
        ("https://older.bucket.s3-us-west-2.amazonaws.com/a", "older.bucket", "a"),
        ("https://s3.ap-northeast-2.amazonaws.com/ours/a/b", "ours", "a/b"),
    ],
)
def test_objects(stored: str, bucket: str, key: str) -> None:
    found = located(stored, bucket="ours", others=["older.bucket"])
    assert found == S3Object(bucket, key)
    assert isinstance(found, S3Object)
    assert found.uri == f"s3://{bucket}/{key}"


@pytest.mark.parametrize(
    "stored",
    [
        "https://files.example.com/a.json",
        "s3://theirs/a",
        "s3://ours",
        "s3://ours/",
        "https://theirs.s3.amazonaws.com/a",
        "https://ours.s3.example.com/a",
        "https://ours.s3.amazonaws.com.example.com/a",
        "https://s3.amazonaws.com/theirs/a",
        "https://ours.s3.amazonaws.com/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "http://[::1",
    ],
)
def test_everything_else_is_a_link(stored: str) -> None:
    assert located(stored, bucket="ours", others=["older.bucket"]) == Link(stored)
