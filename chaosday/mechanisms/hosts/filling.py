"""Filling a file system of bytes without taking the last of them, whatever else fills it at the same time."""

from __future__ import annotations

from shlex import quote

LEAST_STEP_BYTES = 4 << 20


def free_bytes(path: str) -> str:
    """Shell text that prints how many bytes may still be written below ``path``.

    A file system that lies in memory (tmpfs, ramfs) ends where the memory does, however large it calls itself: that of
    the host (``MemAvailable``) or of the cgroup we are in. Filling it further gets the host's processes killed.
    """
    return (
        # One program that coreutils and busybox know alike; what df prints differs.
        f"system=$(stat -f -c %T:%a:%S {quote(path)}) || exit 1\n"
        "free=${system#*:}; free=$((${free%:*} * ${free#*:}))\n"
        "case $system in tmpfs:*|ramfs:*)\n"
        "    memory=$(awk '/^MemAvailable:/ { printf \"%.0f\", $2 * 1024 }' /proc/meminfo)\n"
        '    if read -r most </sys/fs/cgroup/memory.max && [ "$most" != max ]; then\n'
        "        left=$((most - $(cat /sys/fs/cgroup/memory.current)))\n"
        '        [ "$left" -ge "$memory" ] || memory=$left\n    fi 2>/dev/null\n'
        '    [ "$free" -le "$memory" ] || free=$memory\nesac\n'
        'echo "$free"\n'
    )


def fill(path: str, asked_bytes: int, reserve_bytes: int) -> str:
    """Shell text that grows the file ``fill`` in the current directory to ``asked_bytes``, measuring as it goes.

    Each step takes at most half of what is above the reserve, and is given back where the reserve was hurt all the
    same: two runs that fill one file system, each by what it saw at its plan, would otherwise leave nothing. Fails only
    where nothing could be taken. Where fallocate is not known (NFS, some FUSE) bytes are written, and not zeros, which
    a file system that compresses does not keep.
    """
    return (
        f"asked={asked_bytes} reserve={reserve_bytes} least={LEAST_STEP_BYTES} size=0\n"
        f"free() {{\n{free_bytes(path)}}}\n"
        'grow() { fallocate -o "$size" -l "$1" fill 2>/dev/null || head -c "$1" /dev/urandom >>fill; }\n'
        "while [ $size -lt $asked ]; do\n"
        "    above=$(($(free) - reserve)) step=$((asked - size))\n"
        "    [ $above -gt 0 ] || break\n"
        "    half=$((above / 2))\n"
        "    [ $above -gt $least ] || half=$above\n"
        "    [ $step -le $half ] || step=$half\n"
        "    if ! grow $step 2>said || [ $(free) -lt $reserve ]; then\n"
        "        truncate -s $size fill\n        break\n    fi\n"
        "    size=$((size + step))\n"
        "done\n"
        'rm -f said\n[ $size -gt 0 ] || { echo "nothing above the reserve is free any more" >&2; exit 1; }\n'
    )
