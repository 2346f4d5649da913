// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"bytes"
	"testing"
	"unsafe"
)

// The kernel may write anywhere in union bpf_attr, whatever size is passed: writes beyond the
// part of a command must not change other memory.
func TestWholeUnion(t *testing.T) {
	guarded := struct {
		attr  queryAttr
		guard [attrSize]byte
	}{attr: queryAttr{target: 7}}
	n, err := call(&guarded.attr, func(attr unsafe.Pointer, size uintptr) (int, error) {
		if size < 168 {
			t.Errorf("the size is %d, and Linux 6.18 has 168", size)
		}
		all := unsafe.Slice((*byte)(attr), size)
		if part := (*queryAttr)(attr); part.target != 7 {
			t.Errorf("the kernel would read %+v", part)
		}
		if rest := all[unsafe.Sizeof(queryAttr{}):]; !bytes.Equal(rest, make([]byte, len(rest))) {
			t.Errorf("the rest of the union is %x", rest)
		}
		for i := range all {
			all[i] = 0xaa
		}
		return 5, nil
	})
	if n != 5 || err != nil {
		t.Errorf("answer %d, %v", n, err)
	}
	if guarded.attr.count != 0xaaaaaaaa || guarded.attr.attachFlags != 0xaaaaaaaa {
		t.Errorf("the part got %+v", guarded.attr)
	}
	if guarded.guard != [attrSize]byte{} {
		t.Errorf("overwritten: %x", guarded.guard)
	}
}
