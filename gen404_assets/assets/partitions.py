"""The rounds: every asset of a round is partitioned by its number."""

import dagster as dg

ROUNDS = dg.DynamicPartitionsDefinition(name="rounds")
