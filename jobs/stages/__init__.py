"""The work of a job, one idempotent function a file; each judges its own action, the engine decides."""
