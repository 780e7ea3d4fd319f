from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "analysis_results" ADD "request" JSONB;
        ALTER TABLE "analysis_results" ALTER COLUMN "token_id" DROP NOT NULL;
        ALTER TABLE "dubbing_results" ADD "job_id" VARCHAR(64) NOT NULL UNIQUE;
        DROP TABLE IF EXISTS "youtube_process_jobs";"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DELETE FROM "analysis_results" WHERE "token_id" IS NULL;
        ALTER TABLE "analysis_results" ALTER COLUMN "token_id" SET NOT NULL;
        ALTER TABLE "analysis_results" DROP COLUMN "request";
        ALTER TABLE "dubbing_results" DROP COLUMN "job_id";
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
        CREATE INDEX IF NOT EXISTS "idx_youtube_pro_user_id_18485a" ON "youtube_process_jobs" ("user_id");"""


MODELS_STATE = (
    "eJztXelz2zYW/1cw+hJ7xnFt2TmatN2xY7f11rE7Pppumx2KIiEJNQWoPKxouv7f9z2QlH"
    "iL1GVSwZfEAvFA8AfgXXh4+Kc1FCa1nP0TwxV26x35p8X1IYU/4g/2SEsfjWbFWODqXUvW"
    "1LGKLNK7jmvDTyjt6ZZDocikjmGzkcsEx7onZERtR/A90p0Qd0CJ4JTgK4kzEGO+j62Ywo"
    "BmGO+XJfA4+9ujmiv6FGrgZ/z5Xyhm3KRfqBP+HD1oPUYtM/aVzMQGZLnmTkay7IK7P8qK"
    "2JeuZgjLG/JZ5dHEHQg+rc24i6V9yqmtuxSbd20PP517lhVgFKLh93RWxe9ihMakPd2zEE"
    "Ck9jswK2tp2tX1nXZ7fqdprRS4IUUEvqDIEBwHBrrqyK/vYxdetg+P3xy/PXp9/BaqyG5O"
    "S948+a+eAeMTSniu7lpP8rnu6n4NifEMVPl/CtYPA93OxjWsn0AWupxENsSxvtAO9S+aRX"
    "nfHSCer14VAPnbyc2Hn09udqDWLr5SwNLxV9RV8KjtP3t6wvnbe4iAjQVd3XgY67apxZ7M"
    "hkG3mO5QJz0SpwHhj7/cUEuXn5hGP7r+T7ClRcYiLJgNxowvbGA0nsKZFpYGswHKZzB5tr"
    "UkRve2ta3guOKBcm3G4RcH6Q5bmkqTbcEK16Foi7yVmX40bA+TJTrX+/KT8N34pvTSyxPM"
    "04U5RzprEV5QQkhzgXKUOCNqWQALET2icyJbeuFI6btHGBTwCfEJM+T2Ym1kiPI//U/Apx"
    "KC/yrZ/tXK9mdmA2uS7lGG6y/XSlM3SjJ/Ai8Gc9OmcEphSiCchvdHYVPW57/QiUT5Arqk"
    "cyNr7iYto2ahmyfKoNjWx1M2GptV8PHwydT11/rJ7YeTs/PWU74Ouk6piMpWhjgMdLB8OR"
    "iqeWVs1P8I787rUvLITCr2iKFzwZmhW6QzcN2R8+6bb8bj8f5EeC7U2jfE8Jux7hqDfz1+"
    "/93hITGAGcILwGz9obMHAs4k44FwKGEuYU6Whbvu1y1hHwcv1Twf3rJcP0G2fYbdwfHbMr"
    "wfquUzf/mwWNoqaaCkQeOlQcKaXIUd2UDd8XlMSK5bE4c5N9TxPyZtRsZrFIpQPair2bJy"
    "SXH6aaCjJCIPdORKK5D8JbqkJ2zSF8J8N3XqWtTsg8GINSyLPMAwZQjLZRr7zD/zjpyCHW"
    "ziCushpe4LXqCFtgc6GKeCGBYbOWRC3fekY1OYQI4ricZYx3/pmMH09PCXTQ1hm2jkQg1X"
    "EFPAuzrAMVzPAZHcGdmiD5DJv4fwP4xVRwrqjg8k/LCp3zS8l8KEkQXSwQ3vx4Yo0sIfSL"
    "kzBiFOg15gpz9zCnPajPUI24WPMQEXF/q0C+QGjGjw3gFzYD1P/BcjBmKEa0nYzj50ygOA"
    "bOZQ/FzKIy/CBsOX9QU8F9g/nxmYmu5DpMPrhjArEF5J9EDpCIuhXY4gyRGzxZCMbeZK1O"
    "CDgx7jtH+HBQDgtJOIKoyrfA9MKhhSaNtXdTrOkfZA/Tp0OHIn0CWDyhZ1z2QCy/tQu6Qe"
    "9E9rtrBankNDlue7wfy//cmNP5CYfhnh0EK3pqsxWGEBGwjZV0tWhrUif0ibL/IuOcayjy"
    "NT98FcZfOGTcu12mLmF226zj3eY5w5A+qDkPUq8unn85tz4k928j15AZPdwLZ5/wU5uToj"
    "s9lBLm7J1f3lZap3syqVeheQzetaogPXd9mdKA18vBOoq0+GwnPmdSOYTSEIZbFZsFvB2p"
    "nXqaBaMTDzlgHKusXmF5gyozljeHH14fL+7JzsMHOPiEfgUpalOcBvgQEgW99NTcBpo/nz"
    "T7kMN+kyBH6facLkm48ziq2zHF8fl7AbXx/nWo34KO4xxFVQBdyw/hZ6ZA9flwD38HUuuP"
    "goDq7PVqrAO6PYQoCP2iUAPmrnAoyP4gCHunEFvhslWZeHY7MYr4QBR0w738ZIQ3oHcjUb"
    "0wjJQtM2YKh1QbQArrvz3++w5aHj/G1FZ+fOx5Pf5cQdToInl9dXP4XVI7P5w+X1aQLxwE"
    "RMI/7v2+urbMQjJAnETWa45H/EYk6Zydwc5BGLYuSTICM2wnFxtYcNpJEP/RblgQ8pFO6L"
    "4x5TxTP8p5bQc1hNijIxDD0k3aoBOLu+P708J7/enH+4uL0IBiNkMv5DaVH9bTHfqXpzfn"
    "KZVESkn6MKS59RbIUismmWPvXIVFH8tjXUYS2KdZaGUgjvEvrJQvC2Wg0FFz29VbAN628d"
    "tKu3tnXXRT9zFXslSrI5e+VgXQCv2FiJeCrLanAREqXCLaE6e7zCLA5qb24CHzZkAoM66w"
    "Q71iWhjFAoOJNwMm7oNp8GAZQVYQmyLdTBVi/LIrs2KaTP4InLhjRHYYhRJplwQLof/tFA"
    "6IusjYuP57d3Jx9/jTHks5O7c3zSjht3QelOUnubNkI+Xdz9TPAn+eP66jzJt6f17v7Ajb"
    "mW7rlC42Ks6WYUk7A4LIofcJltIVYc5jilGuZaD3NkF73iMMcpVzDMzVGsGjfKsW33kvpG"
    "jGYhjWP+gDZvwzp5yK0SpFEShWgK0UjMSElAIxRrwrNxW3oFUctuGAS7ZNRy2WDaes3Wsk"
    "HL0UWaHbSc5qwrAPV22tBWohqTJvNhxYW9AlDvg2aaxQbKYhrhfnU6axXM5Iyw8dkczw8X"
    "9xErGSV+zSlxKHcpzIL3BPVMPwgaKEFGuPgQUDQdPDOMwcCJM1O6HyIsV/yLjLjx1Tevko"
    "7UK8oQGIjtaqGBUno3Ok624FZ0g8zaVexFU25WBzpKpGAuteWfo5AUbPlPKbbC/7npLX94"
    "NXesHNdzPuoJMhU/twDyz2CB1+wk5pZZjDVDd3UmY5lzrlkHJRc/8Zo+otlIZlKcaGosbH"
    "NJnD5BE82Vcps9GOwv4wzDbrq+8+262SnuMrk08CQtHoodYUXmUHlmdGaAFdldWbkylm1u"
    "vtn2Z+uR0TGMh+eLEf+gZ/RIXMYRt9ZAdwYwdsc7n4Hgc2u3lTz05qOmOQNhy2aLjuWFuj"
    "J5SWb2CfmOtA/U2bXNWpW+PMhOelWgEcaolC6+gEboJ5yoCnycSgG/APAGQNPPDMjLhz1K"
    "o8yfhWLNle9K+a62CGbnSHOBXfRtZmbnDis8t5IkVTxlAZ5ypI2YawwWgD9Gp7BfCPtu/1"
    "EwIydxXiH6CUqF/wLuxIE37HKdWVXhTxEq9KujHzefy8bEx4jUMZlkRFWYUbNaIpW15OF8"
    "Zj/52hJxFnjPAxxX4D9f2V0BdfSexyep8p9v0H8eCbZZHKnSkWs1tWaKIeoK8TDU7YclQT"
    "oNmtlWmEyv24VGlkTpzG+l9JprJFTqdpTn28GSAaFZieCDQNGCTPBQo/T2lUV1m2MmWRuv"
    "LwnTpL4nPwnRt6jM6ujvPD1wMeZ4SVmnLx+BEOyQHdyEujgLAweJ43V39winj9AiVKUvh2"
    "BrZG1zbeq1KoqxXvtNFEemioY/Jdi6TIlH7YMSmj3UKsg2d5A88jpdJFUwjhGtxCNQI5jX"
    "covNyBY9BpCNmOF6Wfmh8l0wGaTKCVPdCdODXlTePo0RKdSro44JoQ2XPWagDmYDCHWeIx"
    "6jdAngwWxZ2/WCIdvZLPSn19eXMehPL5LY3n88Pb/ZOdyNbzSl3WKW6LMAqgoMPU61waxH"
    "U2m9Cc9YKb9YgVdMpYsoDz18oHnNrUlraiU24cR5sPybkj2iZsKloYMeYhQZ9ZRjA+WROW"
    "QZAeNzxVhItkEpNi1plBhLbTcoz7hy+yq3bwOgcsLA76WguvVb2VaQZMi9FmQ5XxKq37Ct"
    "m1nC9G3Ba53+8Sm/yvCRR3lZvp88xjjLneCXDmf/crbuRF7Ehp7qPXkpV/ah/LkUmTeCh0"
    "kl/FNtyRvB864vipshS17gpfzim/SLK9szH/pmmiFlbE91LHgLMnPVbr2s96D1ZvMd1Q3c"
    "lSU8SrGBFWCqzq7vPUcWqTM6ssRkSHlmJqnI00Jt1IzXKxG6gXeQWpTYYrwnr5p1qQyUwN"
    "iIHrMdlwxZ35aWR1YERkXqFQdS3N9fnFXQGD2PmftIs8jsnq84tr7redyQd+/KN+E/xz+s"
    "ax+jgPv6W/6+RhLVNeSnKw1SaZCoQVZwrK6V7cVcYVmcL+krK2B+ftVqF6/LnHcTDuzIYQ"
    "41CYZVYGKE2yP/7mxkZdObvYe6iddm52TOW6QVFVpWLxNaXcO71ssU1AVtBVJjLYkKlED/"
    "SgS6cgl9fS6hpgHaJI9QHZ0XyiH09TiEZKK+DIMoTOCXbwdNswSWs36wOhE9okdyf0MRtQ"
    "lz0JnDzGx7pySdsnDqZeGMg/lTVgEP66tI92alrGoO9E3OWPV1oTyyRVfvMqiRYcMXAJ2g"
    "U1iXwHrYM4w0yPn3/Yb11WW/i1/2+zz3xtVMcV6zobf5G6Rqhm9Zw6TEFVLPY5mEMblZNx"
    "7NwnULrjyKRAaX3KCBifGS8X1y4TpENwxowI+JdIih2zbYGlDOTLLTcZjZ2ZVbLgNhmXgl"
    "kSV4P7yayBZjNE7QDgFjhWMgJfzEuMqcLZ3NvHfFJlLB/c/buU9x1C51Br7gCPyu2hdXbv"
    "SUG92GkRgvNOpxys2M+kbX3/YOunL0K0f/s+t+S1x1GdG0R5S72uwikiVOYWFLK9wHqEW0"
    "7VoPFkUQy1KTY3gWaMqJESwR0MkJ/TJiNjVj+qofeDQGdZR+MQY6hz7vSR896K+dv1zWeU"
    "86jicJBEw83e0E+irpyB+iR8bYAnNJlxrwMRnBoJt88xIaM7yzisocVFc6c2Wd2Z+81XWn"
    "KJ3SnBqkOcWWcYbAYf18J1qSdJsO0Xzbbh8dvWkfHL1+++r4zZtXbw+mKlX6UZFudXrxE6"
    "pXsfFNR6oE7pWKYYxxqu3Lgb0aflfk15y5vpZ1bK7yzHsdtdv4XKuTazOSYTZDbYvnn51z"
    "918k4+18te3TgBkD4lMQPdCcuhR9iKhHvSc26uigWuHNfn5O057wZGC5Lbz+IDMofVWNZh"
    "4un0YXyfZTp8tVTMcmYzr8G90qQRslUV6LtBRVIbTqsuVaCMv58YmpGyFXAOoKs6zXEdQo"
    "96uT/hHL4ZOhgSRz/OTrIOnMQuW2WgOK9+h4gYnhUAIaAbWhHC8fAjUiTLo+0EFlcMkQbE"
    "jMSJO9gbpUa/OdPBvJYRO/1nitbYefUNxky2OmFh9fbUS5ibjnvSq4MxmWves55Hvy4rNn"
    "tKkB/x7o+O+3h4cvVLqeZ9Da0rjOubh3neZ5XYK71nMUTmCUeoZjquDK3hmJgnwByCteLL"
    "jmC9i2Gmqfs1fy+E0pNpjbOy12Wuvi3irRtwoJ+jqiQ55jU+OrCQ+pRazC3uriQ9Zpvp5Q"
    "mxmDVobhGjzZKzJZ9VmdeaZqPqDquGG9jJxHamdvi+UrJhGSrVAFN3CVFC6qCggH1bcQ3c"
    "ODMooe1MpFVz4raTnmn8bKtxyrHciqG9qbOJGV0g42Kcye/g+rixtz"
)
