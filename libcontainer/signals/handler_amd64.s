// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// The kernel calls these as C functions: DI is the signal, SI its siginfo_t.

// handler writes the signal's number to the pipe.
TEXT handler<>(SB),NOSPLIT|NOFRAME,$0
	PUSHQ	DI
	MOVL	·writeEnd(SB), DI
	MOVQ	SP, SI
	MOVL	$1, DX
	MOVL	$1, AX			// write
	SYSCALL
	POPQ	DI
	RET				// to the restorer

// faultHandler leaves faults reported by the kernel (si_code > 0) to Go.
TEXT faultHandler<>(SB),NOSPLIT|NOFRAME,$0
	CMPL	8(SI), $0
	JGT	fault
	JMP	handler<>(SB)
fault:
	MOVQ	·runtimeHandler(SB), AX
	JMP	AX

// pipeHandler ignores a SIGPIPE raised by a write of this process (si_pid).
TEXT pipeHandler<>(SB),NOSPLIT|NOFRAME,$0
	MOVL	·ownPID(SB), AX
	CMPL	16(SI), AX
	JEQ	own
	JMP	handler<>(SB)
own:
	RET

TEXT restorer<>(SB),NOSPLIT|NOFRAME,$0
	MOVL	$15, AX			// rt_sigreturn
	SYSCALL
	INT	$3			// not reached

DATA	·handlerPC(SB)/8, $handler<>(SB)
GLOBL	·handlerPC(SB), NOPTR, $8
DATA	·faultHandlerPC(SB)/8, $faultHandler<>(SB)
GLOBL	·faultHandlerPC(SB), NOPTR, $8
DATA	·pipeHandlerPC(SB)/8, $pipeHandler<>(SB)
GLOBL	·pipeHandlerPC(SB), NOPTR, $8
DATA	·restorerPC(SB)/8, $restorer<>(SB)
GLOBL	·restorerPC(SB), NOPTR, $8
