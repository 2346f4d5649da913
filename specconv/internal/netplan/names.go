// SPDX-License-Identifier: Apache-2.0

package netplan

import (
	"net/netip"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/fault"
)

// The files used for name resolution.
const (
	hostsFile  = "/etc/hosts"
	resolvFile = "/etc/resolv.conf"
)

// NameFiles adds the requested files to the plan: hosts(5) and resolv.conf(5).
func (w *Plan) NameFiles(n *decode.Network, plan *configs.Config) error {
	var err error
	if n.Hosts != nil {
		if w.Plan.Hosts, err = w.hosts(n.Hosts, plan.Hostname); err != nil {
			return fault.In(err, w.Field)
		}
	}
	if n.Resolv != nil {
		if w.Plan.Resolv, err = resolv(n.Resolv); err != nil {
			return fault.In(err, w.Field+".resolv")
		}
	}
	for _, m := range plan.Mounts {
		switch {
		case m.Destination == hostsFile && n.Hosts != nil:
			return fault.New(w.Field+".hosts", "%s mounts something on %s already", m.Field, hostsFile)
		case m.Destination == resolvFile && n.Resolv != nil:
			return fault.New(w.Field+".resolv", "%s mounts something on %s already", m.Field, resolvFile)
		}
	}
	return nil
}

// hosts returns the text of /etc/hosts: the loopback, the container's own name and the given
// lines.
func (w *Plan) hosts(list []decode.Host, hostname string) (*string, error) {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	if hostname != "" {
		for i := range w.Plan.Interfaces {
			for _, a := range w.Plan.Interfaces[i].Addresses {
				b.WriteString(a.Addr().String() + "\t" + hostname + "\n")
			}
		}
	}
	for i, h := range list {
		field := fault.Element("hosts", i)
		a, err := netip.ParseAddr(h.Address)
		if err != nil {
			return nil, fault.New(field+".address", "not an IP address: %q", h.Address)
		}
		if len(h.Names) == 0 {
			return nil, fault.New(field+".names", "must have at least one name")
		}
		b.WriteString(a.String())
		for j, name := range h.Names {
			if !isWord(name) {
				return nil, fault.New(fault.Element(field+".names", j), "not the name of a host: %q", name)
			}
			b.WriteString("\t" + name)
		}
		b.WriteByte('\n')
	}
	text := b.String()
	return &text, nil
}

func resolv(r *decode.Resolv) (*string, error) {
	var b strings.Builder
	for i, s := range r.Servers {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fault.New(fault.Element("servers", i), "not an IP address: %q", s)
		}
		b.WriteString("nameserver " + a.String() + "\n")
	}
	for _, l := range [...]struct {
		field, keyword string
		words          []string
	}{{"search", "search", r.Search}, {"options", "options", r.Options}} {
		for i, word := range l.words {
			if !isWord(word) {
				return nil, fault.New(fault.Element(l.field, i), "must be one word: %q", word)
			}
		}
		if len(l.words) > 0 {
			b.WriteString(l.keyword + " " + strings.Join(l.words, " ") + "\n")
		}
	}
	text := b.String()
	return &text, nil
}

// isWord reports whether a text is a single word, in a file whose columns are separated by
// white space, and not a comment.
func isWord(s string) bool {
	return s != "" && s[0] != '#' && s[0] != ';' && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '#'
	})
}

// InterfaceName does the same check as the kernel's dev_valid_name.
func InterfaceName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxInterfaceName &&
		!strings.ContainsAny(name, "/:\x00 \t\n\v\f\r")
}

// maxInterfaceName is the kernel's IFNAMSIZ without the NUL.
const maxInterfaceName = 15
