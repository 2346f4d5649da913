// SPDX-License-Identifier: Apache-2.0

package sysctl

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
)

func FuzzPathOf(f *testing.F) {
	for _, s := range []string{"net.ipv4.x", "net/ipv4/x", "net/../x", "net.//.x", ".", "/", "a.b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key, err := pathOf(name)
		if err == nil && (filepath.Clean("/"+key) != "/"+key || !filepath.IsLocal(key)) {
			t.Errorf("%q becomes %q, which leads elsewhere", name, key)
		}
	})
}

// TestConvert: parameters of the container's own namespaces are accepted, and sorted by name.
func TestConvert(t *testing.T) {
	own := configs.Namespaces{{Type: configs.NewIPC}, {Type: configs.NewNet}, {Type: configs.NewUTS}}
	for _, test := range []struct {
		all  map[string]string
		want []configs.Sysctl
		err  string
	}{
		{nil, nil, ""},
		{
			map[string]string{"net.ipv4.conf.eth0/1.rp_filter": "1", "kernel/shmmax": "2", "net/ipv4/conf/eth0.1/rp_filter": "1", "fs.mqueue.msg_max": "3"},
			[]configs.Sysctl{{Key: "fs/mqueue/msg_max", Value: "3"}, {Key: "kernel/shmmax", Value: "2"}, {Key: "net/ipv4/conf/eth0.1/rp_filter", Value: "1"}},
			"",
		},
		{map[string]string{"kernel.domainname": "d"}, []configs.Sysctl{{Key: "kernel/domainname", Value: "d"}}, ""},
		{map[string]string{"kernel.domainname": "e"}, nil, `sysctl: sysctl "kernel.domainname" is not allowed as it conflicts with the OCI "domainname" field`},
		{map[string]string{"net.a": "1", "net/a": "2"}, nil, `sysctl: "net.a" and "net/a" are the same parameter and have different values`},
		{map[string]string{"user.max_mnt_namespaces": "1"}, nil, `sysctl: sysctl "user.max_mnt_namespaces" ` + configs.PhraseSysctlHost + ": that of users is the host's"},
		{map[string]string{"vm.swappiness": "1"}, nil, `sysctl: sysctl "vm.swappiness" ` + configs.PhraseSysctlHost},
	} {
		got, err := Convert(test.all, "d", own)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if !slices.Equal(got, test.want) || text != test.err {
			t.Errorf("%v: %v, %v", test.all, got, err)
		}
	}
}
