// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/godbus/dbus/v5"
)

// FuzzReceive: no message of a manager causes harm.
func FuzzReceive(f *testing.F) {
	c := call{serial: 3}
	for _, m := range append(c.done(), c.fail("a.b", "No."), c.reply(), c.reply(dbus.MakeVariant("x")), c.reply(map[string]dbus.Variant{"a": dbus.MakeVariant([]deviceValue{{"/", 1}})})) {
		var b bytes.Buffer
		if err := write(&b, m, 1); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &conn{in: bufio.NewReader(bytes.NewReader(data)), removed: make(map[dbus.ObjectPath]string)}
		for {
			m, err := c.receive()
			if err != nil {
				return
			}
			if m == nil {
				t.Fatal("no message and no error")
			}
		}
	})
}
