// SPDX-License-Identifier: Apache-2.0

// floor runs a program in a container with the system calls that `run` of the bench's plain
// spec cannot do without on cgroup v2, and nothing else: no config.json is read, no state is
// kept, no path is checked, nothing is reported but the call that failed. Its time is what
// the kernel takes; what a runtime takes beyond it is the runtime's own.
//
// usage: floor ROOTFS CGROUP PROGRAM [ARGUMENT...]

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const unsigned long safe = MS_NOSUID | MS_NOEXEC | MS_NODEV;

_Noreturn static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static void must(long result, const char *what)
{
	if (result < 0)
		die(what);
}

static void mount_all(const char *rootfs)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
	must(chdir(rootfs), rootfs);
	must(mount("proc", "proc", "proc", safe, NULL), "proc");
	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"),
	     "dev");
	must(mkdir("dev/pts", 0755), "mkdir dev/pts");
	must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "newinstance,ptmxmode=0666,mode=0620,gid=5"),
	     "dev/pts");
	must(mkdir("dev/shm", 0755), "mkdir dev/shm");
	must(mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k"), "dev/shm");
	must(mkdir("dev/mqueue", 0755), "mkdir dev/mqueue");
	must(mount("mqueue", "dev/mqueue", "mqueue", safe, NULL), "dev/mqueue");
	must(mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL), "sys");
	must(mount("cgroup", "sys/fs/cgroup", "cgroup2", safe | MS_RELATIME | MS_RDONLY, NULL),
	     "sys/fs/cgroup");
}

static void make_devices(void)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} nodes[] = {{"dev/null", 1, 3}, {"dev/zero", 1, 5},   {"dev/full", 1, 7},
		     {"dev/tty", 5, 0},	 {"dev/random", 1, 8}, {"dev/urandom", 1, 9}};
	static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
					       {"/proc/self/fd/0", "dev/stdin"},
					       {"/proc/self/fd/1", "dev/stdout"},
					       {"/proc/self/fd/2", "dev/stderr"},
					       {"pts/ptmx", "dev/ptmx"}};

	for (size_t i = 0; i < COUNT(nodes); i++)
		must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)),
		     nodes[i].path);
	for (size_t i = 0; i < COUNT(links); i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
}

// Paths that this kernel does not have are left out, as runtimes do.
static void hide(void)
{
	static const char *const masked[] = {
	    "/proc/acpi",	   "/proc/asound",     "/proc/kcore",	    "/proc/keys",
	    "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	    "/sys/firmware",	   "/proc/scsi"};
	static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					       "/proc/sysrq-trigger"};

	for (size_t i = 0; i < COUNT(readonly); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			must(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | safe | MS_RDONLY,
				   NULL),
			     readonly[i]);
	}
	for (size_t i = 0; i < COUNT(masked); i++) {
		struct stat st;

		if (stat(masked[i], &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL), masked[i]);
		else
			must(mount("/dev/null", masked[i], NULL, MS_BIND, NULL), masked[i]);
	}
	must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "remount /");
}

static void loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	lo.ifr_flags = IFF_UP;
	must(ioctl(fd, SIOCSIFFLAGS, &lo), "lo up");
	close(fd);
}

// The header and the two halves of capset(2); musl has no headers of the kernel's.
struct cap_header {
	uint32_t version;
	int pid;
};

struct cap_half {
	uint32_t effective, permitted, inheritable;
};

static void shed_rights(void)
{
	const uint32_t kept = 0xa80425fb; // what engines give to an ordinary container
	struct cap_header header = {.version = 0x20080522};
	struct cap_half halves[2] = {{.effective = kept, .permitted = kept}};

	for (unsigned long i = 0; i < 64; i++) {
		// The first that fails is the first that this kernel does not have.
		if ((i > 31 || !(kept >> i & 1)) && prctl(PR_CAPBSET_DROP, i, 0L, 0L, 0L) < 0)
			break;
	}
	must(syscall(SYS_capset, &header, halves), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L), "no_new_privs");
}

_Noreturn static void contain(char **argv)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL};

	// Not a flag of the clone: the new namespace would have its parent's cgroup as its root.
	must(unshare(CLONE_NEWCGROUP), "unshare");
	must(sethostname("testbox", 7), "sethostname");
	mount_all(argv[1]);
	make_devices();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "chdir");
	hide();
	loopback_up();
	shed_rights();
	execve(argv[3], argv + 3, environment);
	die(argv[3]);
}

// The argument of clone3(2), up to the cgroup's descriptor.
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
	    set_tid_size, cgroup;
};

static const uint64_t clone_into_cgroup = 1ULL << 33;

int main(int argc, char **argv)
{
	struct clone3_args args = {.exit_signal = SIGCHLD};
	int fd, status;
	long pid;

	if (argc < 4) {
		fputs("usage: floor ROOTFS CGROUP PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	must(mkdir(argv[2], 0755), argv[2]);
	fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(fd, argv[2]);
	args.cgroup = (uint64_t)fd;
	args.flags = clone_into_cgroup | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
		     CLONE_NEWUTS;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	must(pid, "clone3");
	if (pid == 0)
		contain(argv);
	must(waitpid((pid_t)pid, &status, 0), "wait");
	must(rmdir(argv[2]), argv[2]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
