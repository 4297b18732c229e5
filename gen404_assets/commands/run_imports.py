"""What the process from which runs are forked has ready, so that no run imports or builds it."""

import os
import signal

# What Dagster imports only when it opens its instance.
import dagster._core.launcher.default_run_launcher
import dagster._core.run_coordinator.queued_run_coordinator
import dagster._core.storage.local_compute_log_manager
import dagster._core.storage.sqlite_storage  # noqa: F401

# Each process of multiprocessing has the main module of the one that asked for it.
import gen404_assets.commands.code_server  # noqa: F401
from gen404_assets.definitions import defs
from resources.settings import setting

if setting(os.environ, "DATABASE_URL"):
    import dagster_postgres  # noqa: F401

defs.get_repository_def()  # Dagster keeps it

# A signal to all processes of a session ends the runs in order, and this process after them: by it,
# the code server knows how they ended.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
