from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "sessions" (
    "id" VARCHAR(32) NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMPTZ NOT NULL,
    "renewed_at" TIMESTAMPTZ NOT NULL,
    "user_id" INT NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_sessions_renewed_82b10e" ON "sessions" ("renewed_at");
CREATE INDEX IF NOT EXISTS "idx_sessions_user_id_80072d" ON "sessions" ("user_id");
COMMENT ON TABLE "sessions" IS 'One sign-in. Its access tokens carry its id (`sid`) and hold as long as the row is there; none is kept.';
        CREATE TABLE IF NOT EXISTS "spent_tokens" (
    "jti" VARCHAR(32) NOT NULL PRIMARY KEY,
    "spent_at" TIMESTAMPTZ NOT NULL,
    "successor_iat" BIGINT NOT NULL,
    "session_id" VARCHAR(32) NOT NULL REFERENCES "sessions" ("id") ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS "idx_spent_token_spent_a_e121d8" ON "spent_tokens" ("spent_at");
CREATE INDEX IF NOT EXISTS "idx_spent_token_session_7d2d2a" ON "spent_tokens" ("session_id");
COMMENT ON TABLE "spent_tokens" IS 'An expired access token that was exchanged, by its `jti`; `successor_iat` is the `iat` of what it became.';"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS "spent_tokens";
        DROP TABLE IF EXISTS "sessions";"""


MODELS_STATE = (
    "eJztXVlz27YW/isYvcSeUV1vcdKm7R07Vhu3jt3x0nTJHYkiIQk1BbBcrGh6/d/vAbivIr"
    "WZpPGSWCAOCH4AzoaDg387U6Zh3do7VW1mdr5F/3aoMsXwR/xBF3UUwwiLeYGtDHVRU+FV"
    "RJEytGwTfkLpSNEtDEUatlSTGDZhlNc9RQY2LUa7aDhH9gQjRjHir0TWhM3oHm9FYyo0Q+"
    "i4LIFDyT8O7ttsjKEG/4y//gvFhGr4C7b8n8ZDf0SwrsW+kmi8AVHet+eGKLug9o+iIu/L"
    "sK8y3ZnSsLIxtyeMBrUJtXnpGFNsKjbmzdumwz+dOrruYeSj4fY0rOJ2MUKj4ZHi6BxATu"
    "12ICzr9PtX13f9295dv99JgetTRODzilRG+cBAVy3x9WPeha8OD47fHL89Ojl+C1VEN4OS"
    "N0/uq0NgXEIBz9Vd50k8V2zFrSEwDkEV/6dgfT9RzGxc/foJZKHLSWR9HOsL7VT50tcxHd"
    "sTjufr1wVA/nZ68/7D6c0O1Nrlr2SwdNwVdeU9OnSfPT3x+Tt6iIDNC4aK+jBTTK0fexIO"
    "g6ITxcJWeiTOPMIff7nBuiI+MY1+dP2f8paWGQu/IByMkC9sYTSe/Jnml3qzAcpDmBxTXx"
    "Gje1NvKzg2e8C0H3L45UG64y0F0qQtWPF1yA5Z3spMP5oeTpMlClXG4pP4u/mb0ksvTzAH"
    "C3OBdO5HeEEJIU0Zl6PIMrCuAyyIjZBCkWjplSWkbxcRKKBz5BJmyO3l2sgQ5X+5n8CfCg"
    "j+K2X7i5Xtz8wGNiTdowzXXa6Vpm6UZPEEXg7mpk3hlMKUQDgN74/MxGRMf8FzgfIFdEmh"
    "atbcTVpGzUI3T5RBsanMAjYam1Xw8fDJ2HbX+unt+9PzXucpXwfdpFTkylaGOPR0sHw56K"
    "t5ZWzUP5hz5wwxeiQaZl2kKpRRoio6Gkxs27C+/frr2Wy2N2eODbX2VDb9eqbY6uQ/j99/"
    "d3CAVGCG8AIwW38YdEHAaWg2YRZGxEbEyrJwN/26Fexj76V9x4W3LNdPkLXPsNs/fluG90"
    "O1fOYvHhZLWykNpDRovDRIWJPrsCMbqDs+jwlJFX1uEesGW+7HpM3IeI1CEap4dfumqFxS"
    "nH6aKFwSoQds2MIKRH+zIRoxE40Z09LycEH9z/QzHcBqtB0LxN3AMNkYuiP+nsL/gMNACM"
    "GB20n4YWKQiNCmqhMMgyEKhPP4HRINYU4Lf3DKnRkISOy90waqzxTDfAGZSmAyOjY8cdtF"
    "E0WDDtnIZrtArgJa3nsnxIK1MndfzLvNDD5PmWntQaccOkAmAVMc+oRp5EW8Qf9lYwbPGe"
    "+fu9C0vgIfApgo8LopIM6d4ILoAWODF0O7lFvZAiqTTdHMJDYvIPDBXo/5lPqWFwCAQSeh"
    "Ue5VF++BAUOKDm27asTAOuo/YLcOnhr2HLqkYtGi4miE8fIx1C6pY/zbCSdtx7Gwz05cF5"
    "P7tztx+A9OjL8YfGihW8FM92avt8R81tARlWEeih/Cnoq8S4yx6KOhKS6Y62xeNXG5VjtE"
    "+9IP1pBDR4QSa4JdELJehT596N30kDvZ0ffoFUx2lbdNx6/Q6dU5CmcHurhFV/eXl6nehV"
    "Uq9c4jW9S1RAeu77I7URr4eCe4HjyfMsda1A1vNvkglMVmyW55a2dRp7xqxcAsWgZcjiw3"
    "v8BMMBaM4cXV+8v78x7aIVoXsUfgUrret1RQfbroAVbubmoCBo3mzz/pjtumOw74faZ5kG"
    "+ahRSts8pOjkvYZCfHuRYZfxT3xvFVUAVcv34LvZ0HJyXAPTjJBZc/ioPrspUq8IYULQT4"
    "6LAEwEeHuQDzR3GAfd24At+NkmzKe7BdjNfCgCNmk2tjpCG9A7majWmEZKlp6zHUuiBaAN"
    "dd7/c73vLUsv7Ro7Nz5+Pp72LiTufek8vrq5/86pHZ/P7y+iyBuBlYpnHAf769vsoGPKRI"
    "4K0R1Ub/QzpoZq3CnUNRjHsSYo4Ns2y+1v0GkrjHFMIMD5nOlJwJn6JMDMOIk7ZqAM6v78"
    "8ue+jXm977i9sLbzD8qe4+FHr9Pzpx3WY3vdPLpDgU1nYVxhJStEIcbpuxBH6BKupHWzez"
    "N6LeZcnJQnhXkJJLwdvpNBRc7m+sgq1fv3XQrt/mU2ybezuraM1Rku1pzfsNUZkj/rKyGl"
    "yERKpwy6twpkMrzGKv9vYm8EFDJjCos5a3J1kSygiFhDMJJ6GqYtJgm7esCEuQtVAHW78s"
    "i+wdpJA+hyc2meIchSFGmWTCHume/0cDoS+yNi4+9m7vTj/+GmPI56d3Pf7kMG7ceaU7Se"
    "0taAR9urj7gPhP9Of1VS/Jt4N6d3/y7aGO4tisT9msr2hRTPxivyh+hCHcyKo4zHFKOcy1"
    "HubIXm7FYY5TrmGYm6NYNW6UY5u/JfWNGM1SGsfiAW3etmnyGFMlSKMkMo4yDWkkdKEkoh"
    "GKDU3Rxu0sFQSm2n6c44qBqWuMl6xjYGp0mWYHpqZ56xpQvQ0aahRfLYtqTJ4shpWv7DWA"
    "eu810yw+UBbTCPur03kabyZnhAaHczw/JNhFrGQk8DXFyMLUxjAL3iGuabrBuEAJQsLmDw"
    "FFzeLnQnlQauJcjOKGqooV/yrjIM36m5eJJeoV7QYMxLT7volSej86TrbkZnSDDNt17EZj"
    "qlUHOkokYS616Z+jkBRs+gcUrfCAbnvTH15NLT3H+ZyPeoJMxnEtgby0waXJWAdFfLHJWO"
    "YsY9ZhuOVPNaaP4TWSmRQnE5oxU1sRp0/QRHOl3HYPf7rLOMOwC9Z3vl0XntQtky9B1YkB"
    "hhMyeEViYXF2MTTAiuyurHwIqzYnzbZ6mW0uw83OHFSgcsWopLK7hMrlntqvCnycSgK/BP"
    "AqQDPOjHnLhz1KI+2LpcK5pXNIOodaBLN11LeBXYxNomUnYCo8GpIklTxlCZ5y1DeIrU6W"
    "gD9GJ7FfCvvh+JERNSf7WCH6CUqJ/xL+uokzHVKF6FXhTxFK9Kuj/0jwDDB1aMbmQH7YeY"
    "xoax7TphxE8bMSVkuYsZFchs/sh95YMsMC77SH4xr802vLt15H73R8kjbWP11TVb3YQR2J"
    "ZlkeqtKhYY2EaMjYw1QxH1YE6cxrpq0wac5wCI2siNK520q7F528YqI8Vr5w+JsNV8TqD7"
    "elX92Mgj+zYWNV8u1uqokY1az8417sakECcqhRekdNx4oJY4GYyW/N8DOIvkM/MTbWsUh4"
    "6G6GPVA2o/xurMFYPAK9YYB2+L7Yxbkfy4gsZ7jbRRQ/QotQFX81Bessa+dtW6+VO3T12q"
    "HDfGSqGEUBQeuSCB4d7pfKw7ZfkIhtP3kON1gkVTCOEa3Fh1IjmDdyeYphshEByAyi2k5W"
    "0qp8p1UGqXRbVXdbjaAXlTecY0QS9eqo81zJqk0eM1AHQwuEOs0Rj1G6BPBg6G3sVjuf7W"
    "wX+rPr68sY9GcXSWzvP571bnYOduNbc2lPos7GxIOqAkOPU20xFVMgrbfhTCzlSixwJMoc"
    "FuWhhw/Urqk+7wS2YhOOwXvLvykpLWomXBo66D5GkVFPuTe4PNKmJCOGfaEY88m2KMWCkk"
    "aJsdQOTQM2E2q2AqWjfH0wSUd5aags/9qPlaC6dVtpK0jiFACwKeixtSqf+o23deM21Va8"
    "5I7Cc+8oBBw+Y1chyv3zdxZioqZcGgbhonevWBvye71c335X3PCVnVlhIUXm1d1+ZhD3aG"
    "Ly6u68u5DihtuKt4HJnYRt7iRIaz0f+mYabmWsdXm2uwX51Wq3XjZ7Wn67SavqBm7ZcMSF"
    "WatSbGANmMoEBN3nSAV2jg2dzaeYZqYDizwt1Ea1eL0SwS78QlMdI5PNuuLeWhuL0BIeTT"
    "IipmWjKRmbwvrIilmpSL3m0JP7+4vzChqj4xBtj9MsM7sXK46d70YOVcVFvuJN/J/jHza1"
    "81PAfd0gCVcjieoa4tOlBik1SK5BVnBFb5TtxZyHWZwv6V0sYH5u1Wo3pIvEhXMK7MgiFt"
    "YQD0Th2S1uj3KSHObXlYF19TKH5aVuBSxqI5kXpPR4IdJD+h9env+haYA2yf1QR0tZeh9e"
    "jvdBpPbL0L79lH/5SneQV7Ccqs2rIzZCSiRbOBRhExGLew7Abs5Uu0vSSRW8Xir4zJs/ZR"
    "Vwv74MRG9WDq7mQN/kFFwvC2XDZENlSKBGhg1fAHSCTmJdAuvpSFXTIOffEezXlxcEL39B"
    "8PPcNVczxXnDht7275yqGb5lDZMSl049j2Xih8xm3ZEURtMWXJIUCdwtuRsAE+MrQvfQhW"
    "0hReUBlW4AnoVUxTTB1oByoqGdgUW0wS5SqIYmTNf4JUY6o2P/MiOTzbhxwu0QMFYoj9qD"
    "nzyIL2dnYTvvXbOJVHBn9PKafM2MpMQZ9VJH1AtOqO/KTVjpRk+50U0YidlSox6n3M6ob3"
    "X9tXfQpaNfOvqfXfdb4XLMiKZtYGr3w6tLVjgkxVta4z5ALUI7N3qKJYJYlpocw7NAU06M"
    "YInoQYrwF4OYWIvpq6B6KjaagTqKv6gThUKfu8JHD/rr4G+bDN6hgeUIAgYTT7EHnr6KBu"
    "IHG6EZb4HYaIhV+JiMyMNtvnkFjRneWUVl9qpLnbmyzuxO3uq6U5ROak4N0pxiyzhD4JBx"
    "vhMtSdqmExvfHB4eHb053D86efv6+M2b12/3A5Uq/ahItzq7+ImrV7HxTUeqeO6VitnV4l"
    "Tty+q9Hn5X5NcMXV+rOjbXeSS9jtptfK7VybUZSZmbobbFE+ouuC0wksJ3sdr2aULUCXIp"
    "kOJpTkPMfYhcj3qHTK6jg2rF7wJ0U46OmEM1UJRM5ownoB6lNbJ1NZp5kjmILhLtp44yy5"
    "iObcZ0uFfUVYI2SiK9FmkpKkNo5fXMtRCWi+MTU1dcrgHUNaaNryOoUe5XJ/0jlmInQwNJ"
    "puDJ10HSiX/KbbV6FO+44wUmhoURaATYhHJ+mxKoEX5O9IkCKoONpmBD8vQn2RuoK7W22M"
    "mzlYQpfHlFXrPJtv1PKG6y4xCtHx/fvoGpxnHPexX69KF300Ow7G3HQt+jV58d9RCr8O++"
    "wv/95uDglcwN8wxaWxrXBTcRb9I8r0tw12aOwjEepZ7hmCq4gzgkkZAvAXnFmxI3fKVcq6"
    "F2OXslj19AscXU22mx09kU95Z5uGVI0MuIDnmOTY0XEx5Si1iF7vriQzZpvqZznmbYsJmJ"
    "UfMNWT8jq+HWDzKzljNnhZkE1iUMp4ZsJgILwK7yGoOhQIDkIzazzddK1PKgY73MK5goFf"
    "dAQ4rWhXucHJfQf06Oc/Uf/qiJCmfD9pcTh+244pIBcS5riJJIZSNjV2cK4IDoqmKURkjk"
    "EejqdqkZZAmLA55/kDGkkEcZlz/KKM3TfKbSYvO0PtdEyVHf2j1RzxGrsJi9Ns+WeE43T/"
    "vwrI2Tp17Qrurigfejq/vLy+dN9tVMTHNjaUJQn8dxdopNok46Gd4y70m3yEWmhHUWOcXy"
    "IZXuq3q5rx6xmR1Pnu9giZC00MOykSvS+aKqgLBXvYXoHuyX2SGFWrnoimclQy7yrf/8kI"
    "tq5n/d0N6G/Z/SuLYpzJ7+D3swr/w="
)
