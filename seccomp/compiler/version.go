// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

/*
#include <seccomp.h>

// The packer finds the version of the library by this mark, so that it need not
// run the program, which may be one for another machine.
#define STRING(n) #n
#define VERSION(major, minor, micro) \
	"berth:libseccomp=" STRING(major) "." STRING(minor) "." STRING(micro) ";"
const char libseccomp_mark[] = VERSION(SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO);
*/
import "C"
