"""The competition as a Dagster asset graph; `competition` below holds its rules, free of any
I/O.
"""
