"""The header by which a client of the render service says whose file it sends."""

BATCH = "X-Batch"
"""A word for each miner: on a GPU, files with the same one may share a worker."""
