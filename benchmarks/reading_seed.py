"""A catalogue to read and somebody who practised it: the same rows for both designs, by SQL."""

from __future__ import annotations

from typing import Final

from benchmarks.ground import Ground, Side

FIRST_TOKEN: Final = 1_000_001
TOKENS: Final = 300
BOOKMARKS: Final = 60
PRACTISED: Final = 40  # clips, each of their five sentences once
OTHERS: Final = 20_000  # results of nobody in particular
READER: Final = "reader@example.com"

_CLIPS: Final = f"generate_series({FIRST_TOKEN}, {FIRST_TOKEN + TOKENS - 1}) AS n"
_SENTENCES: Final = "generate_series(0, 4) AS s"
_URL: Final = "'https://www.youtube.com/watch?v=' || lpad(n::text, 11, '0')"

_ACTORS: Final = "INSERT INTO actors (name) VALUES ('Reading Benchmark') ON CONFLICT DO NOTHING"
_URLS: Final = f"""
INSERT INTO urls (youtube_url, actor_id)
SELECT {_URL}, (SELECT id FROM actors WHERE name = 'Reading Benchmark') FROM {_CLIPS} ON CONFLICT DO NOTHING
"""
_TOKENS: Final = f"""
INSERT INTO tokens (id, token_name, actor_name, category, start_time, end_time, thumbnail_url, view_count, youtube_url)
SELECT n, 'Clip ' || n, 'Reading Benchmark', '드라마', 10, 25, 'https://img.example.com/' || n, n % 977, {_URL}
FROM {_CLIPS} ON CONFLICT DO NOTHING
"""
_SCRIPTS: Final = f"""
INSERT INTO scripts (id, token_id, start_time, end_time, script, translation)
SELECT n * 10 + s, n, 10 + 3 * s, 13 + 3 * s, 'one two three four five six seven eight', '하나 둘 셋'
FROM {_CLIPS}, {_SENTENCES} ON CONFLICT DO NOTHING
"""
_WORDS: Final = f"""
INSERT INTO words (id, script_id, word, start_time, end_time, probability)
SELECT (n * 10 + s) * 10 + w, n * 10 + s, 'word', 10 + 3 * s + w * 0.3, 10.2 + 3 * s + w * 0.3, 0.9
FROM {_CLIPS}, {_SENTENCES}, generate_series(0, 7) AS w ON CONFLICT DO NOTHING
"""
_USER: Final = """
INSERT INTO users (email, full_name, is_active, login_type, created_at{columns})
VALUES ($1, 'Reader', true, 'email', now(){values}) ON CONFLICT DO NOTHING
"""
_BOOKMARKS: Final = f"""
INSERT INTO bookmarks (user_id, token_id, created_at)
SELECT u.id, n, now() - (n - {FIRST_TOKEN}) * interval '1 minute'
FROM users u, generate_series({FIRST_TOKEN}, {FIRST_TOKEN + BOOKMARKS - 1}) AS n
WHERE u.email = $1 AND NOT EXISTS (SELECT FROM bookmarks b WHERE b.user_id = u.id AND b.token_id = n)
"""
_RESULTS: Final = f"""
INSERT INTO analysis_results (job_id, token_id, user_id, status, progress, message, result, created_at{{columns}})
SELECT md5('reading' || i), n, user_id, 'completed', 100, '', $2::json, now(){{values}}
FROM (
    SELECT row_number() OVER () AS i, n, s, user_id FROM (
        SELECT n, s, u.id AS user_id
        FROM users u, generate_series({FIRST_TOKEN}, {FIRST_TOKEN + PRACTISED - 1}) AS n, {_SENTENCES}
        WHERE u.email = $1
        UNION ALL SELECT {FIRST_TOKEN} + o % {TOKENS}, o % 5, NULL FROM generate_series(1, {OTHERS}) AS o
    ) AS practised
) AS numbered
"""
_RESULT: Final = '{"result": {"overall_score": 0.8, "word_analysis": [{"word": "word", "word_score": 0.8}]}}'
_NO_MORE: Final = {"columns": "", "values": ""}
_OUR_USER: Final = {"columns": ", is_admin", "values": ", false"}
_OUR_RESULTS: Final = {
    "columns": ", script_id, kind, overall_score, s3_key, state, stage, code, attempts, run, version, incarnation,"
    " updated_at",
    "values": ", n * 10 + s, 'script', 0.8, 'audio/seed.wav', 'completed', '', '', 1, 1, 1, 'seed', now()",
}


async def seed_reading(ground: Ground, side: Side) -> None:
    """One of the databases, once its tables are there; the results are made anew, all else is left as it is."""
    ours = side is Side.OURS
    database = "yousync" if ours else "baseline"
    for statement in (*((_ACTORS, _URLS) if ours else ()), _TOKENS, _SCRIPTS, _WORDS):
        await ground.sql(statement, database)
    await ground.sql(_USER.format(**(_OUR_USER if ours else _NO_MORE)), database, READER)
    await ground.sql(_BOOKMARKS, database, READER)
    await ground.sql("TRUNCATE analysis_results", database)
    await ground.sql(_RESULTS.format(**(_OUR_RESULTS if ours else _NO_MORE)), database, READER, _RESULT)
    await ground.sql("ANALYZE", database)
