// SPDX-License-Identifier: Apache-2.0

package syscalls

// Old architectures have socket and System V IPC calls as socketcall(2) and ipc(2), with the
// call as the first argument. Most of these calls later also got their own numbers, and a
// program can use either.

// Multiplexed is a system call that can also be made through another one.
type Multiplexed struct {
	Name string
	// By is the name of the multiplexer.
	By string
	// Value is the value of the first argument for this call, in the bits of Mask.
	Value, Mask uint64
}

const (
	socketMask = 0xffffffff
	// The kernel uses the high half as a version and still makes the call: a filter that
	// compared it would not recognise ipc(1<<16 | 21) as shmat.
	ipcMask = 0xffff
)

// multiplexed has the numbers of linux/net.h and linux/ipc.h.
var multiplexed = [...]Multiplexed{
	{"socket", "socketcall", 1, socketMask},
	{"bind", "socketcall", 2, socketMask},
	{"connect", "socketcall", 3, socketMask},
	{"listen", "socketcall", 4, socketMask},
	{"accept", "socketcall", 5, socketMask},
	{"getsockname", "socketcall", 6, socketMask},
	{"getpeername", "socketcall", 7, socketMask},
	{"socketpair", "socketcall", 8, socketMask},
	{"send", "socketcall", 9, socketMask},
	{"recv", "socketcall", 10, socketMask},
	{"sendto", "socketcall", 11, socketMask},
	{"recvfrom", "socketcall", 12, socketMask},
	{"shutdown", "socketcall", 13, socketMask},
	{"setsockopt", "socketcall", 14, socketMask},
	{"getsockopt", "socketcall", 15, socketMask},
	{"sendmsg", "socketcall", 16, socketMask},
	{"recvmsg", "socketcall", 17, socketMask},
	{"accept4", "socketcall", 18, socketMask},
	{"recvmmsg", "socketcall", 19, socketMask},
	{"sendmmsg", "socketcall", 20, socketMask},
	{"semop", "ipc", 1, ipcMask},
	{"semget", "ipc", 2, ipcMask},
	{"semctl", "ipc", 3, ipcMask},
	{"semtimedop", "ipc", 4, ipcMask},
	{"msgsnd", "ipc", 11, ipcMask},
	{"msgrcv", "ipc", 12, ipcMask},
	{"msgget", "ipc", 13, ipcMask},
	{"msgctl", "ipc", 14, ipcMask},
	{"shmat", "ipc", 21, ipcMask},
	{"shmdt", "ipc", 22, ipcMask},
	{"shmget", "ipc", 23, ipcMask},
	{"shmctl", "ipc", 24, ipcMask},
}

// Multiplexed returns the multiplexed calls of an architecture.
func (a *Arch) Multiplexed() []Multiplexed {
	if !a.multiplexes {
		return nil
	}
	return multiplexed[:]
}
