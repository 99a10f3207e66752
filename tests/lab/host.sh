#!/bin/sh
# The inside of one lab host: started in namespaces of its own, ends as sshd, which is the host's first process.
# Arguments: directory of the host, its name, "disk" or "nodisk", and the command that drops capabilities.
set -e
directory=$1 name=$2 disk=$3 drop=$4

mount --make-rprivate /
hostname "$name"
mount -t proc proc /proc
[ ! -e /proc/sysrq-trigger ] || mount --bind /dev/null /proc/sysrq-trigger
mount -o bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys

# The host's own files are seen below /srv/lab: its directory lies where a fresh /tmp will hide it.
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir -p /srv/lab /srv/data /srv/overlay
mount --bind "$directory" /srv/lab

# What others mounted below these trees (containers, network namespaces) is hidden by the host's own, but stands in
# its table until they take it away, which would look like something that a fault did.
cut -d ' ' -f 2 /proc/self/mounts | grep -E '^/(var|tmp|run)/' | sort -r | while read -r others; do
    umount -l "$others" 2>/dev/null || :
done

# Every host has its own /etc, /root and /var: what a fault or a test edits there reaches nobody else.
mount -t tmpfs -o mode=755 tmpfs /srv/overlay
for tree in etc root var; do
    mkdir -p "/srv/overlay/$tree/upper" "/srv/overlay/$tree/work"
    mount -t overlay overlay \
        -o "lowerdir=/$tree,upperdir=/srv/overlay/$tree/upper,workdir=/srv/overlay/$tree/work" "/$tree"
done
# A login shell that reads no start-up files: bash started by sshd reads .bashrc, 0.3 s of it on some machines.
sed -i 's#^root:[^:]*:\(.*\):[^:]*$#root:*:\1:/bin/sh#' /etc/passwd
rm -f /root/.profile /root/.bashrc
printf '127.0.0.1 localhost %s\n' "$name" > /etc/hosts
[ ! -x /srv/lab/setup.sh ] || /srv/lab/setup.sh

# Leases outlive a reboot of the host, so they are kept on a disk and not in memory.
mkdir -p /srv/lab/state /var/lib/chaosday
mount --bind /srv/lab/state /var/lib/chaosday
[ "$disk" = nodisk ] || mount -o loop,noatime /srv/lab/data.img /srv/data

# Own cgroup hierarchies: the cgroup namespace shows this host's group as the root.
controllers=$(sed -n 's#^[0-9]*:\([a-z_,]*\):/.*#\1#p' /proc/self/cgroup)
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for controller in $controllers; do
    case $controller in cpu | cpuacct | cpuset | memory | blkio | pids | freezer) ;; *) continue ;; esac
    mkdir -p "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
done

mount -t tmpfs tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/lock

# CLOCK_REALTIME is not virtual: a host that kept CAP_SYS_TIME would move the clock of the whole machine.
# shellcheck disable=SC2086 # two options and their values
exec $drop /usr/sbin/sshd -D -e -f /srv/lab/sshd_config
