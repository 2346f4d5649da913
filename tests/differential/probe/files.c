// SPDX-License-Identifier: Apache-2.0

#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// content prints the content of a file without its last newline.
static void content(const char *key, const char *path)
{
	static char data[8000];
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, data, sizeof(data) - 1);
		close(fd);
	}
	if (n < 0) {
		say(key, "%s", error_name(errno));
		return;
	}
	if (n > 0 && data[n - 1] == '\n')
		n--;
	data[n] = '\0';
	say(key, "%s", data);
}

static void procfs(void)
{
	static const char *const names[] = {"oom_score_adj",  "uid_map", "gid_map",	"setgroups",
					    "timens_offsets", "cgroup",	 "attr/current"};
	static const char *const namespaces[] = {"cgroup", "ipc",  "mnt",  "net",
						 "pid",	   "time", "user", "uts"};
	char path[128], key[128], target[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		content(names[i], path);
	}
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
		snprintf(key, sizeof(key), "ns.%s", namespaces[i]);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		say(key, "%s", n < 0 ? error_name(errno) : target);
	}
}

static void sysctls(void)
{
	static const char *const names[] = {
	    "net/ipv4/ip_forward",
	    "net/ipv4/ping_group_range",
	    "net/ipv4/ip_unprivileged_port_start",
	    "net/core/somaxconn",
	    "net/ipv4/conf/all/forwarding",
	    "net/ipv4/conf/lo/rp_filter",
	    "kernel/shmmax",
	    "kernel/shmall",
	    "kernel/shm_rmid_forced",
	    "kernel/msgmax",
	    "kernel/msgmni",
	    "kernel/msgmnb",
	    "kernel/sem",
	    "fs/mqueue/msg_max",
	    "fs/mqueue/queues_max",
	    "kernel/shmmni",
	    "kernel/domainname",
	};
	char path[128], key[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		snprintf(key, sizeof(key), "sysctl.%s", names[i]);
		content(key, path);
	}
}

// entry describes a file, without what differs from run to run.
static void entry(const char *prefix, const char *path)
{
	struct stat st;
	char key[600], target[512] = "";

	snprintf(key, sizeof(key), "%s.%s", prefix, path);
	if (lstat(path, &st) != 0) {
		say(key, "%s", error_name(errno));
		return;
	}
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		say(key, "-> %s", target);
		return;
	}
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		say(key, "%06o %u:%u %u:%u", st.st_mode, st.st_uid, st.st_gid, major(st.st_rdev),
		    minor(st.st_rdev));
	else
		say(key, "%06o %u:%u", st.st_mode, st.st_uid, st.st_gid);
}

static void directory(const char *prefix, const char *path)
{
	struct dirent *e;
	char name[560];
	DIR *dir = opendir(path);

	if (dir == NULL) {
		snprintf(name, sizeof(name), "%s.%s/*", prefix, path);
		say(name, "%s", error_name(errno));
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", strcmp(path, "/") == 0 ? "" : path,
			 e->d_name);
		entry(prefix, name);
	}
	closedir(dir);
}

static void descriptors(void)
{
	char path[64], key[64], target[512];

	for (int i = 0; i < 64; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		snprintf(key, sizeof(key), "fd.%d", i);
		say(key, "%s flags %o", target, fcntl(i, F_GETFL) & ~O_LARGEFILE);
	}
}

// mounts prints the whole table; the reader sorts and shortens it.
static void mounts(void)
{
	static char line[8192];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	for (int i = 0; f != NULL && fgets(line, sizeof(line), f) != NULL; i++) {
		line[strcspn(line, "\n")] = '\0';
		printf("mountinfo=%s\n", line);
	}
	if (f != NULL)
		fclose(f);
}

static void writing(void)
{
	static const char *const directories[] = {
	    "/", "/dev", "/dev/shm", "/sys", "/sys/fs/cgroup", "/tmp", "/data", "/proc/sys"};
	static const char *const paths[] = {
	    "/proc/sys/net/ipv4/ip_forward",
	    "/proc/sysrq-trigger",
	    "/proc/self/oom_score_adj",
	    "/dev/null",
	    "/dev/full",
	    "/dev/tty",
	    "/dev/console",
	    "/dev/ptmx",
	    "/etc/passwd",
	    "/proc/kcore",
	    "/proc/timer_list",
	    "/data/file",
	};
	char path[128], key[128];

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/probe-was-here",
			 strcmp(directories[i], "/") == 0 ? "" : directories[i]);
		snprintf(key, sizeof(key), "mkdir.%s", directories[i]);
		say(key, "%s", mkdir(path, 0700) == 0 ? "ok" : error_name(errno));
		rmdir(path);
	}
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		snprintf(key, sizeof(key), "write.%s", paths[i]);
		say(key, "%s", fd >= 0 ? "ok" : error_name(errno));
		if (fd >= 0)
			close(fd);
	}
}

// devices tries which devices can be created and opened. Only EPERM counts, since the runtime
// does not decide whether they exist on this machine.
static void devices(void)
{
	static const struct {
		char type;
		unsigned int major, minor;
	} all[] = {{'c', 1, 3},	   {'c', 1, 8}, {'c', 1, 11},  {'c', 5, 1}, {'c', 10, 200},
		   {'c', 10, 229}, {'c', 4, 1}, {'c', 136, 0}, {'b', 7, 0}, {'b', 254, 99}};
	char key[64];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		// Usually this is the only mount without nodev.
		const char *path = "/dev/probe-device";
		mode_t type = all[i].type == 'c' ? S_IFCHR : S_IFBLK;
		snprintf(key, sizeof(key), "device.%c%u:%u", all[i].type, all[i].major,
			 all[i].minor);
		if (mknod(path, type | 0600, makedev(all[i].major, all[i].minor)) != 0) {
			say(key, "not made: %s", error_name(errno));
			continue;
		}
		int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		say(key, "made, %s",
		    fd < 0 && (errno == EPERM || errno == EACCES) ? error_name(errno) : "opened");
		if (fd >= 0)
			close(fd);
		unlink(path);
	}
}

static void interfaces(void)
{
	struct ifreq request;
	char key[64];
	struct if_nameindex *all = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (struct if_nameindex *i = all; i != NULL && i->if_index != 0; i++) {
		memset(&request, 0, sizeof(request));
		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", i->if_name);
		snprintf(key, sizeof(key), "interface.%s", i->if_name);
		say(key, "%s",
		    ioctl(fd, SIOCGIFFLAGS, &request) != 0 ? error_name(errno)
		    : (request.ifr_flags & IFF_UP)	   ? "up"
							   : "down");
	}
	if (all != NULL)
		if_freenameindex(all);
	close(fd);
}

void files(void)
{
	descriptors();
	procfs();
	sysctls();
	mounts();
	directory("dev", "/dev");
	directory("dev", "/dev/pts");
	directory("entry", "/");
	directory("entry", "/data");
	interfaces();
	writing();
	devices();
}
