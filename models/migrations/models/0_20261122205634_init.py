from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE IF NOT EXISTS "actors" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "name" VARCHAR(255) NOT NULL UNIQUE
);
COMMENT ON TABLE "actors" IS 'A person, by the one name shown.';
CREATE TABLE IF NOT EXISTS "actor_aliases" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "name" VARCHAR(255) NOT NULL,
    "actor_id" INT NOT NULL REFERENCES "actors" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_actor_alias_actor_i_1a5911" UNIQUE ("actor_id", "name")
);
CREATE INDEX IF NOT EXISTS "idx_actor_alias_actor_i_698a1e" ON "actor_aliases" ("actor_id");
COMMENT ON TABLE "actor_aliases" IS 'Another spelling of an actor''s name, in any script.';
CREATE TABLE IF NOT EXISTS "urls" (
    "youtube_url" VARCHAR(2048) NOT NULL PRIMARY KEY,
    "actor_id" INT NOT NULL REFERENCES "actors" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_urls_actor_i_82005d" ON "urls" ("actor_id");
COMMENT ON TABLE "urls" IS 'A YouTube video, canonical `https://www.youtube.com/watch?v=<11 characters>`, and whose it is.';
CREATE TABLE IF NOT EXISTS "tokens" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "token_name" TEXT NOT NULL,
    "actor_name" TEXT NOT NULL,
    "category" TEXT,
    "start_time" DOUBLE PRECISION NOT NULL,
    "end_time" DOUBLE PRECISION NOT NULL,
    "s3_textgrid_url" TEXT,
    "s3_pitch_url" TEXT,
    "s3_bgvoice_url" TEXT,
    "thumbnail_url" TEXT,
    "view_count" INT NOT NULL,
    "youtube_url" VARCHAR(2048) NOT NULL REFERENCES "urls" ("youtube_url") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_tokens_view_co_0e03bf" ON "tokens" ("view_count");
CREATE INDEX IF NOT EXISTS "idx_tokens_youtube_475557" ON "tokens" ("youtube_url");
COMMENT ON TABLE "tokens" IS 'A clip to practise on; times are seconds in the YouTube video.';
CREATE TABLE IF NOT EXISTS "scripts" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "start_time" DOUBLE PRECISION NOT NULL,
    "end_time" DOUBLE PRECISION NOT NULL,
    "script" TEXT NOT NULL,
    "translation" TEXT,
    "token_id" INT NOT NULL REFERENCES "tokens" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_scripts_token_i_04cc3e" ON "scripts" ("token_id");
COMMENT ON TABLE "scripts" IS 'One sentence; times are absolute seconds in the YouTube video, as the token''s.';
CREATE TABLE IF NOT EXISTS "users" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "email" VARCHAR(320) NOT NULL UNIQUE,
    "google_id" VARCHAR(255) UNIQUE,
    "profile_picture" TEXT,
    "full_name" TEXT,
    "is_active" BOOL NOT NULL,
    "login_type" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ,
    "is_admin" BOOL NOT NULL
);
COMMENT ON TABLE "users" IS 'A learner or an operator; Google users are known by `google_id` (the ID token''s sub), never by e-mail.';
CREATE TABLE IF NOT EXISTS "analysis_results" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "job_id" VARCHAR(64) NOT NULL UNIQUE,
    "kind" VARCHAR(16) NOT NULL,
    "status" VARCHAR(32) NOT NULL,
    "progress" INT NOT NULL,
    "message" TEXT,
    "result" JSONB,
    "overall_score" DOUBLE PRECISION,
    "s3_key" TEXT NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "code" VARCHAR(64) NOT NULL,
    "attempts" INT NOT NULL,
    "history" JSONB,
    "run" INT NOT NULL,
    "version" INT NOT NULL,
    "incarnation" VARCHAR(64) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "deleted_at" TIMESTAMPTZ,
    "script_id" INT REFERENCES "scripts" ("id") ON DELETE CASCADE,
    "token_id" INT NOT NULL REFERENCES "tokens" ("id") ON DELETE CASCADE,
    "user_id" INT REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_analysis_re_script__6b3b37" ON "analysis_results" ("script_id");
CREATE INDEX IF NOT EXISTS "idx_analysis_re_token_i_bac620" ON "analysis_results" ("token_id");
CREATE INDEX IF NOT EXISTS "idx_analysis_re_user_id_149f80" ON "analysis_results" ("user_id", "token_id", "script_id");
CREATE INDEX IF NOT EXISTS "idx_analysis_unfinished" ON "analysis_results" ("created_at") WHERE status = 'processing' AND deleted_at IS NULL;
COMMENT ON TABLE "analysis_results" IS 'What is kept of a job for good.';
CREATE TABLE IF NOT EXISTS "bookmarks" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMPTZ NOT NULL,
    "token_id" INT NOT NULL REFERENCES "tokens" ("id") ON DELETE CASCADE,
    "user_id" INT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_bookmarks_user_id_09aa50" UNIQUE ("user_id", "token_id")
);
CREATE INDEX IF NOT EXISTS "idx_bookmarks_token_i_0633db" ON "bookmarks" ("token_id");
CREATE INDEX IF NOT EXISTS "idx_bookmarks_user_id_a8e8e3" ON "bookmarks" ("user_id");
COMMENT ON TABLE "bookmarks" IS 'One token kept by one user, once.';
CREATE TABLE IF NOT EXISTS "deployment" (
    "id" UUID NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE "deployment" IS 'A single row, written by the first migration.';
CREATE TABLE IF NOT EXISTS "dubbing_results" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "s3_key" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "token_id" INT NOT NULL REFERENCES "tokens" ("id") ON DELETE CASCADE,
    "user_id" INT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_dubbing_res_token_i_bb166e" ON "dubbing_results" ("token_id");
CREATE INDEX IF NOT EXISTS "idx_dubbing_res_user_id_e40397" ON "dubbing_results" ("user_id");
COMMENT ON TABLE "dubbing_results" IS 'One synthesised file in S3.';
CREATE TABLE IF NOT EXISTS "words" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "word" TEXT,
    "start_time" DOUBLE PRECISION,
    "end_time" DOUBLE PRECISION,
    "probability" DOUBLE PRECISION,
    "mfcc" JSONB,
    "script_id" INT NOT NULL REFERENCES "scripts" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_words_script__460670" ON "words" ("script_id");
COMMENT ON TABLE "words" IS 'One word of a sentence; order is by id.';
CREATE TABLE IF NOT EXISTS "token_actors" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "actor_id" INT NOT NULL REFERENCES "actors" ("id") ON DELETE CASCADE,
    "token_id" INT NOT NULL REFERENCES "tokens" ("id") ON DELETE CASCADE,
    CONSTRAINT "uid_token_actor_token_i_9bf7b2" UNIQUE ("token_id", "actor_id")
);
CREATE INDEX IF NOT EXISTS "idx_token_actor_actor_i_bc21f7" ON "token_actors" ("actor_id");
CREATE INDEX IF NOT EXISTS "idx_token_actor_token_i_16b028" ON "token_actors" ("token_id");
COMMENT ON TABLE "token_actors" IS 'Which actors a token belongs to; related clips are found through it.';
CREATE TABLE IF NOT EXISTS "video_requests" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "actor" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "status" VARCHAR(20) NOT NULL,
    "created_at" TIMESTAMPTZ NOT NULL,
    "user_id" INT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_video_reque_user_id_223a22" ON "video_requests" ("user_id");
COMMENT ON TABLE "video_requests" IS 'One request; `status` is one of 심사중, 승인됨, 거절됨 (under review, approved, rejected).';
CREATE TABLE IF NOT EXISTS "youtube_process_jobs" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "job_id" VARCHAR(64) NOT NULL UNIQUE,
    "status" VARCHAR(32) NOT NULL,
    "progress" INT NOT NULL,
    "message" TEXT,
    "result" JSONB,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "token_id" INT REFERENCES "tokens" ("id") ON DELETE SET NULL,
    "user_id" INT REFERENCES "users" ("id") ON DELETE SET NULL
);
CREATE INDEX IF NOT EXISTS "idx_youtube_pro_token_i_306941" ON "youtube_process_jobs" ("token_id");
CREATE INDEX IF NOT EXISTS "idx_youtube_pro_user_id_18485a" ON "youtube_process_jobs" ("user_id");
COMMENT ON TABLE "youtube_process_jobs" IS 'One video handed to the preprocessing server.';
CREATE TABLE IF NOT EXISTS "aerich" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSONB NOT NULL
);
CREATE INDEX IF NOT EXISTS "idx_actors_name_trgm" ON "actors" USING gin ("name" gin_trgm_ops);
CREATE INDEX IF NOT EXISTS "idx_actor_aliases_name_trgm" ON "actor_aliases" USING gin ("name" gin_trgm_ops);
-- The existing frontend treats token id 35 as a bundled demo: no real token may get it.
ALTER SEQUENCE "tokens_id_seq" RESTART WITH 36;
INSERT INTO "deployment" ("id", "created_at") VALUES (gen_random_uuid(), now());"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS "youtube_process_jobs";
DROP TABLE IF EXISTS "video_requests";
DROP TABLE IF EXISTS "dubbing_results";
DROP TABLE IF EXISTS "deployment";
DROP TABLE IF EXISTS "bookmarks";
DROP TABLE IF EXISTS "analysis_results";
DROP TABLE IF EXISTS "users";
DROP TABLE IF EXISTS "words";
DROP TABLE IF EXISTS "scripts";
DROP TABLE IF EXISTS "token_actors";
DROP TABLE IF EXISTS "tokens";
DROP TABLE IF EXISTS "urls";
DROP TABLE IF EXISTS "actor_aliases";
DROP TABLE IF EXISTS "actors";"""


MODELS_STATE = (
    "eJztXWlz2zYT/isYfYkzozq27Dpu0/YdOXYat46dseWmRzoyRUISYwpgeFjRpP7v7wK8T5"
    "GyRJEMviQWgAXJB8BeWCy+dmZUwZq525ctanR+RF87RJph+CNa0UUdSdeDYlZgSSONt5RY"
    "E14kjUzLgJ9QOpY0E0ORgk3ZUHVLpYS17SMdGyYlXTRaIGuKESUYsUcic0rnZJf1olAZul"
    "HJpCiBTdTPNh5adIKhBfuMf/6FYpUo+As2vZ/6/XCsYk2JfKWqsA54+dBa6LzsnFhveEP2"
    "LqOhTDV7RoLG+sKaUuK3VonFSieYYEOyMOveMmz26cTWNBcjDw3nTYMmziuGaBQ8lmyNAc"
    "ionRcIyjrD4eXVYHhzNhgOOwlwPYoQfG6RTAkbGHhVk3/9hL3Cd739w5eHxwdHh8fQhL+m"
    "X/Ly0Xl0AIxDyOG5HHQeeb1kSU4LjnEAKv8/AevrqWSk4+q1jyELrxxH1sOxvtDOpC9DDZ"
    "OJNWV4fv99DpB/9K9fv+1f70Cr5+yRFJaOs6Iu3aqeU/f4yObv+D4ENisYSfL9XDKUYaQm"
    "GAZJUyUTm8mROHEJ3/x+jTWJf2IS/fD677OeVhkLryAYjIAvVDAaj95M80rd2QDlAUy2oT"
    "0Ro1tDays4Fr3HZBhw+NVBGrCefGnSFqzYOqQ9mrUyk1Wz3ixeIhFpwj+JPZs9Kbn0sgSz"
    "vzCXSOdhiBcUENKEMjmKTB1rGsCC6BhJBPGenplc+naRCgVkgRzCFLm9Wh8povwf5xNYLY"
    "fgXyHbv1nZvmU2sCHpHma4znItNXXDJMsn8GowN20KJxSmGMJJeN9QA6sT8jtecJTP4ZUk"
    "IqfN3bhl1Cx0s0QZFBvS3GejkVkFHw+fjC1nrfdvXvdPzzqP2TroJqUiU7ZSxKGrg2XLQU"
    "/NK2Kj/kXtgT3C6EFVMO0iWSKUqLKkobupZenmjy9ezOfz3QW1LWi1K9PZi7lkydP/Pfz8"
    "0/4+koEZwgPAbP3lrgsCTkHzKTUxUi2kmmkW7qYf9wT72H3o0HbgLcr1Y2TtM+z2Do+L8H"
    "5ols38eWW+tBXSQEiDxkuDmDW5DjuygbrjdkxIImkLUzWvsel8TNKMjLbIFaGS23Zo8MYF"
    "xemHqcQkEbrHusWtQPSJjtCYGmhCqZKUh0vafyQfyR2sRss2Qdzd6QadwOvwv2fwP+Bwx4"
    "XgnfOS8MPAIBGhT1lTMQwGL+DO41eId4QZrQyf6xJOVRMm+4JTfiTswVRnM40a5i50a5M7"
    "ZKhgTEOvmLivZ7EHTCUFYZhdCrwpVFP2AGelKEMJ3gQ+SkIWnQFkzIvNae4x1qH4I4F+Cb"
    "OT+ccadIbmhmqxAhVe2fkWxCZFQYn+tRNMkY5tYm/xOg4d529nmNgPRoy/6AxIGDV/Xrlz"
    "xZ3Q3kLs8MYw6vwHt15Cz5INLDkfvKRXMLm/DP0pZZOxSlRzip23THsU+vD27PoMOWOPfk"
    "bPYOxl1jeZPEP9y1MUYI3Ob9Dl7cWFw5aEd6Aq7wBM3lRtJVtTDChapyQeHRZQEY8OMxVE"
    "VhV1DtzDZ5UB12vfQufL/lEBcPePMsFlVVFwHb5SBt6AooUAH/QKAHzQywSYVUUB9kR1Cb"
    "4bJtmUMVMtxmthwCEtzlF5kpAOQGymYxoiWWnaugy1LojmwDU4+3PAep6Z5mctPDt33vX/"
    "5BN3tnBrLq4uf/Wah2bz64urkxjihq8oRwH/7ebqMh3wgCKGt6LKFvoPaaBvtgp3BkU+7n"
    "GIGTbUtNha9zqI404fABxNG5oymOYpBrtGpYwJn6CMDcOYkbZqAE6vbk8uztD767PX5zfn"
    "7mB4U92p5Pr/Z011rPjrs/5FXBweDO/xogxjCShaIQ6rZizcFC2rfrR1b2396h0z8Mug67"
    "WvDtxOpxJo12+WSJaFZ7pVRrELk1Sn2O01RKtzPVBllIwQidAyVtcyDJuUmMVu6+om8H5D"
    "JjBoXKbrxS8IZYhCwBmHUyWyZBB/Y6SoCIuRtVBNWL8sC7mvE0ifQo2lznCGwhChjDNhl3"
    "TX+6OB0OcpxOfvzm4G/XfvIwz5tD84YzW9qP3hlu7EtTe/E/ThfPAWsZ/o76vLszjf9tsN"
    "/ma7Dx3JtuiQ0PlQUsKYeMVeUTToV1dWHOYopRjmWg9zsCNUdpijlGsY5uYoVo0b5WAfs7"
    "i+EaFZSeNYPqDN29mLB/6XgjRMIiKPkpCGduELIhqi2NAUbdzmR04ol+VFBj0xlGuNEUZ1"
    "DOUKL9P0UK4kb10Dqjd+R43iq0VRjciT5bCylb0GUG/dbprFB4piGmJ/dYpAd2dySjBdMM"
    "ezg+gcxArGzl0RjExMLAyz4BVimqYTvgaUICQsVgkoKiY7ScUOR8ciySWTl/IV/ywl9Hz9"
    "3Yuj2PUKyAIGYlhDz0QpvGUaJVtxv7RBhu06NkwxUcoDHSYSMBfal85QSHL2pX2KVnhAq9"
    "6XhkcTU8twPmejHiMToUYrIC9scGEy1kERX24yFspHknJ8ZPVzQMmDK41kJvnpN+bUUJ6I"
    "0wfoorlSrtrjUs4yTjHs/PWdbdcFZ9uKnDCWNVUHwwnprKFqYn5YKDDA8uyutBPET+1OmG"
    "31MtschpueayNH5YpQCWV3BZXLOedaFvgolQB+BeBlgGaSGvOWDXuYRtgXK0UcC+eQcA61"
    "CGbzYGgBu5gYqpKesiT39EKcVPCUFXjKwVBXLXm6AvwROoH9StiPJg9UlTPy9eSiH6MU+K"
    "/gr5vasxGRVK0s/AlCgX559B9UPAdMbZKyOZAddh4hqsxj2pSDKF4er3I5HTaS/WvLfuiN"
    "pf/K8U67OK7BP722DMV19E5HJ2lj/dM1VdXzHdShaJbVoSocGtZIiEaU3s8k4/6JIJ243b"
    "QVJsUejaCTJ6J06vTS7kUnkrIXx8oTDp/o6IlY/eX09N5JOvYbHTVWJa92U43HqKZl7HVj"
    "V3NS9kKLwjtqGpYMGAtEDZZn3svY9wr9SulEw4j3xTfD7gmdE3abzN2EV4HecId22L7Y+a"
    "kXy4hMe/S8iwh+gB6hKf5uBtZZ2s5bVY8VO3T12qHDbGTKGEU+Qevy3B309gqlCtvLyRW2"
    "Fz+H6y+SMhhHiNbiQ6kRzBu5bkA36FgFyHRVtuy0vErZTqsUUuG2Ku+2GsNblN5wjhAJ1M"
    "ujDlY+i5R5SEEdDC0Q6iRDPIbpYsCDobexe6A8tlMt9CdXVxcR6E/O49jevjs5u97Zfx7d"
    "mkt6EjU6UV2oSjD0KFWFqZh8aV2FM7GQKzHHkShyWBSHHj5QuSLaouPbik04Bu8u/6aktK"
    "iZcGnooHsYhUY94d5g8kiZqSkx7EvFmEdWoRTzSxolxhI7NA3YTKjZChSO8vXBJBzlhaHi"
    "Ae6wAuGNzacuwT9YX9dOV23FSzjLt+0s95lXisM8zNiyneYRLloswwD3Pjv37YwW/IJ15r"
    "buwl8yTk8asJQi9R5XL+mFc+pO3OO6Tf+1sBGzoW+muVDERhQniluQ1auFgOYEwVWbKalm"
    "2K4tU1KCCawBUnHovbuN9FOnWNfoYoZJagqqUG2umqhE2xUIsGD37GkYGXTe5XcTWpiHM7"
    "AIhrFqmBaaqRODmwVpcRIlqdcc7nB7e35aQl+0bVXZZTSrzO7lamPnp7FNZPatiD+J/XP4"
    "y6Z2G3KYr7Mx7+gjYU2Df7rQH4X+yPTHEu7PjbK9iMMqjfPFPVo5zM9pWu4eW54sb0GAHZ"
    "mqiRXEgh9YRoWbg4zEetltRTBXvYxhcddVDovayGl/IT2+EekhvA/C+1B3QIX3QXgf6oZp"
    "Xb0PPJ1civbtpZnLVrr9XHbFVG3WHNExkkIZqqEIG0g1mecA7OZUtbsgnVDB66WCz935U1"
    "QB99qL4Odm5X1qDvRNTvv0baGsG3QkjVRokWLD5wAdoxNYF8B6NpblJMjZ99J67cWltKtf"
    "Srud+81qpjhv2NCr/p6jmuFb1DApcNHRdiyTUC6DrAzOfqaDJWmcQ7kVlhsrH6aqPEUOBV"
    "gdTmjcCGuUTEz49QoZLFoSKzxJs3MWfExtoiBralB7MkWqlbRk1tVpahyeb4Lz/kUg3lYN"
    "Hyd3cClowySCtYu7K6uXlsKJtyYnXiL3+BpAXWM+nzqCGuZ+ddI/IgdEUjSQ+AGSbB0keW"
    "ylmMvUpXiF7mCKWLZ5x1yeLDifjtFHW+5hGf7dk9i/P+zvd3nZ6Af49+XL44/26LB3zMok"
    "+eUelB3vuWVoB/QKbEDvLFlmF8F7G/QBK10o+YRlmF7P0z2x230d4eCtoZ5TxsPrE4gIi1"
    "UiLCjb/Ch1T16IREC+AuQlkz5vODtuq6F2BEoS7exMIgFFhVlEklKusynuLVKKiICt9acU"
    "EdFFGzWjRXRRc2+BT55wT7H5Uo/BZxt+3vl73Wnvn8MvZv5xsxFNJRhNhV0GyM7W6AZ2O4"
    "OhQIDkAzbSrbVS1MK4qpdxBROlZKrMgKJ1+UiPDgtoP0eHmdoPq2qiulkZwAe9AgAf9HLS"
    "vaakIWVqSwrEmawhTLIpVaNajNe8CzIDcEB0lTFJQyQirq68VWr4R8+KRscEFCI+ZvX4GG"
    "GcZjOVFhun9cl3KUa9soSX29jbX85em2dLbNPJ0z48a+PjqRe0T3XxwPPR5e3FxXZPkDUT"
    "08zYkwDU7TjO+thQ5WknxVvm1nTzXGRS0GaZUywbUuG+qpf76gEbpptOtKiDJUTSQg/LRu"
    "56YYuqBMJu8xaiu79XZH8UWmWiy+sKBlxkW//ZARflzP+6oV2F/Z/QuKoUZo//B1tKoVI="
)
