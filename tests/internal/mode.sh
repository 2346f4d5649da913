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

# native_mode prints the mode that the machine has.
native_mode() {
	if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
		echo v2
	else
		echo v1
	fi
}
