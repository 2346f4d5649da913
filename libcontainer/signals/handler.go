// SPDX-License-Identifier: Apache-2.0

package signals

// The addresses of the functions of the assembly, as the kernel is to call them; 0 on
// architectures that init is not built for either. There is no restorer where the vDSO
// has it.
var handlerPC, faultHandlerPC, pipeHandlerPC, restorerPC uintptr
