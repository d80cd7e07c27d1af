# SPDX-License-Identifier: BSD-3-Clause
"""What a measurement ran on, as far as this machine tells without being asked twice."""
import datetime
import json
import os
import subprocess

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))


def said(*command):
    """What a command prints, or nothing if it cannot be run."""
    try:
        done = subprocess.run(command, cwd=TREE, env={**os.environ, "LC_ALL": "C"}, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def field(path, name, separator):
    """The value of the first line `name separator value` of a file."""
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(separator)
                if key.strip() == name:
                    return value.strip().strip('"')
    except OSError:
        pass
    return ""


def lscpu():
    rows = json.loads(said("lscpu", "-J") or '{"lscpu": []}')["lscpu"]
    found = {}
    while rows:
        row = rows.pop()
        found[row["field"].rstrip(":")] = row["data"]
        rows += row.get("children", [])
    return found


def cpu():
    info = lscpu()
    name = f'{info.get("Model name", "unknown")}, family {info.get("CPU family")}, model {info.get("Model")}'
    caches = "".join(f', {level} {info[level + " cache"]}' for level in ("L1d", "L2", "L3") if level + " cache" in info)
    host = f', a virtual machine ({info["Hypervisor vendor"]})' if "Hypervisor vendor" in info else ""
    return f'{name}; {os.cpu_count()} CPUs{host}{caches}'


def commit():
    name = said("git", "-c", f"safe.directory={TREE}", "rev-parse", "--short", "HEAD")
    changed = said("git", "-c", f"safe.directory={TREE}", "status", "--porcelain", "--untracked-files=no")
    return name + " and changes" if changed else name


def describe():
    """Names and values, in the order in which they are to be read."""
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit() or "unknown",
        "CPU": cpu(),
        "memory": f'{int((field("/proc/meminfo", "MemTotal", ":") or "0").split()[0]) // (1 << 20)} GiB',
        "system": f'{field("/etc/os-release", "PRETTY_NAME", "=")}, Linux {os.uname().release}',
        "DPDK": said("pkg-config", "--modversion", "libdpdk") or "unknown",
        "compiler": (said("gcc", "--version") or "unknown").splitlines()[0],
    }
