#!/bin/sh
# Builds the image of the lab's virtual machine: kernel, initial RAM disk, root file system. Needs root,
# mmdebstrap, busybox-static, cpio and e2fsprogs. Argument: the directory to build in.
set -e
cd "$1"
mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/*.sources 2>/dev/null)
packages=openssh-server,iproute2,iputils-ping,nftables,dmsetup,e2fsprogs,kmod,procps,util-linux
rm -rf root ram
mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='APT::Install-Recommends "false"' \
    bookworm root "${mirror:-http://deb.debian.org/debian}"

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
rm -rf root/boot/* root/var/cache/apt/* root/var/lib/apt/lists/*
size=$(($(du -sm root | cut -f1) + 200))
rm -f root.ext4
truncate -s "${size}M" root.ext4
mke2fs -q -t ext4 -F -d root root.ext4
rm -rf root ram linux-image-*.deb
