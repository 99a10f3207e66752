"""Filling a file system of bytes without taking the last of them, whatever else fills it at the same time."""

from __future__ import annotations

from shlex import quote

LEAST_STEP_BYTES = 4 << 20
SMALLEST_STEP_BYTES = 64 << 10
"""After steps that did not fit one so small is not tried by half again."""


def free_bytes(path: str) -> str:
    """Shell text that prints how many bytes may still be written below ``path``."""
    return f'{_measure(path)}echo "$free"\n'


def _measure(path: str) -> str:
    """Shell text that counts them into ``free``.

    A file system that lies in memory (tmpfs, ramfs) ends where the memory does, however large it calls itself: that of
    the host (``MemAvailable``) or of the cgroup we are in. Filling it further gets the host's processes killed.
    """
    return (
        # One program that coreutils and busybox know alike; what df prints differs.
        f"system=$(stat -f -c %T:%a:%S {quote(path)}) || exit 1\n"
        "free=${system#*:}; free=$((${free%:*} * ${free#*:}))\n"
        "case $system in tmpfs:*|ramfs:*)\n"
        "    memory=$(awk '/^MemAvailable:/ { printf \"%.0f\", $2 * 1024 }' /proc/meminfo)\n"
        '    if read -r limit </sys/fs/cgroup/memory.max && [ "$limit" != max ]; then\n'
        "        left=$((limit - $(cat /sys/fs/cgroup/memory.current)))\n"
        '        [ "$left" -ge "$memory" ] || memory=$left\n    fi 2>/dev/null\n'
        '    [ "$free" -le "$memory" ] || free=$memory\nesac\n'
    )


def fill(path: str, asked_bytes: int, reserve_bytes: int) -> str:
    """Shell text that grows the file ``fill`` in the current directory to ``asked_bytes``, measuring as it goes.

    Each step takes at most half of what is above the reserve. One that hurts the reserve all the same, or finds no
    room, is given back and tried again by half: two runs that fill one file system, each by what it saw before its
    step, would otherwise leave nothing, or both give back and leave too much. Fails only where nothing could be taken.
    Where fallocate is not known (NFS, some FUSE) bytes are written, and not zeros, which a file system that compresses
    does not keep.
    """
    return (
        f"asked={asked_bytes} reserve={reserve_bytes} least={LEAST_STEP_BYTES} size=0 most=$((1 << 62))\n"
        f"free() {{\n{_measure(path)}}}\n"
        'grow() { fallocate -o "$size" -l "$1" fill 2>/dev/null || head -c "$1" /dev/urandom >>fill; }\n'
        "while [ $size -lt $asked ]; do\n"
        "    free || exit 1\n    above=$((free - reserve)) step=$((asked - size))\n"
        "    [ $above -gt 0 ] || break\n"
        "    half=$((above / 2))\n"
        "    [ $above -gt $least ] || half=$above\n"
        "    [ $step -le $half ] || step=$half\n"
        "    [ $step -le $most ] || step=$most\n"
        "    if grow $step 2>/dev/null && free && [ $free -ge $reserve ]; then\n"
        "        size=$((size + step)) most=$((step * 2))\n"
        "        continue\n    fi\n"
        "    truncate -s $size fill\n"
        f"    most=$((step / 2))\n    [ $most -ge {SMALLEST_STEP_BYTES} ] || break\n"
        "done\n"
        '[ $size -gt 0 ] || { echo "nothing above the reserve is free any more" >&2; exit 1; }\n'
    )
