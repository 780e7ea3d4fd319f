from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        ALTER TABLE "analysis_results" ADD "stage" VARCHAR(16) NOT NULL DEFAULT '';
        CREATE INDEX IF NOT EXISTS "idx_analysis_deleted" ON "analysis_results" ("deleted_at") WHERE deleted_at IS NOT NULL;
        CREATE INDEX IF NOT EXISTS "idx_analysis_anonymous" ON "analysis_results" ("updated_at") WHERE user_id IS NULL AND deleted_at IS NULL;
        CREATE INDEX IF NOT EXISTS "idx_analysis_re_state_f60ce7" ON "analysis_results" ("state", "updated_at");
        CREATE INDEX IF NOT EXISTS "idx_analysis_history" ON "analysis_results" ("updated_at") WHERE history IS NOT NULL;"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_analysis_history";
        DROP INDEX IF EXISTS "idx_analysis_re_state_f60ce7";
        DROP INDEX IF EXISTS "idx_analysis_anonymous";
        DROP INDEX IF EXISTS "idx_analysis_deleted";
        ALTER TABLE "analysis_results" DROP COLUMN "stage";"""


MODELS_STATE = (
    "eJztXWlz2zYT/isYfYkzo7q+6rhN23fk2GncOnbHlpse6cgUCUmIKYDhYUXT+r+/C/A+Rc"
    "o6SBZfEgvEguADYC8sFv90pkzDurXbU21mdr5D/3SoMsXwR/xBF3UUwwiLeYGtDHVRU+FV"
    "RJEytGwTfkLpSNEtDEUatlSTGDZhlNftIQObFqNdNJwje4IRoxjxVyJrwmZ0l7eiMRWaIX"
    "RclsCh5LODBzYbY6jBP+Ovv6GYUA1/wZb/03gYjAjWtdhXEo03IMoH9twQZRfUfisq8r4M"
    "ByrTnSkNKxtze8JoUJtQm5eOMcWmYmPevG06/NOpo+seRj4abk/DKm4XIzQaHimOzgHk1G"
    "4HwrLOYHB13R/cnvcHg04KXJ8iAp9XpDLKBwa6aomvH/MufHWwf/Tq6OTw+OgEqohuBiWv"
    "ntxXh8C4hAKeq37nSTxXbMWtITAOQRX/p2B9M1HMbFz9+glkoctJZH0c6wvtVPky0DEd2x"
    "OO5zffFAD5W+/mzbvezQ7UeslfyWDpuCvqynt04D57euLzd/QQAZsXDBX1YaaY2iD2JBwG"
    "RSeKha30SJx6hG9/ucG6Ij4xjX50/fd4S8uMhV8QDkbIFzYwGk/+TPNLvdkA5SFMjqk/E6"
    "M7U28rODZ7wHQQcvjlQerzlgJp0has+DpkByxvZaYfTQ+myRKFKmPxSfzd/E3ppZcnmIOF"
    "uUA6DyK8oISQpozLUWQZWNcBFsRGSKFItPTCEtK3iwgU0DlyCTPk9nJtZIjyv9xP4E8FBH"
    "9L2f6fle1bZgNrku5Rhusu10pTN0qyeAIvB3PTpnBKYUognIb3LTMxGdNf8FygfAFdUqia"
    "NXeTllGz0M0TZVBsKrOAjcZmFXw8fDK23bXeu33TOzvvPOXroOuUilzZyhCHng6WLwd9Na"
    "+MjfoHc/rOEKNHomHWRapCGSWqoqP7iW0b1ndffz2bzXbnzLGh1q7Kpl/PFFud/O/xh+/3"
    "95EKzBBeAGbrj/ddEHAamk2YhRGxEbGyLNx1v+4Z9rH30oHjwluW6yfI2mfY7R2dlOH9UC"
    "2f+YuHxdJWSgMpDRovDRLW5CrsyAbqjtsxIamizy1i3WDL/Zi0GRmvUShCFa/uwBSVS4rT"
    "DxOFSyL0gA1bWIHoExuiETPRmDEtLQ8X1P9IP9J7WI22Y4G4uzdMNobuiL+n8D/gcC+E4L"
    "3bSfhhYpCI0KaqEwyDIQqE8/g1Eg1hTgt/cMqdGQhI7L3TBqqPFMN8AZlKYDI6Njxx20UT"
    "RYMO2chmL4FcBbS8906IBWtl7r6Yd5sZfJ4y09qFTjn0HpkETHHoE6aRF/EG/ZeNGTxnvH"
    "/uQtMGCnwIYKLA66aAOHeCC6IHjA1eDO1SbmULqEw2RTOT2LyAwAd7PeZTSigIHMDDwQOe"
    "izbx1LDn8DYVi8qKoxHGy8fwkpLqwz+dcD52HAv7nML1Hrl/u3OC/+DE+IvBRw2mSDCJvY"
    "nprR5/1XdEZZhi4ocwlSLvEsMn+mhoiovTKptXTVyu1Q7RvgyC5eHQEaHEmmAXhKxXoQ/v"
    "zm/OkTuP0Q/oBcxjlbdNxy9Q7+oMhQOPLm7R1d3lZap3YZVKvfPIFnUt0YHrfnYnSgMf7w"
    "RXcedT5liLuuHNJh+Estgs2S1v7S7qlFctDoz0Q23SDwWMLlMvzrdJQorWmSPHRyWMkeOj"
    "XFOEP4q7oR7gs6qA69dvoZtv/7gEuPvHueDyR3FwXa5fBd6QooUAHx6UAPjwIBdg/igOsK"
    "8UVuC7UZJ1mc2bxXglDDhiL7jKdRrSPkjHbEwjJEtNW4+h1gXRArj657/3ectTy/qsR2fn"
    "zvve72LiTufek8vrq5/86pHZ/Oby+jSBuBmYZHHAf769vsoGPKRI4K0R1Ub/Ih30llbhzq"
    "Eoxj0JMceGWTZf634DSdzZI4Cj6wNLZWbGfH+rMyVnwqcoE8Mw4qStGoCz67vTy3P06835"
    "m4vbC28w/KnuPhTG32eduP6im/PeZVIcClu0CmMJKVohDjfNWAKruYr60dZd3LWod1lysh"
    "DeZ0jJpeDtdBoKLne0VcHWr986aFdv8ym2zX2BVbTmKMnmtOa9hqjMEW9SWQ0uQiJVuOVV"
    "ONOhFWaxV3tzE3i/IRMY1FnL24wrCWWEQsKZhJNQVTFpsL9ZVoQlyFqog61elkV2blJIn8"
    "ETm0xxjsIQo0wyYY901/+jgdAXWRsX789v+733v8YY8lmvf86fHMSNO690J6m9BY2gDxf9"
    "d4j/RH9eX50n+XZQr/8n377pKI7NBpTNBooWxcQv9ovisfvhNk/FYY5TymGu9TBHdjorDn"
    "OccgXD3BzFqnGjHEYIlNc3YjRLaRyLB7R526bJ8zuVII2SyADCNKSR+JaSiEYo1jRFG7ez"
    "VBCRafsBfs+MyFxhoGAdIzKjyzQ7IjPNW1eA6m3QUKP4allUY/JkMax8Za8A1DuvmWbxgb"
    "KYRthfnQ6SeDM5IyY2nOP5sbAuYiVDYK8pRhamNoZZ8BpxTdONQgVKEBI2fwgoahY/EMlz"
    "HCQOhCiWKBUr/kXGCZLVNy8zKtQr2g0YiGkPfBOl9H50nGzJzegGGbar2I3GVKsOdJRIwl"
    "xq0z9HISnY9A8oWuEB3fSmP7yaWnqO8zkf9QSZjONaAnlpg0uTsQ6K+GKTscwhvqxTYMsf"
    "50ufP2skMynOojNjpvZMnD5AE82Vcps99egu4wzDLljf+XZdeES1TKIAVScGGE7I4BWJhc"
    "WhvdAAK7K7shIBPLc5abbVy2xzGW52ypwClStGJZXdJVQu97h6VeDjVBL4JYBXAZpxZsxb"
    "PuxRGmlfLBXOLZ1D0jnUIpitw4EN7GJsEi0781Dh0ZAkqeQpS/CUw4FBbHWyBPwxOon9Ut"
    "gPx4+MqDlptwrRT1BK/Jfw102c6ZAqRK8Kf4pQol8d/UeCZ4CpQzM2B/LDzmNEG/OYNuUg"
    "ip+Or1rCjLUk8duyH3ptWfwKvNMejivwT68s0XgdvdPxSdpY/3RNVfViB3UkmmV5qEqHhj"
    "USoiFjD1PFfHgmSKdeM22FSXOGQ2jkmSidua20e9HJuxXKY+ULh09s+Eys/nBb+tXNt/cz"
    "GzZWJd/sppqIUc1KvO3FrhZk3oYapXfUdKyYMBaImfy6CD915mv0E2NjHYt0gO5m2ANlM8"
    "ovhbofi0egN9yjHb4vdnHmxzIiyxm+7CKKH6FFqIq/moJ1lrXztqnXyh26eu3QYT4yVYyi"
    "gKB1SQQPD/ZK5WHbK0jEtpc8hxsskioYx4hW4kOpEcxruTXEMNmIAGQGUW0nK2lVvtMqg1"
    "S6raq7rUbQi8obzjEiiXp11HkmYdUmjxmog6EFQp3miMcoXQJ4MPTWdp2bz3Y2C/3p9fVl"
    "DPrTiyS2d+9Pz2929l/Gt+bSnkSdjYkHVQWGHqfaYCqmQFpvwplYypVY4EiUOSzKQw8fqF"
    "1Tfd4JbMUmHIP3ln9TUlrUTLg0dNB9jCKjnnJvcHmkTUlGDPtCMeaTbVCKBSWNEmOpHZoG"
    "bCbUbAVKR/nqYJKO8tJQiQB3WIHQY+u5S/A33taN21Rb8ZLO8m07ywPmleEwjzK2fKd5jI"
    "uWyzAgvM/utVlDfqGT67buiqudspMGLKTIvI7ZT3rhnrqT1zFv038tbcR86JtpLpSxEeWJ"
    "4hZk9WohoAVBcJvNlFQzbFeWKSnFBFYAqTz03t1G+qkzbOhsPsU0MwVV5GmhmqjF65UIsO"
    "BXTOoYmWzWFZeE2liEM/AIhhExLRtNydgUZkFWnERF6hWHO9zdXZxV0Bcdh2i7nGaZ2b1Y"
    "bex8P3Koyr8ViTfxf45+XNduQwHzdTfmXX0kqmmIT5f6o9Qfuf5Ywf25VrYXc1hlcb6kR6"
    "uA+blVq11HLZLlzSmwI4tYWEM8+IFnVLg9zEmsl19XBnPVyxiWF4kVsKi1nPaX0uM/Ij2k"
    "90F6H+oOqPQ+SO9D3TCtq/dBpJPL0L79NHP5SneQy66cqs2rIzZCSiRDNRRhExGLew7Abs"
    "5Uu0vSSRW8Xir4zJs/ZRVwv74Mfm5W3qfmQN/ktE//LZQNkw2VIYEaGTZ8AdAJOol1Cayn"
    "I1VNg5x/L61fX15Ku/yltNu536xmivOaDb3N33NUM3zLGiYlLjrajmUSyWWQl8E5yHSwII"
    "1zJLfCYmPlw4SoE+RSgNXhhsYNsc7o2IJfr5HJoyWxJpI0u2fBR8yhGrInJnPGE0TstCWz"
    "qkYz4/ACE1y0LwPxtmr4uLmDK0EbJZGsXd5duXlpKZ14K3LipXKPrwDUFebzqSOoUe5XJ/"
    "0jdkAkQwNJHiDJ10HSx1bKuUw9itfoHqaI7Vj33OXJg/PZCH101AOswr97Cv/32/39rigb"
    "fgv/vnp18tEZHh2c8DJFfbUHZSd7XhnaAb0Cm9A6T5bZRdBvkz1irQsln7AK0+tltid2u9"
    "2RDt4a6jlVPLwBgYywWCbCgvHNj0r35EVIJORLQF4x6fOas+O2GmpXoKTRzs8kElJsMItI"
    "Wsp11sW9ZUoRGbC1+pQiMrporWa0jC5q7i3w6RPuGTZf5jH4fMPPP39vuPWDc/jlzD9hNq"
    "KJAqOp8csA+dkaw8ReYzAUCJB8xGa2tVaJWhpX9TKuYKJUTJUZUrQuH+nxUQnt5/goV/vh"
    "j5qobm4M4MODEgAfHhSke81IQ8rVlgyIc1lDlGRdqsZmMV7xLsgUwAHRVcUkjZDIuLrqVq"
    "kZHD0rGx0TUsj4mOXjY6Rxms9UWmyc1iffpRz1jSW83Mbe/mL22jxbYptOnvbhWRsfT72g"
    "fa6LB96Pru4uL7d7gqyZmObGnoSgbsdx1sMmUSedDG+Z96Rb5CJTwjqLnGL5kEr3Vb3cV4"
    "/YtLx0omUdLBGSFnpY1nLXC19UFRD2qrcQ3f29MvujUCsXXfGsZMBFvvWfH3BRzfyvG9qb"
    "sP9TGtcmhdnT/wFCTNYi"
)
