"""The rules of the competition, pure: no I/O, no clock, no Dagster."""
