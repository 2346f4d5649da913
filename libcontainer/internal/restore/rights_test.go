// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"strings"
	"testing"
)

func TestCheckStatus(t *testing.T) {
	const both = "Name:\tsh\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
	for _, test := range []struct {
		status        string
		nnp, filtered bool
		err           string
	}{
		{both, true, true, ""},
		{both, false, false, ""},
		{"", false, false, ""},
		{"NoNewPrivs:\t0\nSeccomp:\t2\n", true, true, "process.noNewPrivileges"},
		{"NoNewPrivs:\t1\nSeccomp:\t0\nSeccomp_filters:\t2\n", true, true, "linux.seccomp"},
		{"Name:\tNoNewPrivs:\t1\n", true, false, "process.noNewPrivileges"},
		{"", true, false, "process.noNewPrivileges"},
	} {
		err := checkStatus(test.status, test.nnp, test.filtered)
		if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
