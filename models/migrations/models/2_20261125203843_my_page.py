from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_video_reque_user_id_223a22";
        DROP INDEX IF EXISTS "idx_bookmarks_user_id_a8e8e3";
        CREATE INDEX IF NOT EXISTS "idx_analysis_completed" ON "analysis_results" ("user_id", "token_id", "script_id", "created_at") INCLUDE (id, overall_score, kind) WHERE status = 'completed' AND deleted_at IS NULL;
        CREATE INDEX IF NOT EXISTS "idx_bookmarks_user_id_577fae" ON "bookmarks" ("user_id", "created_at", "id");
        CREATE INDEX IF NOT EXISTS "idx_video_reque_user_id_1d8ec2" ON "video_requests" ("user_id", "created_at", "id");
        CREATE INDEX IF NOT EXISTS "idx_video_reque_created_64e60f" ON "video_requests" ("created_at", "id");
        CREATE UNIQUE INDEX IF NOT EXISTS "uid_video_requests_pending" ON "video_requests" ("user_id") WHERE status = '심사중';"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "uid_video_requests_pending";
        DROP INDEX IF EXISTS "idx_video_reque_created_64e60f";
        DROP INDEX IF EXISTS "idx_video_reque_user_id_1d8ec2";
        DROP INDEX IF EXISTS "idx_bookmarks_user_id_577fae";
        DROP INDEX IF EXISTS "idx_analysis_completed";
        CREATE INDEX IF NOT EXISTS "idx_bookmarks_user_id_a8e8e3" ON "bookmarks" ("user_id");
        CREATE INDEX IF NOT EXISTS "idx_video_reque_user_id_223a22" ON "video_requests" ("user_id");"""


MODELS_STATE = (
    "eJztXVlz27YW/isYvcSZcR1vdXObtnfkWG3cOnbHlpsu6cgUCUmoKUDhYkXT6/9+DwDum0"
    "hZokkFL4kF4oDgB+BsODj4tzNlBjbtva7uMKvzLfq3Q7Uphj/iD3ZRR5vNwmJe4GhDU9TU"
    "eBVRpA1tx4KfUDrSTBtDkYFt3SIzhzDK63bRDFs2o7touEDOBCNGMeKvRPaEzekeb8VgOj"
    "RD6LgsgUvJJxcPHDbGUIN/xl9/QzGhBv6Mbf/n7H4wItg0Yl9JDN6AKB84i5koO6fOj6Ii"
    "78twoDPTndKw8mzhTBgNahPq8NIxptjSHMybdyyXfzp1TdPDyEdD9jSsIrsYoTHwSHNNDi"
    "Cnlh0IyzqDweVVf3DT6w8GnRS4PkUEPq9IZ5QPDHTVFl8/5l346vDg+Jvj10cnx6+hiuhm"
    "UPLNo3x1CIwkFPBc9juP4rnmaLKGwDgEVfyfgvXtRLOycfXrJ5CFLieR9XFsLrRT7fPAxH"
    "TsTDieX39dAORv3eu377rXO1DrJX8lg6UjV9Sl9+hQPnt85PN3dB8BmxcMNf1+rlnGIPYk"
    "HAbNJJqN7fRInHqEP/5yjU1NfGIa/ej67/KWVhkLvyAcjJAv1DAaj/5M80u92QDlIUyuZT"
    "4Ro1vL3FZwHHaP6SDk8KuD1OctBdJkW7Di65AdsryVmX40PZwmSzSqjcUn8XfzN6WXXp5g"
    "DhbmEuk8iPCCEkKaMi5HkT3DpgmwIDZCGkWipRe2kL67iEABXSBJmCG3V2sjQ5T/JT+BPx"
    "UQ/K1k+xcr25+ZDWxIukcZrlyulaZulGT5BF4N5rZN4ZTClEA4De+PzMJkTH/BC4HyOXRJ"
    "o3rW3E1aRu1CN0+UQbGlzQM2GptV8PHwydiRa71787Z71us85uugm5SKXNnKEIeeDpYvB3"
    "01r4yN+gdz++4QowdiYLaLdI0ySnTNRHcTx5nZ3756NZ/P9xbMdaDWns6mr+aao0/++/D9"
    "dwcHSAdmCC8As/WHu10QcAaaT5iNEXEQsbMs3E2/7gn2sffSgSvhLcv1E2TbZ9jtH78uw/"
    "uhWj7zFw+Lpa2SBkoatF4aJKzJddiRLdQdn8eEpJq5sIl9jW35MWkzMl6jUIRqXt2BJSqX"
    "FKcfJhqXROgezxxhBaJ/2BCNmIXGjBlpebik/kf6kd7BanRcG8Td3cxiY+iO+HsK/wMOd0"
    "II3slOwg8Lg0SENnWTYBgMUSCcx2+QaAhzWviDU+7MQUBi750OUH2kGOYLyFQCk9F14Ils"
    "F000AzrkIIe9BHId0PLeOyE2rJWFfDHvNpvxecosew865dI7ZBEwxaFPmEZexBv0XzZm8J"
    "zx/smFZgw0+BDARIPXTQFx7gQXRPcYz3gxtEu5lS2gstgUzS3i8AICH+z1mE+pb3kBABh0"
    "EhrlXnXxHhgwpJnQtlQj7uyjwT2WdfB05iygSzoWLWquQRgvH0PtkjrGv51w0nZcG/vsRL"
    "qY5N9y4vAfnBh/nvGhhW4FM92bvd4S81lDR1SGeSh+CHsq8i4xxqKPM0OTYK6zed3C5Vrt"
    "EOPzIFhDLh0RSuwJliBkvQp9eNe77iE52dH36AVMdp23TccvUPfyDIWzA53foMvbi4tU78"
    "IqlXrnkS3rWqIDV/3sTpQGPt4Jrgcvpsy1l3XDm00+CGWxWbFb3tpZ1imvWjEwy5YBlyOr"
    "zS8wE2ZLxvD88u3F7VkP7RBjF7EH4FKmObB1UH120T2s3JepCRg0mj//lDuuTncc8PtM8y"
    "DfNAspts4qOzkuYZOdHOdaZPxR3BvHV0EVcP36W+jtPDgpAe7BSS64/FEcXMlWqsAbUmwh"
    "wEeHJQA+OswFmD+KA+zrxhX4bpRkU96DejFeCwOOmE3SxkhD2ge5mo1phGSlaesx1KYgWg"
    "BXv/d7n7c8te1PZnR27rzv/i4m7nThPbm4uvzJrx6ZzW8vrk4TiFuBZRoH/Oebq8tswEOK"
    "BN4G0R30P2SCZrZVuHMoinFPQsyxYbbD17rfQBL3mEKY4SEzmZYz4VOUiWEYcdKtGoCzq9"
    "vTix769br39vzm3BsMf6rLh0Kv/2QS6Ta77nUvkuJQWNtVGEtIsRXisG7GEvgFqqgf27qZ"
    "vRH1LktOFsL7BCm5ErydTkvB5f7GKtj69bcO2vXbfJrjcG9nFa05SlKf1rzfEpU54i8rq8"
    "FFSJQKt7oKZ7m0wiz2atc3gQ9aMoFBnbW9PcmSUEYoFJxJOAnVNYsG27xlRViCbAt1sPXL"
    "ssjeQQrpM3jikCnOURhilEkm7JHu+X+0EPoia+P8fe+m333/a4whn3X7Pf7kMG7ceaU7Se"
    "0taAR9OO+/Q/wn+vPqspfk20G9/p98e6ijuQ4bUDYfaEYUE7/YL4ofYQg3sioOc5xSDXOj"
    "hzmyl1txmOOUaxjm9ihWrRvl2OZvSX0jRrOSxrF8QNu3bZo8xlQJ0iiJiqNMQxoJXSiJaI"
    "RiQ1O0dTtLBYGpjh/n+MTA1DXGSzYxMDW6TLMDU9O8dQ2o3gQNtYqvlkU1Jk+Ww8pX9hpA"
    "vfWaaRcfKItphP016TyNN5MzQoPDOZ4fEiwRKxkJfEUxsjF1MMyCN4hrmjIYFyhBSDj8Ia"
    "Bo2PxcKA9KTZyL0WSoqljxLzIO0qy/eZVYolnRbsBALGfgmyil96PjZCtuRrfIsF3HbjSm"
    "RnWgo0QK5lKb/jkKScGmf0CxFR7Qujf94dXUNnOcz/moJ8hUHNcKyCsbXJmMTVDEl5uMZc"
    "4yZh2GW/1UY/oYXiuZSXEyoTmzjCfi9AGaaK+Uq/fwp1zGGYZdsL7z7brwpG6ZfAm6SWZg"
    "OKEZr0hsLM4uhgZYkd2VlQ/hqc0ps61ZZptkuNmZgwpUrhiVUnZXULnkqf2qwMepFPArAK"
    "8DNOPMmLd82KM0yr5YKZxbOYeUc2iLYLaPBg6wi7FFjOwETIVHQ5KkiqeswFOOBjPi6JMV"
    "4I/RKexXwn44fmBEz8k+Voh+glLhv4K/buJOh1QjZlX4U4QK/eroPxA8B0xdmrE5kB92Hi"
    "OqzWPaloMoflbCagkzNpLL8Jn90BtLZljgnfZwXIN/em351pvonY5P0tb6pxuqqhc7qCPR"
    "LKtDVTo0rJUQDRm7n2rW/RNBOvWa2VaYDHc4hEaeiNKZbGW7F526YqI8Vr5w+IcNn4jVH7"
    "KlX2VGwZ/ZsLUqeb2baiJGNSv/uBe7WpCAHGqU3lEzsWbBWCBm8Vsz/Ayib9BPjI1NLBIe"
    "ys2we8rmlN+NdTcWj0BvuEM7fF/s/MyPZUS2O3y5iyh+gBahKv5qCtZZ1s5bXa9VO3TN2q"
    "HDfGSqGEUBwdYlETw63C+Vh22/IBHbfvIcbrBIqmAcI1qLD6VBMG/k8pSZxUYEIJsR3XGz"
    "klblO60ySJXbqrrbagS9qLzhHCNSqFdHnedK1h3ykIE6GFog1GmOeIzSJYAHQ29jt9r5bK"
    "de6E+vri5i0J+eJ7G9fX/au945eBnfmkt7Ek02Jh5UFRh6nKrGVEyBtK7DmVjKlVjgSFQ5"
    "LMpDDx9oXFFz0QlsxTYcg/eWf1tSWjRMuLR00H2MIqOecm9weWRMSUYM+1Ix5pPVKMWCkl"
    "aJsdQOTQs2Exq2ApWjfH0wKUd5aahEgDusQOix/dQl+Btv61o2ta14KWf5czvLA+aV4TCP"
    "MrZ8p3mMi5bLMCC8z/L2sCG/skq6rXfF5VXZSQOWUmTeSu0nvZCn7pK3Uudd8xO3SZ540Z"
    "VyktfpJFeGaD707bRJyhii6tjyFqQOa9x62exB8HrzMTUN3LUlZEqxgTVgqs7W7z5Hlqsz"
    "PDPZYoppZqaryNNCbdSI1ysRx8Hv6jQxsth8V1zJ6mARNcEDJUbEsh00JWNLWB9Z4RgVqd"
    "ccVXF7e35WQWN0XWLscZpVZvdyxbHz3cilurijVryJ/3P8w6Y2NQq4r9z/lxpJVNcQn640"
    "SKVBcg2ygpd1o2wv5hfL4nxJx1kB85NVq13+LXLyLSiwI5vY2EA8xoInbrg5ysnfl19XxY"
    "w1yxxW95UVsKiNJBVQ0uMLkR7K//Dl+R/aBmib3A9NtJSV9+HL8T6IrHUZ2refzS5f6Q5S"
    "5pVTtXl1xEZIiyTChiJsIWJzzwHYzZlqd0k6pYI3SwWfe/OnrALu11cx1u1KL9Ue6NucXe"
    "rLQnlmsaE2JFAjw4YvADpBp7AugfV0pOtpkPOvv/Xrq7tvV7/79nmuUWuY4rxhQ6/+65Qa"
    "hm9Zw6TEfUrPY5lEUibkJYoOEiosyRYdSeGw3Fj5MCH6BEkKsDpkBN4Qm4yObfj1Blk8KB"
    "MbIhe0PHI+Yi41kDOxmDueIOKkLZl1NZoZ7heY4KL9VLyfMnzqNHxkiuJK0EZJFGtXV2TW"
    "Ly2VE29NTrxUivM1gLrGtEFNBDXK/Zqkf8TOoWRoIMlzKvk6SPp0TDmXqUfxhrs/YWLYGI"
    "FGgC0o59k0QY3wc+JMNFAZHDQFu4OfEch2pD6pteXu1VpOFfDlFXnNJtv2P6G4yY5LjEF8"
    "fAczTA2Oe96r0Id3vesegmXvuDb6Hr346OqHWId/9zX+738ODl6oAxTPoLVV8VcHBCpeZJ"
    "V4Eca3cipdLhghUZCvAHnFTNkbTim81VBLzp5GOz/9SkhRY+qVtNjpbIp7qzwsKvxs/XlY"
    "mhgrpc5qqbNajTBf04kBMmzYzOwB+Yasn7ZgJusH6QvKmbPCTALrEobT4Hco8rNCYFd5jc"
    "FQIEDyAVvZ5mslahUN1CzzCiZKxQyjIcXWpXE9OS6h/5wc5+o//FEbFc7aAD46LAHw0WFB"
    "ltyM7K1cccmAOJc1REmUspGxqzMFcEB0VTFKIyQqTrC6XWoFR+nKRvuEFCreZ/V4H2We5j"
    "OVLTZPm5MmVI16bXlCnyNWYTl7bZ8t8Zxunu3DszFOnmZB+1QXD7wfXd5eXDzvibh2Ypob"
    "SxOC+jyOsy62iD7pZHjLvCe7RS4yLayzzCmWD6lyXzXLffWALdvLwlrWwRIh2UIPy0auyO"
    "GLqgLCXvUtRPdgv8wOKdTKRVc8KxlykW/954dcVDP/m4Z2HfZ/SuOqU5g9/h+pOYyS"
)
