"""The options of a container as Podman's own API takes them.

Its Docker-compatible call would take them too, and drop without a word what it does not know: masked paths, the
runtime, disks behind volumes. It would also look whether an image's program is called `init`, and give such a one more.
"""

import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROCESSES_OF_A_USER = 32_768
"""Podman always bounds what a user may have in all containers together. So many are on a host with the usual kernel."""
_PERIOD = 100_000
_TAKEN = {
    *(
        "AttachStdin",
        "AttachStdout",
        "Cmd",
        "Entrypoint",
        "Env",
        "Healthcheck",
        "HostConfig",
        "Hostname",
        "Image",
    ),
    *("NetworkDisabled", "OpenStdin", "StdinOnce", "StopSignal", "Tty", "User", "WorkingDir"),
}
_TAKEN_OF_THE_HOST = {
    *(
        "CapAdd",
        "CapDrop",
        "CgroupParent",
        "CgroupnsMode",
        "CpusetCpus",
        "DeviceRequests",
        "Dns",
        "Init",
        "IpcMode",
    ),
    *("LogConfig", "MaskedPaths", "Memory", "MemorySwap", "Mounts", "NanoCpus", "NetworkMode", "OomScoreAdj"),
    *(
        "PidsLimit",
        "ReadonlyPaths",
        "ReadonlyRootfs",
        "RestartPolicy",
        "Runtime",
        "SecurityOpt",
        "ShmSize",
        "Ulimits",
    ),
}


def unknown(config: Mapping[str, Any]) -> list[str]:
    """The options that this module does not know, none of which may be left out in silence."""
    return sorted((config.keys() - _TAKEN) | (config["HostConfig"].keys() - _TAKEN_OF_THE_HOST))


def specification(config: Mapping[str, Any], name: str, files: Mapping[str, Path]) -> dict[str, Any]:
    """The body of the call that makes a container with the options `config`.

    `files` are files of ours: `seccomp`, and by their path inside those that Podman would else make of the host's own.
    """
    host = config["HostConfig"]
    private = {"nsmode": "private"}
    made: dict[str, Any] = {
        "name": name,
        "image": config["Image"],
        "command": list(config["Cmd"]),
        "env": dict(variable.partition("=")[::2] for variable in config["Env"]),
        "httpproxy": False,
        "work_dir": config["WorkingDir"],
        "hostname": config["Hostname"],
        "unsetenv": ["TERM", "container"],
        "stdin": bool(config["OpenStdin"]),
        "systemd": "false",
        "sdnotifyMode": "ignore",
        "manage_password": False,
        "use_image_hosts": True,
        "netns": {"nsmode": "none"},
        **dict.fromkeys(("ipcns", "pidns", "utsns", "cgroupns"), private),
        "cap_drop": list(host["CapDrop"]),
        "cap_add": list(host["CapAdd"]),
        "no_new_privileges": True,
        "seccomp_profile_path": str(files["seccomp"]),
        "mask": list(host["MaskedPaths"]),
        "read_only_filesystem": bool(host["ReadonlyRootfs"]),
        "resource_limits": _resources(host),
        "oom_score_adj": host["OomScoreAdj"],
        "r_limits": _limits(host["Ulimits"]),
        "shm_size": host["ShmSize"],
        "init": True,
        "restart_policy": "no",
        "stop_signal": int(signal.SIGKILL),
        "healthconfig": {"Test": ["NONE"]},
        "log_configuration": {"driver": "k8s-file", "size": int(host["LogConfig"]["Config"]["max-size"])},
        "image_volume_mode": "anonymous",
        "mounts": _binds(host["Mounts"], files),
        "volumes": _volumes(host["Mounts"]),
        "devices": [
            {"path": f"nvidia.com/gpu={uuid}"}
            for request in host["DeviceRequests"]
            for uuid in request["DeviceIDs"]
        ],
    }
    if "Entrypoint" in config:
        made["entrypoint"] = list(config["Entrypoint"])
    if "User" in config:
        made["user"] = config["User"]
    if "CgroupParent" in host:
        # What its monitor uses is not the container's.
        made |= {"cgroup_parent": host["CgroupParent"], "cgroups_mode": "no-conmon"}
    return made


def _resources(host: Mapping[str, Any]) -> dict[str, Any]:
    processors: dict[str, Any] = {"cpus": host["CpusetCpus"]} if host["CpusetCpus"] else {}
    if host["NanoCpus"]:
        processors |= {"period": _PERIOD, "quota": host["NanoCpus"] * _PERIOD // 10**9}
    return {
        "memory": {"limit": host["Memory"], "swap": host["MemorySwap"]},
        "pids": {"limit": host["PidsLimit"]},
        "cpu": processors,
    }


def _limits(limits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = [{"type": one["Name"], "soft": one["Soft"], "hard": one["Hard"]} for one in limits]
    _, ours = resource.getrlimit(resource.RLIMIT_NPROC)
    most = _PROCESSES_OF_A_USER if ours == resource.RLIM_INFINITY else min(ours, _PROCESSES_OF_A_USER)
    return [*named, {"type": "nproc", "soft": most, "hard": most}]


def _binds(mounts: list[dict[str, Any]], files: Mapping[str, Path]) -> list[dict[str, Any]]:
    sources = {mount["Target"]: mount["Source"] for mount in mounts if mount["Type"] == "bind"}
    sources |= {target: str(path) for target, path in files.items() if target.startswith("/")}
    return [
        {"destination": target, "source": source, "type": "bind", "options": ["bind", "ro", "rprivate"]}
        for target, source in sources.items()
    ]


def _volumes(mounts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    made = []
    for mount in mounts:
        if mount["Type"] == "volume":
            given = mount["VolumeOptions"]
            programs = "noexec" if "noexec" in given["DriverConfig"]["Options"]["o"].split(",") else "exec"
            options = ["rw", "nosuid", "nodev", programs, "nocopy"]
            made.append({"Name": mount["Source"], "Dest": mount["Target"], "Options": options})
    return made
