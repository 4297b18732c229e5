"""The work of the round under way, stage by stage: rules and adapters brought together, no
Dagster.
"""
