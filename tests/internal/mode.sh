# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# cgroup_mode v1|v2 prepares /sys/fs/cgroup in the calling script's own mount namespace:
# as the machine has it, or as cgroup v2.
cgroup_mode() {
	if [[ $1 == v2 ]]; then
		if [[ $(stat -fc %T /sys/fs/cgroup) != cgroup2fs ]]; then
			umount -R /sys/fs/cgroup
			mount -t cgroup2 cgroup2 /sys/fs/cgroup
		fi
	elif ! mountpoint -q /sys/fs/cgroup/hugetlb && grep -q '^hugetlb' /proc/cgroups; then
		# runc and crun refuse a host where v2 has this one controller and v1 the others.
		mkdir -p /sys/fs/cgroup/hugetlb
		mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb ||
			echo "no hugetlb hierarchy" >&2
	fi
}

# more_hierarchies mounts controllers of cgroup v1 that this host has not mounted, in the
# calling script's own mount namespace, and so is the directory that they are mounted in.
# settle_hierarchies is to be called in the end, or they would outlive it.
more_hierarchies() {
	local root path controller
	root=$(mktemp -d)
	mount -t tmpfs -o mode=755 cgroup "$root"
	for path in /sys/fs/cgroup/*; do
		# Links first: systemd has them from each of two controllers to their hierarchy.
		if [[ -L $path ]]; then
			cp -P "$path" "$root/"
		elif mountpoint -q "$path"; then
			mkdir "$root/${path##*/}"
			mount --move "$path" "$root/${path##*/}"
		fi
	done
	for controller in net_cls net_prio rdma; do
		if [[ ! -e $root/$controller ]] && grep -q "^$controller" /proc/cgroups; then
			mkdir "$root/$controller"
			mount -t cgroup -o "$controller" cgroup "$root/$controller" || {
				rmdir "$root/$controller"
				echo "no $controller hierarchy" >&2
			}
		fi
	done
	mount --move "$root" /sys/fs/cgroup
	rmdir "$root"
}

# settle_hierarchies waits until the kernel is done with the removed cgroups of what
# more_hierarchies has mounted: a hierarchy with any left is not dropped when it is
# unmounted.
settle_hierarchies() {
	local controller tries
	for controller in net_cls net_prio rdma; do
		for ((tries = 0; tries < 50; tries++)); do
			# Columns: name, hierarchy (0 for none), number of cgroups.
			awk -v c="$controller" '$1 == c && $2 != 0 && $3 > 1 { exit 1 }' /proc/cgroups && break
			sleep 0.1
		done
	done
}

# native_mode prints the mode that the machine has.
native_mode() {
	if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
		echo v2
	else
		echo v1
	fi
}

# drop_cgroup NAME removes a parent of containers' cgroups, which runtimes leave.
drop_cgroup() {
	local dir
	for dir in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
		if [[ -d $dir ]]; then
			rmdir "$dir"
		fi
	done
}
