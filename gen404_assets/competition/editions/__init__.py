"""Editions of the rules other than the one that is operated: what their files are and what their
rules give. `docs/editions.md` says how one is added.
"""
