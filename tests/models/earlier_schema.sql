CREATE TABLE actors (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE);
CREATE TABLE actor_aliases (id serial PRIMARY KEY, actor_id int NOT NULL REFERENCES actors ON DELETE CASCADE,
    name varchar NOT NULL, CONSTRAINT uq_actor_alias UNIQUE (actor_id, name));
CREATE TABLE urls (youtube_url text PRIMARY KEY, actor_id int NOT NULL REFERENCES actors ON DELETE CASCADE);
CREATE TABLE tokens (id serial PRIMARY KEY, token_name varchar NOT NULL, actor_name varchar NOT NULL, category varchar,
    start_time float NOT NULL, end_time float NOT NULL, s3_textgrid_url text, s3_pitch_url text, s3_bgvoice_url text,
    thumbnail_url text, youtube_url text REFERENCES urls ON DELETE CASCADE, view_count int NOT NULL DEFAULT 0);
CREATE TABLE token_actors (id serial PRIMARY KEY, token_id int NOT NULL REFERENCES tokens ON DELETE CASCADE,
    actor_id int NOT NULL REFERENCES actors ON DELETE CASCADE, CONSTRAINT uq_token_actor UNIQUE (token_id, actor_id));
CREATE TABLE scripts (id serial PRIMARY KEY, token_id int NOT NULL REFERENCES tokens ON DELETE CASCADE,
    start_time float NOT NULL, end_time float NOT NULL, script text NOT NULL, translation text);
CREATE TABLE words (id serial PRIMARY KEY, script_id int NOT NULL REFERENCES scripts ON DELETE CASCADE, word varchar,
    start_time float, end_time float, probability float, mfcc json);
CREATE TABLE users (id serial PRIMARY KEY, email varchar NOT NULL UNIQUE, google_id varchar UNIQUE,
    profile_picture varchar, full_name varchar, is_active bool DEFAULT true, login_type varchar DEFAULT 'email',
    created_at timestamp DEFAULT now(), updated_at timestamp, is_admin bool DEFAULT false);
CREATE TABLE analysis_results (id serial PRIMARY KEY, job_id varchar UNIQUE,
    token_id int NOT NULL REFERENCES tokens ON DELETE CASCADE, user_id int REFERENCES users ON DELETE CASCADE,
    status varchar NOT NULL, progress int NOT NULL, result json, message varchar, created_at timestamp DEFAULT now());
CREATE TABLE bookmarks (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
    token_id int NOT NULL REFERENCES tokens ON DELETE CASCADE, created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT uq_user_token_bookmark UNIQUE (user_id, token_id));
CREATE TABLE youtube_process_jobs (id serial PRIMARY KEY, job_id varchar NOT NULL UNIQUE, user_id int, status varchar);
CREATE TABLE dubbing_results (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
    token_id int NOT NULL REFERENCES tokens ON DELETE CASCADE, s3_key varchar NOT NULL,
    created_at timestamptz DEFAULT now());
CREATE TABLE video_requests (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
    actor varchar NOT NULL, content text NOT NULL, url text NOT NULL, status varchar NOT NULL DEFAULT '심사중',
    created_at timestamp DEFAULT now());

INSERT INTO actors (id, name) VALUES (3, 'Tom Hanks'), (9, 'Emma Stone');
INSERT INTO actor_aliases (actor_id, name) VALUES (3, '톰 행크스'), (3, 'Hanks'), (9, '엠마 스톤');
INSERT INTO urls VALUES ('https://youtu.be/AAAAAAAAAAA?t=3', 9), ('https://www.youtube.com/watch?v=AAAAAAAAAAA', 3),
    ('https://www.youtube.com/watch?v=BBBBBBBBBBB&list=1', 9), ('https://vimeo.com/1', 3);
INSERT INTO tokens (id, token_name, actor_name, category, start_time, end_time, s3_pitch_url, youtube_url, view_count)
VALUES (35, 'Run', 'Tom Hanks', '드라마', 1, 9, 'p.json', 'https://www.youtube.com/watch?v=AAAAAAAAAAA', 7),
    (40, 'Again', 'Tom Hanks', NULL, 1, 9, NULL, 'https://youtu.be/AAAAAAAAAAA?t=3', 0),
    (41, 'Sing', 'Emma Stone', NULL, 1, 9, NULL, 'https://www.youtube.com/watch?v=BBBBBBBBBBB&list=1', 2),
    (42, 'Elsewhere', 'Tom Hanks', NULL, 1, 9, NULL, 'https://vimeo.com/1', 0), (43, 'Lost', 'x', NULL, 1, 9, NULL, NULL, 0);
INSERT INTO token_actors (token_id, actor_id) VALUES (35, 3), (40, 3), (41, 9), (42, 3);
INSERT INTO scripts (id, token_id, start_time, end_time, script, translation) VALUES
    (70, 35, 1, 3, 'Run, Forrest!', '뛰어'), (71, 35, 4, 6, 'Run!', NULL), (72, 35, 7, 9, 'run', NULL),
    (80, 41, 1, 3, 'City of stars.', NULL), (90, 42, 1, 2, 'Nobody sees this.', NULL);
INSERT INTO words (id, script_id, word, start_time, end_time, probability, mfcc) VALUES
    (700, 70, 'Run,', 1, 1.5, 0.9, '[[1, 2.5]]'), (701, 70, 'Forrest!', 1.5, 3, NULL, NULL), (900, 90, 'Nobody', 1, 2, 1, NULL);
INSERT INTO users (id, email, google_id, full_name, is_active, login_type, created_at, updated_at, is_admin) VALUES
    (5, 'a@example.com', 'g5', '가나', true, 'google', '2025-05-01 09:00', '2025-05-02 09:00', true),
    (6, 'b@example.com', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO analysis_results (job_id, token_id, user_id, status, progress, result, message, created_at) VALUES
    ('0123456789abcdef0123456789abcdef', 35, 5, 'completed', 100,
     '{"status": "ok", "result": {"overall_score": 0.7, "word_analysis": [{"word": "Run,"}, {"word": {"word": "Forrest"}}]}}',
     '완료', '2025-06-01 12:00'),
    ('1123456789abcdef0123456789abcdef', 35, 5, 'completed', 100,
     '{"overall_score": 85.5, "word_analysis": [{"word": "run"}]}', NULL, '2025-06-01 12:01'),
    ('2123456789abcdef0123456789abcdef', 41, NULL, 'completed', 100,
     '{"analysis_results": {"word_analysis": [{"word": "something"}]}}', NULL, '2025-06-01 12:02'),
    ('8a0c3c0e-1111-4222-8333-944455566677', 35, 6, 'processing', 90, NULL, '대기', '2025-06-01 12:03'),
    ('8a0c3c0e-1111-4222-8333-944455566678', 35, 6, 'queued_for_analysis', 90, NULL, NULL, NULL),
    ('8a0c3c0e-1111-4222-8333-944455566679', 35, 6, 'failed', 0, NULL, 'S3 업로드 실패', '2025-06-01 12:05'),
    ('8a0c3c0e-1111-4222-8333-94445556667a', 41, 6, 'completed', 100,
     '{"status": "failed", "error": {"code": "no_speech", "message": "x"}}', NULL, '2025-06-01 12:06'),
    ('8a0c3c0e-1111-4222-8333-94445556667b', 42, 6, 'completed', 100, '{"result": {"word_analysis": []}}', NULL, now());
INSERT INTO bookmarks (user_id, token_id, created_at) VALUES (5, 35, '2025-05-03 09:00'), (5, 42, now()), (6, 41, now());
INSERT INTO dubbing_results (user_id, token_id, s3_key, created_at) VALUES
    (5, 35, 'user_Dubbing_auido/5/35/dubbing_audio_x.wav', '2025-06-02 00:00+00');
INSERT INTO video_requests (user_id, actor, content, url, status, created_at) VALUES
    (5, 'A', 'c', 'https://youtu.be/x', '심사중', '2025-07-01 00:00'), (5, 'B', 'c', 'https://youtu.be/y', '심사중', '2025-07-02 00:00'),
    (5, 'C', 'c', 'https://youtu.be/z', '승인됨', '2025-07-03 00:00'), (6, 'D', 'c', 'https://youtu.be/w', '거절됨', '2025-07-04 00:00');
