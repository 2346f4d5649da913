// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/firstuse"
	"github.com/godbus/dbus/v5"
)

// startBus starts a message bus, and returns its address.
func startBus(b *testing.B) string {
	b.Helper()
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// BenchmarkConnect compares the connection of this package with that of the library, of which
// go-systemd opens two: the time to connect and get the answer of a call.
func BenchmarkConnect(b *testing.B) {
	const variable, path = "BERTH_BENCHMARK_BUS", "/org/freedesktop/DBus"
	const match = "type='signal',sender='" + service + "',interface='" + managerInterface + "',member='JobRemoved'"
	if os.Getenv(variable) == "" { // it is set in the processes that measure
		b.Setenv(variable, startBus(b))
	}
	own := func() error {
		sockets, err := parseAddress(os.Getenv(variable), "")
		if err != nil {
			return err
		}
		sockets[0].bus = false // there is no systemd to look for
		c, err := dial(sockets[0], time.Now().Add(Patience))
		if err != nil {
			return err
		}
		c.bus = true
		for _, call := range [][]any{{"Hello"}, {"AddMatch", match}, {"GetNameOwner", busName}} {
			if _, err := c.call(busName, path, busName, call[0].(string), call[1:]...); err != nil {
				return err
			}
		}
		return c.close()
	}
	library := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		c, err := dbus.Dial(os.Getenv(variable), dbus.WithContext(ctx))
		if err != nil {
			return err
		}
		if err := c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
			return err
		}
		if err := c.Hello(); err != nil {
			return err
		}
		if call := c.BusObject().CallWithContext(ctx, busName+".AddMatch", 0, match); call.Err != nil {
			return call.Err
		}
		if call := c.BusObject().CallWithContext(ctx, busName+".GetNameOwner", 0, busName); call.Err != nil {
			return call.Err
		}
		return c.Close()
	}
	firstuse.Compare(b, map[string]func() error{"own": own, "library": library})
}
