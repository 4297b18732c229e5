"""The torture harness: a whole round with a real outside over HTTP, disturbed on purpose."""
