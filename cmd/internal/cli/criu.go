// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/berth-run/berth/libcontainer"
)

// criuOptions are the options that checkpoint and restore share.
type criuOptions struct {
	libcontainer.CriuOptions
	emptyNS []string
}

// declare adds the options to f; done is what happens to what they name: "saved" or
// "restored".
func (o *criuOptions) declare(f *pflag.FlagSet, done string) {
	f.StringVar(&o.ImagePath, "image-path", "", "keep the images in `DIR` (default: checkpoint)")
	f.StringVar(&o.WorkPath, "work-path", "", "keep criu's log and statistics in `DIR` (default: that of the images)")
	f.BoolVar(&o.TCPEstablished, "tcp-established", false, "let open TCP connections be "+done)
	f.BoolVar(&o.ExtUnixSk, "ext-unix-sk", false, "let unix sockets with another end outside of the container be "+done)
	f.BoolVar(&o.ShellJob, "shell-job", false, "let processes of a shell's session, with its terminal, be "+done)
	f.BoolVar(&o.FileLocks, "file-locks", false, "let file locks be "+done)
	f.BoolVar(&o.LinkRemap, "link-remap", false, "let open files that have been removed be linked again")
	f.BoolVar(&o.LazyPages, "lazy-pages", false, "move memory when it is needed (see criu lazy-pages)")
	f.BoolVar(&o.AutoDedup, "auto-dedup", false, "remove from images what is in another one or in memory already")
	f.StringVar(&o.ManageCgroupsMode, "manage-cgroups-mode", "", "let criu manage cgroups as `MODE` says: soft (default), full, strict or ignore")
	f.StringVar(&o.NetworkLock, "network-lock", "", "hold packets back by `METHOD`: iptables (criu's default), nftables or skip")
	f.StringArrayVar(&o.emptyNS, "empty-ns", nil, "leave out what is in the namespace `TYPE`, which can be network alone")
}

// complete fills in what the options ask for. It makes the paths absolute.
func (o *criuOptions) complete(a *app) error {
	o.Criu = a.global.criu
	if o.ImagePath == "" {
		o.ImagePath = "checkpoint"
	}
	for _, p := range []struct {
		flag string
		path *string
	}{{"image-path", &o.ImagePath}, {"work-path", &o.WorkPath}} {
		if *p.path == "" {
			continue
		}
		abs, err := filepath.Abs(*p.path)
		if err != nil {
			return fmt.Errorf("--%s: %w", p.flag, err)
		}
		*p.path = abs
	}
	for _, ns := range o.emptyNS {
		if ns != "network" {
			return fmt.Errorf("--empty-ns: namespace %q is not supported", ns)
		}
		o.EmptyNetwork = true
	}
	return nil
}

// parsePageServer reads ADDRESS:PORT; an IPv6 address may stand in brackets.
func parsePageServer(text string) (*libcontainer.PageServer, error) {
	colon := strings.LastIndexByte(text, ':')
	if colon <= 0 {
		return nil, errors.New("use --page-server ADDRESS:PORT to specify the page server")
	}
	address := strings.TrimSuffix(strings.TrimPrefix(text[:colon], "["), "]")
	if _, err := netip.ParseAddr(address); err != nil {
		return nil, fmt.Errorf("--page-server: %q is not an IP address", address)
	}
	port, err := strconv.ParseUint(text[colon+1:], 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("--page-server: invalid port number %q", text[colon+1:])
	}
	return &libcontainer.PageServer{Address: address, Port: int(port)}, nil
}
