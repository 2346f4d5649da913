// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestDocumentIsTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long")
	for _, test := range []struct {
		size int64
		want string
	}{{maxDocument, ""}, {maxDocument + 1, path + ": more than 1 MiB"}} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, test.size); err != nil {
			t.Fatal(err)
		}
		a := newApp("berth", nil, nil, nil)
		text, err := a.readDocument(path)
		if test.want == "" {
			if err != nil || int64(len(text)) != test.size {
				t.Errorf("%d bytes: %d read, %v", test.size, len(text), err)
			}
		} else if err == nil || err.Error() != test.want {
			t.Errorf("%d bytes: %v, want %s", test.size, err, test.want)
		}
	}
}

// TestResourcesDocument: the document overrides all other options.
func TestResourcesDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, []byte(`{"pids":{"limit":7}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	a := newApp("berth", stdin, nil, nil)
	for _, from := range []string{file, "-"} {
		o := &updateOptions{resources: from}
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		o.declare(f)
		if err := f.Parse([]string{"--memory=nonsense", "--resources=" + from}); err != nil {
			t.Fatal(err)
		}
		r, err := a.newResources(o)
		if err != nil || r.Memory != nil || *r.Pids.Limit != 7 {
			t.Errorf("%s: %+v, %v", from, r, err)
		}
	}
	if _, err := a.newResources(&updateOptions{resources: "-"}); err == nil || !strings.Contains(err.Error(), "standard input: line 1") {
		t.Errorf("an empty document: %v", err)
	}
}
