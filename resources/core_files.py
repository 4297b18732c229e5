"""No core files: they would hold the memory of a process, and so the operator's keys."""

import resource


def leave_no_core_files() -> None:
    """Have neither this process nor those that it starts leave one, for good.

    One byte, not none: where core files go to a program (`kernel.core_pattern` begins with `|`),
    Linux heeds no other limit (core(5); `do_coredump` in fs/coredump.c aborts at a limit of 1).
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 0 if most == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
