# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# cgroup_mode v1|v2 prepares /sys/fs/cgroup in the calling script's own mount namespace: as it is
# on the machine, or as cgroup v2. leave_mode must be called at the end.
cgroup_mode() {
	enabled=
	if [[ $1 == v2 ]]; then
		if [[ $(native_mode) != v2 ]]; then
			umount -R /sys/fs/cgroup
			mount -t cgroup2 cgroup2 /sys/fs/cgroup
			enabled=" $(</sys/fs/cgroup/cgroup.subtree_control) "
		fi
	elif ! mountpoint -q /sys/fs/cgroup/hugetlb && grep -q '^hugetlb' /proc/cgroups; then
		# runc and crun refuse a host where v2 has only this controller, and v1 the others.
		own_hierarchies
		mkdir -p /sys/fs/cgroup/hugetlb
		mount_controller hugetlb /sys/fs/cgroup/hugetlb || {
			rmdir /sys/fs/cgroup/hugetlb
			echo "no hugetlb hierarchy" >&2
		}
	fi
}

# leave_mode disables the controllers that runtimes have enabled at the root of cgroup v2 since
# cgroup_mode, if the machine does not use cgroup v2: otherwise an enabled controller with a
# cgroup below the root could not be mounted as a cgroup v1 hierarchy again.
leave_mode() {
	local controller
	[[ -n $enabled ]] || return 0
	for controller in $(</sys/fs/cgroup/cgroup.subtree_control); do
		if [[ $enabled != *" $controller "* ]]; then
			# This fails while another run uses it.
			{ echo "-$controller" >/sys/fs/cgroup/cgroup.subtree_control; } 2>/dev/null || true
		fi
	done
}

# mount_controller NAME DIRECTORY mounts a controller of cgroup v1. The kernel refuses while
# cgroup v2 has cgroups with it, including those that were just removed. Cgroups that a killed run
# of the integration tests has left are removed. Another run may use the controller for some
# minutes; one that has had no process in it for 20 seconds is somebody's leftover, which is
# neither waited for nor removed.
mount_controller() {
	local tries empty=0 dir pid here # pid is the run's, here its pid namespace
	local unified=${2%/*}/unified
	here=$(stat -Lc %i /proc/self/ns/pid)
	for ((tries = 0; tries < 3000 && empty < 200; tries++)); do
		mount -t cgroup -o "$1" cgroup "$2" 2>/dev/null && return
		for dir in "$unified"/btn"$here"p[0-9]*x; do
			pid=${dir##*p}
			if [[ -d $dir && ! -e /proc/${pid%x} ]]; then
				find "$dir" -depth -type d -exec rmdir {} + 2>/dev/null || true
			fi
		done
		if ((tries == 50)); then
			grep -qw "$1" "$unified/cgroup.subtree_control" 2>/dev/null || break
			echo "waiting for the $1 controller, which cgroup v2 uses: $(find "$unified" -mindepth 1 -type d | tr '\n' ' ')" >&2
		fi
		if grep -qsx 'populated 1' "$unified"/*/cgroup.events; then
			empty=0
		else
			((++empty))
		fi
		sleep 0.1
	done
	if grep -qw "$1" "$unified/cgroup.subtree_control" 2>/dev/null; then
		echo "$1 stays on cgroup v2, for $(find "$unified" -mindepth 1 -maxdepth 1 -type d | tr '\n' ' ')" >&2
		return 1
	fi
	mount -t cgroup -o "$1" cgroup "$2"
}

# own_hierarchies moves the mounted hierarchies to a directory of the calling script's own mount
# namespace, so that a new one leaves no mount point on the machine.
own_hierarchies() {
	local root path
	root=$(mktemp -d)
	mount -t tmpfs -o mode=755 cgroup "$root"
	for path in /sys/fs/cgroup/*; do
		# systemd has symbolic links from two controllers to the hierarchy that they share.
		if [[ -L $path ]]; then
			cp -P "$path" "$root/"
		elif mountpoint -q "$path"; then
			mkdir "$root/${path##*/}"
			mount --move "$path" "$root/${path##*/}"
		fi
	done
	mount --move "$root" /sys/fs/cgroup
	rmdir "$root"
}

# more_hierarchies mounts controllers of cgroup v1 that this host has not mounted, in the calling
# script's own mount namespace. settle_hierarchies must be called at the end, or the hierarchies
# would outlive it.
more_hierarchies() {
	local dir controller
	own_hierarchies
	for controller in net_cls net_prio rdma; do
		dir=/sys/fs/cgroup/$controller
		if [[ ! -e $dir ]] && grep -q "^$controller" /proc/cgroups; then
			mkdir "$dir"
			mount_controller "$controller" "$dir" || {
				rmdir "$dir"
				echo "no $controller hierarchy" >&2
			}
		fi
	done
}

# settle_hierarchies waits until the kernel has released the removed cgroups of the hierarchies
# from more_hierarchies. If any is left, a hierarchy persists when it is unmounted.
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

# native_mode prints the cgroup mode of the machine.
native_mode() {
	if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
		echo v2
	else
		echo v1
	fi
}

# drop_cgroup NAME removes a parent of containers' cgroups, which runtimes leave behind.
drop_cgroup() {
	local dir
	for dir in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
		if [[ -d $dir ]]; then
			rmdir "$dir"
		fi
	done
}
