// SPDX-License-Identifier: Apache-2.0

// Package options has the groups of flags that make something whole: a process, limits, or what
// criu is told.
package options

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer"
	"github.com/spf13/pflag"
)

// CRIU has the options that checkpoint and restore share.
type CRIU struct {
	libcontainer.CriuOptions
	emptyNS []string
}

// Declare adds the options to f. done is "saved" or "restored", for the help texts.
func (o *CRIU) Declare(f *pflag.FlagSet, done string) {
	f.StringVar(&o.ImagePath, "image-path", "", "keep the images in `DIR` (default: checkpoint)")
	f.StringVar(&o.WorkPath, "work-path", "", "keep criu's log and statistics in `DIR` (default: the directory of the images)")
	f.BoolVar(&o.TCPEstablished, "tcp-established", false, "allow open TCP connections to be "+done)
	f.BoolVar(&o.ExtUnixSk, "ext-unix-sk", false, "allow unix sockets that are connected to a process outside the container to be "+done)
	f.BoolVar(&o.ShellJob, "shell-job", false, "allow processes that belong to a shell's session and terminal to be "+done)
	f.BoolVar(&o.FileLocks, "file-locks", false, "allow file locks to be "+done)
	f.BoolVar(&o.LinkRemap, "link-remap", false, "allow open files that have been removed, by linking them again")
	f.BoolVar(&o.LazyPages, "lazy-pages", false, "transfer memory only when it is needed (see criu lazy-pages)")
	f.BoolVar(&o.AutoDedup, "auto-dedup", false, "remove data from an image that is already in a later image or in memory")
	f.StringVar(&o.ManageCgroupsMode, "manage-cgroups-mode", "", "let criu manage cgroups in `MODE`: soft (default), full, strict or ignore")
	f.StringVar(&o.NetworkLock, "network-lock", "", "block packets by `METHOD`: iptables (criu's default), nftables or skip")
	f.StringArrayVar(&o.emptyNS, "empty-ns", nil, "leave out the contents of the namespace `TYPE`; only network is supported")
}

// Complete checks the options and makes the paths absolute. criu is the program, "" for the usual one.
func (o *CRIU) Complete(criu string) error {
	o.Criu = criu
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

// ParsePageServer parses ADDRESS:PORT. An IPv6 address may be in brackets.
func ParsePageServer(text string) (*libcontainer.PageServer, error) {
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
