#!/bin/sh
# Builds the images of the lab's virtual machine: kernel, initial RAM disk, root file system, and a disk with an empty
# PostgreSQL. Needs root, mmdebstrap, busybox-static, cpio and e2fsprogs. Argument: the directory to build in.
set -e
cd "$1"
mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/*.sources 2>/dev/null)
packages=openssh-server,iproute2,iputils-ping,nftables,dmsetup,e2fsprogs,kmod,procps,util-linux,postgresql-15
rm -rf root ram data
# shellcheck disable=SC2016 # the shell of the hook knows $1: the new root
mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common"' \
    --essential-hook='echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='APT::Install-Recommends "false"' \
    bookworm root "${mirror:?no Debian source with URIs: under /etc/apt/sources.list.d}"

# The kernel is unpacked and not installed: its package would build an initial RAM disk with every driver.
# "--keep-directory-symlink", or the package's lib/ replaces the link to usr/lib and breaks everything.
kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends/ { print $2 }')
rm -f linux-image-*.deb
apt-get download -q "$kernel" >/dev/null
dpkg-deb --fsys-tarfile "$kernel"_*.deb | tar x --keep-directory-symlink -C root
version=$(ls root/lib/modules)
chroot root /sbin/depmod "$version"
cp "root/boot/vmlinuz-$version" vmlinuz

cat > root/init-lab <<'INIT'
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /run/sshd
echo 1 > /proc/sys/kernel/sysrq
hostname vm
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
/usr/sbin/sshd
# A second disk is PostgreSQL's. What is written there and never synced is on its way to the disk after a second, as on
# a machine that is busy; a quiet one would keep it in memory for half a minute.
if [ -b /dev/vdb ]; then
    echo 50 > /proc/sys/vm/dirty_writeback_centisecs
    echo 100 > /proc/sys/vm/dirty_expire_centisecs
    mount -t ext4 -o noatime,commit=1 /dev/vdb /srv
    rm -f /srv/postgresql/postmaster.pid
    setpriv --reuid postgres --regid postgres --init-groups env LC_ALL=C PGTZ=UTC \
        /usr/lib/postgresql/15/bin/postgres -D /srv/postgresql > /dev/console 2>&1 &
fi
while :; do sleep 1000 & wait; done
INIT
chmod 755 root/init-lab
# A "reboot" for want of an init system that has one.
printf '#!/bin/sh\nsync\necho b > /proc/sysrq-trigger\n' > root/usr/sbin/reboot
chmod 755 root/usr/sbin/reboot
[ -e client_key ] || ssh-keygen -q -t ed25519 -N '' -f client_key
mkdir -p root/root/.ssh
cp client_key.pub root/root/.ssh/authorized_keys
chmod 700 root/root/.ssh
rm -f root/etc/ssh/ssh_host_* host_key host_key.pub
ssh-keygen -q -t ed25519 -N '' -f host_key
cp host_key host_key.pub root/etc/ssh/
printf 'HostKey /etc/ssh/host_key\nPermitRootLogin prohibit-password\nUsePAM no\nUseDNS no\n' > root/etc/ssh/sshd_config
chown -R 0:0 root/root

mkdir -p ram/bin ram/modules ram/dev ram/proc ram/new
cp "$(command -v busybox)" ram/bin/busybox
ln -s busybox ram/bin/sh
load=
for wanted in virtio_pci virtio_blk virtio_net virtio_rng; do
    for file in $(chroot root /sbin/modprobe -S "$version" --show-depends "$wanted" | awk '$1 == "insmod" { print $2 }'); do
        name=${file##*/}
        case " $load " in *" $name "*) continue ;; esac
        load="$load $name"
        cp "root$file" ram/modules/
    done
done
cat > ram/init <<INIT
#!/bin/sh
b=/bin/busybox
\$b mount -t devtmpfs dev /dev
\$b mount -t proc proc /proc
for module in $load; do \$b insmod /modules/\$module; done
tries=0
while [ ! -b /dev/vda ] && [ \$tries -lt 200 ]; do \$b sleep 0.05; tries=\$((tries + 1)); done
\$b mount -t ext4 -o noatime /dev/vda /new || exec \$b sh
\$b mount --move /dev /new/dev
\$b umount /proc
exec \$b switch_root /new /init-lab
INIT
chmod 755 ram/init
(cd ram && find . | cpio -o -H newc --quiet | gzip -1) > initrd
# The machine is seen by whoever forwards a port of the loopback to it, and by nobody else.
mkdir data
chroot root sh -c 'install -d -o postgres /tmp/made && cd /tmp/made && setpriv --reuid postgres --regid postgres \
    --init-groups /usr/lib/postgresql/15/bin/initdb -D /tmp/made/data -U postgres -A trust -k --no-locale -E UTF8 >/dev/null'
mv root/tmp/made/data data/postgresql
rm -rf root/tmp/made
echo 'host all all 10.0.2.2/32 trust' >> data/postgresql/pg_hba.conf
printf "listen_addresses = '*'\nshared_buffers = 32MB\nmax_connections = 60\nunix_socket_directories = '/tmp'\n" >> data/postgresql/postgresql.conf
printf "include_if_exists = 'chaosday.conf'\n" >> data/postgresql/postgresql.conf
rm -f postgresql.ext4
truncate -s 512M postgresql.ext4
mke2fs -q -t ext4 -F -d data postgresql.ext4
rm -rf data
rm -rf root/boot/* root/var/cache/apt/* root/var/lib/apt/lists/*
size=$(($(du -sm root | cut -f1) + 200))
rm -f root.ext4
truncate -s "${size}M" root.ext4
mke2fs -q -t ext4 -F -d root root.ext4
rm -rf root ram linux-image-*.deb
