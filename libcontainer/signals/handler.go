// SPDX-License-Identifier: Apache-2.0

package signals

// The addresses of the assembly functions that the kernel calls; 0 on architectures that init
// is not built for either. There is no restorer where the vDSO has one.
var handlerPC, faultHandlerPC, pipeHandlerPC, restorerPC uintptr
