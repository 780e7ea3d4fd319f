"""From the copies beside our tables into them: one statement a table, each of which may be run again."""

from __future__ import annotations

from typing import Final

_WHEN = "coalesce(e.created_at AT TIME ZONE :timezone, now())"
_SAME_REQUEST = (
    "v.user_id = e.user_id AND v.actor = e.actor AND v.content = e.content AND v.url = e.url"
    " AND v.created_at = e.created_at AT TIME ZONE {timezone}"
)

MOVES: Final[dict[str, str]] = {
    "actors": """
INSERT INTO actors AS a (id, name) SELECT id, name FROM earlier_actors
ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name WHERE a.name <> EXCLUDED.name""",
    "actor_aliases": """
INSERT INTO actor_aliases (actor_id, name)
SELECT e.actor_id, e.name FROM earlier_actor_aliases e JOIN actors a ON a.id = e.actor_id ORDER BY e.id
ON CONFLICT (actor_id, name) DO NOTHING""",
    "urls": """
INSERT INTO urls AS u (youtube_url, actor_id)
SELECT DISTINCT ON (e.video) e.video, e.actor_id FROM earlier_urls e JOIN actors a ON a.id = e.actor_id
WHERE e.video IS NOT NULL ORDER BY e.video, (e.youtube_url = e.video) DESC, e.youtube_url
ON CONFLICT (youtube_url) DO UPDATE SET actor_id = EXCLUDED.actor_id WHERE u.actor_id <> EXCLUDED.actor_id""",
    "tokens": """
INSERT INTO tokens AS t (id, token_name, actor_name, category, start_time, end_time, s3_textgrid_url, s3_pitch_url,
    s3_bgvoice_url, thumbnail_url, youtube_url, view_count)
SELECT e.id, e.token_name, e.actor_name, e.category, e.start_time, e.end_time, e.s3_textgrid_url, e.s3_pitch_url,
    e.s3_bgvoice_url, e.thumbnail_url, e.video, greatest(coalesce(e.view_count, 0), 0)
FROM earlier_tokens e JOIN urls u ON u.youtube_url = e.video
ON CONFLICT (id) DO UPDATE SET token_name = EXCLUDED.token_name, actor_name = EXCLUDED.actor_name,
    category = EXCLUDED.category, start_time = EXCLUDED.start_time, end_time = EXCLUDED.end_time,
    s3_textgrid_url = EXCLUDED.s3_textgrid_url, s3_pitch_url = EXCLUDED.s3_pitch_url,
    s3_bgvoice_url = EXCLUDED.s3_bgvoice_url, thumbnail_url = EXCLUDED.thumbnail_url,
    view_count = greatest(t.view_count, EXCLUDED.view_count)
WHERE (t.token_name, t.actor_name, t.category, t.start_time, t.end_time, t.s3_textgrid_url, t.s3_pitch_url,
        t.s3_bgvoice_url, t.thumbnail_url) IS DISTINCT FROM (EXCLUDED.token_name, EXCLUDED.actor_name,
        EXCLUDED.category, EXCLUDED.start_time, EXCLUDED.end_time, EXCLUDED.s3_textgrid_url, EXCLUDED.s3_pitch_url,
        EXCLUDED.s3_bgvoice_url, EXCLUDED.thumbnail_url)
    OR t.view_count < EXCLUDED.view_count""",
    "token_actors": """
INSERT INTO token_actors (token_id, actor_id)
SELECT e.token_id, e.actor_id FROM earlier_token_actors e JOIN tokens t ON t.id = e.token_id
JOIN actors a ON a.id = e.actor_id ORDER BY e.id
ON CONFLICT (token_id, actor_id) DO NOTHING""",
    "scripts": """
INSERT INTO scripts AS s (id, token_id, start_time, end_time, script, translation)
SELECT e.id, e.token_id, e.start_time, e.end_time, e.script, e.translation
FROM earlier_scripts e JOIN tokens t ON t.id = e.token_id
ON CONFLICT (id) DO UPDATE SET start_time = EXCLUDED.start_time, end_time = EXCLUDED.end_time,
    script = EXCLUDED.script, translation = EXCLUDED.translation
WHERE (s.start_time, s.end_time, s.script, s.translation)
    IS DISTINCT FROM (EXCLUDED.start_time, EXCLUDED.end_time, EXCLUDED.script, EXCLUDED.translation)""",
    "words": """
INSERT INTO words AS w (id, script_id, word, start_time, end_time, probability, mfcc)
SELECT e.id, e.script_id, e.word, e.start_time, e.end_time, e.probability, e.mfcc::jsonb
FROM earlier_words e JOIN scripts s ON s.id = e.script_id
ON CONFLICT (id) DO UPDATE SET word = EXCLUDED.word, start_time = EXCLUDED.start_time, end_time = EXCLUDED.end_time,
    probability = EXCLUDED.probability, mfcc = EXCLUDED.mfcc
WHERE (w.word, w.start_time, w.end_time, w.probability, w.mfcc) IS DISTINCT FROM
    (EXCLUDED.word, EXCLUDED.start_time, EXCLUDED.end_time, EXCLUDED.probability, EXCLUDED.mfcc)""",
    "users": """
INSERT INTO users AS u (id, email, google_id, profile_picture, full_name, is_active, login_type, created_at,
    updated_at, is_admin)
SELECT e.id, e.email, e.google_id, e.profile_picture, e.full_name, coalesce(e.is_active, true),
    coalesce(e.login_type, 'email'), coalesce(e.created_at AT TIME ZONE :timezone, now()),
    e.updated_at AT TIME ZONE :timezone, coalesce(e.is_admin, false)
FROM earlier_users e
ON CONFLICT (id) DO UPDATE SET google_id = coalesce(u.google_id, EXCLUDED.google_id),
    login_type = EXCLUDED.login_type, full_name = EXCLUDED.full_name, profile_picture = EXCLUDED.profile_picture,
    updated_at = EXCLUDED.updated_at
WHERE coalesce(u.updated_at, u.created_at) < EXCLUDED.updated_at""",
    "analysis_results": f"""
INSERT INTO analysis_results AS kept (job_id, kind, token_id, script_id, user_id, status, progress, message, result,
    overall_score, s3_key, state, stage, code, attempts, run, version, incarnation, created_at, updated_at)
SELECT DISTINCT ON (min(e.id) OVER (PARTITION BY e.job_id)) e.job_id,
    CASE WHEN e.job_id ~ '^[0-9a-f]{{32}}$' THEN 'script' ELSE 'token' END, e.token_id, tied.id, e.user_id, e.state,
    CASE WHEN e.state = 'completed' THEN 100 ELSE 0 END, e.said, e.stored::jsonb, e.overall_score, '', e.state, '',
    e.code, 0, 1, 1, :earlier, {_WHEN}, now()
FROM earlier_analysis_results e JOIN tokens t ON t.id = e.token_id LEFT JOIN users u ON u.id = e.user_id
LEFT JOIN LATERAL (SELECT min(s.id) AS id FROM earlier_scripts s WHERE s.token_id = e.token_id
    AND s.letters = e.letters AND e.letters <> '' HAVING count(*) = 1) tied ON true
WHERE coalesce(e.job_id, '') <> '' AND (e.user_id IS NULL OR u.id IS NOT NULL)
ORDER BY min(e.id) OVER (PARTITION BY e.job_id), e.id
ON CONFLICT (job_id) DO UPDATE SET script_id = EXCLUDED.script_id, status = EXCLUDED.status,
    progress = EXCLUDED.progress, message = EXCLUDED.message, result = EXCLUDED.result,
    overall_score = EXCLUDED.overall_score, state = EXCLUDED.state, code = EXCLUDED.code, updated_at = now()
WHERE kept.incarnation = EXCLUDED.incarnation AND kept.deleted_at IS NULL AND kept.run = 1
    AND (kept.state, kept.script_id, kept.result, kept.message)
        IS DISTINCT FROM (EXCLUDED.state, EXCLUDED.script_id, EXCLUDED.result, EXCLUDED.message)""",
    "bookmarks": f"""
INSERT INTO bookmarks (user_id, token_id, created_at)
SELECT e.user_id, e.token_id, {_WHEN} FROM earlier_bookmarks e
JOIN users u ON u.id = e.user_id JOIN tokens t ON t.id = e.token_id ORDER BY e.id
ON CONFLICT (user_id, token_id) DO NOTHING""",
    "dubbing_results": """
INSERT INTO dubbing_results (job_id, user_id, token_id, s3_key, created_at)
SELECT DISTINCT ON (e.s3_key) 'earlier-' || md5(e.s3_key), e.user_id, e.token_id, e.s3_key,
    coalesce(e.created_at, now()) FROM earlier_dubbing_results e
JOIN users u ON u.id = e.user_id JOIN tokens t ON t.id = e.token_id ORDER BY e.s3_key, e.id
ON CONFLICT (job_id) DO NOTHING""",
    "video_requests": f"""
INSERT INTO video_requests (user_id, actor, content, url, status, created_at)
SELECT e.user_id, e.actor, e.content, e.url, e.status, {_WHEN}
FROM (SELECT *, row_number() OVER (PARTITION BY user_id, status ORDER BY id DESC) AS newest
    FROM earlier_video_requests) e JOIN users u ON u.id = e.user_id
WHERE NOT EXISTS (SELECT FROM video_requests v WHERE {_SAME_REQUEST.format(timezone=":timezone")})
    AND (e.status <> '심사중' OR (e.newest = 1 AND NOT EXISTS
        (SELECT FROM video_requests v WHERE v.user_id = e.user_id AND v.status = '심사중')))
ORDER BY e.id""",
}
"""By table, in an order in which everything is there before it is pointed at; `:timezone`, `:earlier` are filled in."""

PENDING_DECIDED: Final = f"""
UPDATE video_requests v SET status = e.status FROM earlier_video_requests e
WHERE {_SAME_REQUEST.format(timezone="$1::text")} AND v.status = '심사중' AND e.status <> '심사중'
"""
"""What was decided there since the last import; what was decided here stays."""

SEQUENCES: Final = {"actors": 1, "tokens": 35, "scripts": 1, "words": 1, "users": 1}
"""Tables that keep their ids, and the least that their next ids come after: the web client owns token 35."""

RECORDINGS: Final = (
    "CREATE TEMPORARY TABLE earlier_recordings"
    " (user_id int, token_id int, script_id int, s3_key text, written_at timestamptz) ON COMMIT DROP"
)
_OF_SENTENCE = (
    "r.user_id = e.user_id AND r.token_id = e.token_id AND r.script_id = e.script_id AND r.incarnation = $1::text"
)
RECORDED: Final = f"""
WITH done AS (INSERT INTO analysis_results (job_id, kind, token_id, script_id, user_id, status, progress, message,
    s3_key, state, stage, code, attempts, run, version, incarnation, created_at, updated_at)
SELECT replace(gen_random_uuid()::text, '-', ''), 'script', e.token_id, e.script_id, e.user_id, 'failed', 0, $3::text,
    e.s3_key, 'failed', 'submit', $2::text, 0, 1, 1, $1::text, e.written_at, now()
FROM earlier_recordings e JOIN users u ON u.id = e.user_id
JOIN scripts s ON s.id = e.script_id AND s.token_id = e.token_id
WHERE NOT EXISTS (SELECT FROM analysis_results r WHERE {_OF_SENTENCE}) RETURNING 1)
SELECT count(*) FROM done"""
"""A recording without a result is an attempt that came as far as S3: its learner finds it, and may delete it."""
TIED: Final = f"""
WITH done AS (UPDATE analysis_results kept SET s3_key = tied.s3_key FROM (
    SELECT r.id, CASE row_number() OVER (PARTITION BY e.s3_key
        ORDER BY r.status = 'completed' DESC, r.created_at DESC, r.id DESC) WHEN 1 THEN e.s3_key ELSE '' END AS s3_key
    FROM earlier_recordings e JOIN analysis_results r ON {_OF_SENTENCE} WHERE r.deleted_at IS NULL
) tied WHERE kept.id = tied.id AND kept.s3_key <> tied.s3_key RETURNING 1)
SELECT count(*) FROM done"""
"""The object is the last recording of its sentence, so it is the latest result's: what was there before is gone."""
