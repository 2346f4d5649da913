// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The kernel calls these as C functions: R0 is the signal, R1 its siginfo_t.

// handler writes the signal's number to the pipe.
TEXT handler<>(SB),NOSPLIT|NOFRAME,$0
	SUB	$16, RSP
	MOVD	R0, (RSP)
	MOVW	·writeEnd(SB), R0
	MOVD	RSP, R1
	MOVD	$1, R2
	MOVD	$64, R8			// write
	SVC
	ADD	$16, RSP
	RET				// to the vDSO's rt_sigreturn

// faultHandler leaves faults reported by the kernel (si_code > 0) to Go.
TEXT faultHandler<>(SB),NOSPLIT|NOFRAME,$0
	MOVW	8(R1), R3
	CMPW	$0, R3
	BGT	fault
	B	handler<>(SB)
fault:
	MOVD	·runtimeHandler(SB), R3
	B	(R3)

// pipeHandler ignores a SIGPIPE raised by a write of this process (si_pid).
TEXT pipeHandler<>(SB),NOSPLIT|NOFRAME,$0
	MOVW	·ownPID(SB), R3
	MOVW	16(R1), R4
	CMPW	R3, R4
	BEQ	own
	B	handler<>(SB)
own:
	RET

DATA	·handlerPC(SB)/8, $handler<>(SB)
GLOBL	·handlerPC(SB), NOPTR, $8
DATA	·faultHandlerPC(SB)/8, $faultHandler<>(SB)
GLOBL	·faultHandlerPC(SB), NOPTR, $8
DATA	·pipeHandlerPC(SB)/8, $pipeHandler<>(SB)
GLOBL	·pipeHandlerPC(SB), NOPTR, $8
