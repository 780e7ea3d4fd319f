from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP INDEX IF EXISTS "idx_tokens_view_co_0e03bf";
        CREATE INDEX IF NOT EXISTS "idx_tokens_short" ON "tokens" (hashint4("id")) WHERE end_time - start_time < 20;
        CREATE INDEX IF NOT EXISTS "idx_tokens_view_co_e4b3e8" ON "tokens" ("view_count", "id");
-- Names as they are searched: without spaces, in lower case, compatible forms made one.
CREATE FUNCTION "search_form"("name" TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN replace(lower(normalize("name", NFKC)), ' ', '');
-- Each letter three times: one letter of a name is a whole trigram then, and two are what many type in Hangul.
CREATE FUNCTION "search_letters"("name" TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace("search_form"("name"), '(.)', '\\1\\1\\1', 'g');
DROP INDEX IF EXISTS "idx_actors_name_trgm";
DROP INDEX IF EXISTS "idx_actor_aliases_name_trgm";
CREATE INDEX "idx_actors_search_trgm" ON "actors"
    USING gin ("search_form"("name") gin_trgm_ops, "search_letters"("name") gin_trgm_ops);
CREATE INDEX "idx_actor_aliases_search_trgm" ON "actor_aliases"
    USING gin ("search_form"("name") gin_trgm_ops, "search_letters"("name") gin_trgm_ops);
-- Whoever keeps answers made of these tables hears of each change but that of a view count.
CREATE FUNCTION "catalogue_changed"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('yousync_catalogue', '');
    RETURN NULL;
END $$;
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE
    ON "actors" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE
    ON "actor_aliases" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE
    ON "urls" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF "id", "token_name", "actor_name", "category", "start_time", "end_time", "s3_textgrid_url", "s3_pitch_url", "s3_bgvoice_url", "thumbnail_url", "youtube_url"
    ON "tokens" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE
    ON "token_actors" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE
    ON "scripts" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();
CREATE TRIGGER "catalogue_changed" AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE
    ON "words" FOR EACH STATEMENT EXECUTE FUNCTION "catalogue_changed"();"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TRIGGER "catalogue_changed" ON "actors";
        DROP TRIGGER "catalogue_changed" ON "actor_aliases";
        DROP TRIGGER "catalogue_changed" ON "urls";
        DROP TRIGGER "catalogue_changed" ON "tokens";
        DROP TRIGGER "catalogue_changed" ON "token_actors";
        DROP TRIGGER "catalogue_changed" ON "scripts";
        DROP TRIGGER "catalogue_changed" ON "words";
        DROP FUNCTION "catalogue_changed"();
        DROP INDEX "idx_actor_aliases_search_trgm";
        DROP INDEX "idx_actors_search_trgm";
        CREATE INDEX "idx_actor_aliases_name_trgm" ON "actor_aliases" USING gin ("name" gin_trgm_ops);
        CREATE INDEX "idx_actors_name_trgm" ON "actors" USING gin ("name" gin_trgm_ops);
        DROP FUNCTION "search_letters"(TEXT);
        DROP FUNCTION "search_form"(TEXT);
        DROP INDEX IF EXISTS "idx_tokens_view_co_e4b3e8";
        DROP INDEX IF EXISTS "idx_tokens_short";
        CREATE INDEX IF NOT EXISTS "idx_tokens_view_co_0e03bf" ON "tokens" ("view_count");"""


MODELS_STATE = (
    "eJztXVlz27YW/isYvcSecVxvcdKm7R07dlu3jt3x0nTJHYkiIQk1BahcrGh6/d/vAcB9E6"
    "nNJI2XxAJxQPADcDYcHPzbGTMDm/buie4wq/MN+rdDtTGGP+IPdlBHm0zCYl7gaH1T1NR4"
    "FVGk9W3Hgp9QOtBMG0ORgW3dIhOHMMrrnqAJtmxGd1B/hpwRRoxixF+J7BGb0l3eisF0aI"
    "bQYVkCl5J/XNx12BBDDf4Zf/0Xigk18Bds+z8nD90BwaYR+0pi8AZEedeZTUTZBXV+EBV5"
    "X/pdnZnumIaVJzNnxGhQm1CHlw4xxZbmYN68Y7n806lrmh5GPhqyp2EV2cUIjYEHmmtyAD"
    "m17EBY1ul2r67vurfnd91uJwWuTxGBzyvSGeUDA121xdcPeRdeH+wfvT16d3h89A6qiG4G"
    "JW+f5KtDYCShgOfqrvMknmuOJmsIjENQxf8pWD+MNCsbV79+AlnochJZH8f6QjvWvnRNTI"
    "fOiOP55k0BkL+d3Hz46eRmC2pt81cyWDpyRV15jw7ks6cnPn8HDxGweUFf0x+mmmV0Y0/C"
    "YdBMotnYTo/EqUf4wy832NTEJ6bRj67/E97SImPhF4SDEfKFDYzGkz/T/FJvNkB5CJNrmU"
    "tidG+ZbQXHYQ+YdkMOvzhId7ylQJq0BSu+DtkBy1uZ6Ufjg3GyRKPaUHwSfzd/U3rp5Qnm"
    "YGHOkc7dCC8oIaQp43IU2RNsmgALYgOkUSRaemUL6buDCBTQGZKEGXJ7sTYyRPlf8hP4Uw"
    "HBf5Vsf7Gy/ZnZwJqke5ThyuVaaepGSeZP4MVgbtoUTilMCYTT8P7ALEyG9Bc8EyhfQJc0"
    "qmfN3aRl1Cx080QZFFvaNGCjsVkFHw+fjB251k9uP5ycnXee8nXQdUpFrmxliENPB8uXg7"
    "6aV8ZG/YO5d24fo0diYLaDdI0ySnTNRL2R40zsb776ajqd7s6Y60CtXZ2Nv5pqjj76z+N3"
    "3+7vIx2YIbwAzNbvezsg4Aw0HTEbI+IgYmdZuOt+3RL2sffSrivhLcv1E2TtM+z2jt6V4f"
    "1QLZ/5i4fF0lZJAyUNGi8NEtbkKuzIBuqOz2NCUs2c2cS+wbb8mLQZGa9RKEI1r27XEpVL"
    "itNPI41LIvSAJ46wAtHfrI8GzEJDxoy0PJxT/zP9THuwGh3XBnHXm1hsCN0Rf4/hf8ChJ4"
    "RgT3YSflgYJCK0qZsEw2CIAuE8fo9EQ5jTwh+ccmsKAhJ773SA6jPFMF9AphKYjK4DT2S7"
    "aKQZ0CEHOWwbyHVAy3vviNiwVmbyxbzbbMLnKbPsXeiUS3vIImCKQ58wjbyIN+i/bMjgOe"
    "P9kwvN6GrwIYCJBq8bA+LcCS6IHjCe8GJol3IrW0BlsTGaWsThBQQ+2Osxn1Lf8AIAMOgk"
    "NMq96uI9MGBIM6FtqUb07MPuA5Z18HjizKBLOhYtaq5BGC8fQu2SOsa/nXDSdlwb++xEup"
    "jk33Li8B+cGH+Z8KGFbgUz3Zu93hLzWUNHVIZ5KH4IeyryLjHGoo8TQ5NgrrJ53cLlWu0Q"
    "40s3WEMuHRBK7BGWIGS9Cn366fzmHMnJjr5Dr2Cy67xtOnyFTq7OUDg70MUturq/vEz1Lq"
    "xSqXce2byuJTpwfZfdidLAxzvB9eDZmLn2vG54s8kHoSw2C3bLWzvzOuVVKwZm3jLgcmSx"
    "+QVmwmTOGF5cfbi8PztHW8TYQewRuJRpdm0dVJ8d9AArdzs1AYNG8+efcsdt0h0H/D7TPM"
    "g3zUKK1lllx0clbLLjo1yLjD+Ke+P4KqgCrl+/hd7O/eMS4O4f54LLH8XBlWylCrwhRQsB"
    "PjwoAfDhQS7A/FEcYF83rsB3oyTr8h5sFuOVMOCI2SRtjDSkdyBXszGNkCw0bT2GWhdEC+"
    "C6O//9jrc8tu1/zOjs3Pp48ruYuOOZ9+Ty+upHv3pkNn+4vD5NIG4Flmkc8J9vr6+yAQ8p"
    "EngbRHfQ/5AJmlmrcOdQFOOehJhjw2yHr3W/gSTuMYUww0NmMi1nwqcoE8Mw4KStGoCz6/"
    "vTy3P06835h4vbC28w/KkuHwq9/h+TSLfZzfnJZVIcCmu7CmMJKVohDjfNWAK/QBX1o62b"
    "2WtR77LkZCG8S0jJheDtdBoKLvc3VsHWr986aFdv82mOw72dVbTmKMnmtOa9hqjMEX9ZWQ"
    "0uQqJUuMVVOMulFWaxV3tzE3i/IRMY1Fnb25MsCWWEQsGZhJNQXbNosM1bVoQlyFqog61e"
    "lkX2DlJIn8ETh4xxjsIQo0wyYY901/+jgdAXWRsXH89v704+/hpjyGcnd+f8yUHcuPNKt5"
    "LaW9AI+nRx9xPiP9Gf11fnSb4d1Lv7k28PdTTXYV3Kpl3NiGLiF/tF8SMM4UZWxWGOU6ph"
    "rvUwR/ZyKw5znHIFw9wcxapxoxzb/C2pb8RoFtI45g9o87ZNk8eYKkEaJVFxlGlII6ELJR"
    "GNUKxpijZuZ6kgMNXx4xyXDExdYbxkHQNTo8s0OzA1zVtXgOpt0FCj+GpZVGPyZD6sfGWv"
    "ANR7r5lm8YGymEbYX53O03gzOSM0OJzj+SHBErGSkcDXFCMbUwfDLHiPuKYpg3GBEoSEwx"
    "8CiobNz4XyoNTEuRhNhqqKFf8q4yDN6ptXiSXqFe0GDMRyur6JUno/Ok624GZ0gwzbVexG"
    "Y2pUBzpKpGAutemfo5AUbPoHFK3wgG560x9eTW0zx/mcj3qCTMVxLYC8ssGVyVgHRXy+yV"
    "jmLGPWYbjFTzWmj+E1kpkUJxOaMstYEqdP0ERzpdxmD3/KZZxh2AXrO9+uC0/qlsmXoJtk"
    "AoYTmvCKxMbi7GJogBXZXVn5EJZtbr7Z9lfnkeApjIcrxYg8cBg9mpVx1Koz0uwRjN3R1m"
    "cg+NzZ7iQPX0nUuvaIWaLZouNhvq6MXqPQPkHfooM9dYZqs1allAfZiY0KNMIYldLFF9AI"
    "ZVKBqsDHqRTwCwCvAzTDzJC8fNijNMr8WSjaXPmulO+qRTDbh10H2MXQIkZ2fqjCkytJUs"
    "VTFuAph90JcfTRAvDH6BT2C2HfHz4youckRytEP0Gp8F/AnThyx32qEbMq/ClChX519OPm"
    "c9mo+BiROiiTDKnysyZWS+ixllyLz+wnX1uyxQLvuYfjCvznK8sHX0fveXySNtZ/XlNdvd"
    "iBHom2WRyq0qFrjYSoz9jDWLMelgTp1GumrTAZbr8PjSyJ0plspd2LTl2BUR4rXzj8zfpL"
    "YvWHbOlXmfHwZ9ZvrE6+2U0/EUOblR/di60tSJAONUrv+JlYs2AsELP4rR5+htP36EfGhi"
    "YWCRnlZt0DZVPK7+7qDcUj0Bt6aIvv212c+bGWyHb72zuI4kdoEari12Mwz7J2Bjf1WhX4"
    "Wa8tOsxHpopRFBC0Lsnh4cFeCWMIahUkittLnhMOFkkVjGNEK3Gi1AjmtVzuMrHYgABkE6"
    "I7blZSrXyvVQap8ltV91sNoBeVd5xjRAr16qjzXM66Qx4zUAdDC4Q6zRGPUboE8GDore3W"
    "PZ/tbBb60+vryxj0pxdJbO8/np7fbO1vx/fm0p5Ekw2JB1UFhh6n2mCqqEBab8KZWMqVWO"
    "BIVDk2ykMPH2hcU3PWCWzFJhzT95Z/U1Ju1Ey4NHTQfYwio55yb3B5ZIxJRoz9XDHmk21Q"
    "igUljRJjqR2aBmwm1GwFKkf56mBSjvLSUNl+rPxSUN3KVtoKkjilAGwKemwvy6d+423dyK"
    "baipfaUXjuHYWAw2fsKkS5f/7OQkzUlEsTIVz08gq4Pr93TPr2d8QNZNmZH+ZSZF4t7mcu"
    "kUcnk1eL593VFDfclrytTO0kbHInQVnr+dA303ArY62rs+ctyP9Wu/Wy3tP8m02qVTdwy4"
    "Yjzs2qlWIDK8BUJUjYeY5UZWd4YrLZGNPMdGWRp4XaqBGvVyLYhV+4amJksemOuFfXwSK0"
    "hEeTDIhlO2hMhpawPrJiVipSrzj05P7+4qyCxui6xNjlNIvM7vmKY+fbgUt1cdGweBP/5+"
    "j7de38FHBfGSQhNZKoriE+XWmQSoPkGmQFV/Ra2V7MeZjF+ZLexQLmJ6tWu8FdJFacUWBH"
    "NrGxgXggCs++cXuYk4Qxv64KrKuXOawunStgUWtJvaCkxwuRHsr/8PL8D00DtEnuhzpays"
    "r78HK8DyL1YIb27ackzFe6g7yH5VRtXh2xAdIi2cyhCFuI2NxzAHZzptpdkk6p4PVSwafe"
    "/CmrgPv1VSB6s5JwNQf6JufgelkoTyzW1/oEamTY8AVAJ+gU1iWwHg90PQ1y/h3Gfn11gf"
    "HiFxg/z114NVOc12zobf5OrJrhW9YwKXEp1vNYJn7IbNYdTmE0bcElTpHA3ZK7ATAxXhO6"
    "iy4cG2k6D6iUAXg20jXLAlsDyomBtno2MXrbSKMGGjHT4JcsmYwO/cuWLDblxgm3Q8BYoT"
    "xqD37yIL6cnYXNvHfFJlLBndaLa/I1M5ISZ9RLHVEvOKG+rTZhlRs95Ua3YCSmC416nHIz"
    "o77R9dfeQVeOfuXof3bdb4nLOyOa9gRTpxterbLEISne0gr3AWoR2rnWUywRxLLU5BieBZ"
    "pyYgRLRA9ShL9MiIWNmL4KqqfmoCmoo/iLPtIo9HlH+OhBf+397ZDee9SzXUHAYOJpTs/T"
    "V1FP/GADNOUtEAf1sQ4fkxF5uMk3L6ExwzurqMxedaUzV9aZ5eStrjtF6ZTm1CDNKbaMMw"
    "QOGeY70ZKkbTqx8fXBweHh24O9w+N3b47evn3zbi9QqdKPinSr04sfuXoVG990pIrnXqmY"
    "XS1O1b6s3qvhd0V+zdD1taxjc5VH0uuo3cbnWp1cm5GUuRlqWzyh7pzbDCMpfOerbZ9GRB"
    "8hSYE0T3PqY+5D5HrUe2RxHR1UK35XoUw5OmAuNUBRspg7HIF6lNbIVtVo5knmILpItJ86"
    "yqxiOjYZ0yHvqKsEbZREeS3SUlSF0Krro2shLOfHJ6buuFwBqCtMG19HUKPcr076RyzFTo"
    "YGkkzBk6+DpBP/lNtq9Sjec8cLTAwbI9AIsAXl/DolUCP8nOgjDVQGB43BhuTpT7I3UJdq"
    "bb6TZyMJU+IXNa+1bf8TipvsuMToxse3O8HU4Ljnvcq7BRqWvePa6Dv06rOrH2Ad/t3T+L"
    "9f7++/UrlhnkFrS+M65yridZrndQnuWs9ROMaj1DMcUwWXEIckCvIFIK94VeKar5RrNdSS"
    "s1fy+AUUG0y9nRY7nXVxb5WHW4UEvYzokOfY1Hgx4SG1iFXYWV18yDrN13TO0wwbNjMxar"
    "4h62dkncj6QWbWcuasMJPAuoThNJDDRGAB2FVeYzAUCJB8xFa2+VqJWh10rJd5BROl4h5o"
    "SNG6cI/joxL6z/FRrv7DHzVR4WzY/nLisB1XXDIgzmUNURKlbGTs6owBHBBdVYzSCIk6Al"
    "3dLrWCLGFxwPMPMoYU6ijj4kcZlXmaz1RabJ7W55ooNeobuyfqOWIV5rPX5tkSz+nmaR+e"
    "tXHy1AvaZV088H50dX95+bzJvpqJaW4sTQjq8zjOTrBF9FEnw1vmPdkpcpFpYZ15TrF8SJ"
    "X7ql7uq0dsZceT5ztYIiQt9LCs5Yp0vqgqIOxVbyG6+3tldkihVi664lnJkIt86z8/5KKa"
    "+V83tDdh/6c0rk0Ks6f/A8pT4jk="
)
