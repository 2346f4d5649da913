// SPDX-License-Identifier: Apache-2.0

package syscalls

// Old architectures have the calls of sockets and System V IPC as socketcall(2) and ipc(2)
// with the call as the first argument, and most of the calls have got numbers of their own
// for them since: both are open to a program.

// Multiplexed is a system call that also goes by way of another one.
type Multiplexed struct {
	Name string
	// By is the name of the multiplexer.
	By string
	// Value is what its first argument has for the call, in the bits of Mask.
	Value, Mask uint64
}

const (
	socketMask = 0xffffffff
	// The kernel takes the high half for a version, and the call all the same: a filter
	// that compared it would let ipc(1<<16 | 21) pass for no shmat.
	ipcMask = 0xffff
)

// multiplexed have the numbers of linux/net.h and linux/ipc.h.
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

// Multiplexed are the calls of an architecture that go by way of others.
func (a *Arch) Multiplexed() []Multiplexed {
	if !a.multiplexes {
		return nil
	}
	return multiplexed[:]
}
