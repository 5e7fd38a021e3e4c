"""The rights of containers, in every target: no more than serving takes.

They run as somebody who is not root and cannot become it, write nowhere but to a small
folder in memory, and get none of the kernel's capabilities.
"""

from __future__ import annotations

import os
from typing import Any

# Where there is nobody else to run as; any that is not root, as ports are above 1024.
USER = 1000
SCRATCH = "/tmp"
SCRATCH_MIB = 64


def user_on_host() -> int:
    """The user of containers that read files of this machine: their writer.

    So tokens need to be readable for nobody else. Root's are given to `USER`.
    """
    user = os.getuid() if hasattr(os, "getuid") else USER
    return user or USER


def in_compose() -> dict[str, Any]:
    """The keys of a service."""
    user = user_on_host()
    return {
        "user": f"{user}:{user}",
        "read_only": True,
        "tmpfs": [
            f"{SCRATCH}:rw,noexec,nosuid,nodev,size={SCRATCH_MIB}m,mode=1777",
        ],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 1024,
    }


def of_pod() -> dict[str, Any]:
    """The keys of a pod's specification."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def of_container() -> dict[str, Any]:
    """A container's `securityContext`."""
    return {
        "runAsNonRoot": True,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def scratch_volume() -> dict[str, Any]:
    """The only folder that a container may write to."""
    return {
        "name": "scratch",
        "emptyDir": {"medium": "Memory", "sizeLimit": f"{SCRATCH_MIB}Mi"},
    }


def scratch_mount() -> dict[str, Any]:
    """The mount of the folder that a container may write."""
    return {"name": "scratch", "mountPath": SCRATCH}
