"""The local stack: real Postgres, Valkey, S3, issuer and analysis server as child processes, from wheels."""
