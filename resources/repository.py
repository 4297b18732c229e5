"""The public git repository that holds all state: pinned reads, history, and publishing by fast-forward only."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from resources.git_history import LOG_CHANGES, NO_COMMIT, Change, Commit, decode_path, parse_log
from resources.git_mirror import Mirror, RepositoryError
