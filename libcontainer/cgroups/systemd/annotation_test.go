// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestParseProperty(t *testing.T) {
	tests := []struct{ name, text, want, err string }{
		{name: "TimeoutStopUSec", text: "uint64 123456789", want: "TimeoutStopUSec=@t 123456789"},
		{name: "TimeoutStopSec", text: "7", want: "TimeoutStopUSec=@t 7000000"},
		{name: "TimeoutStopSec", text: "0.25", want: "TimeoutStopUSec=@t 250000"},
		{name: "TimeoutStopSec", text: "uint64 3", want: "TimeoutStopUSec=@t 3000000"},
		{name: "TimeoutStopSec", text: "int16 3", want: "TimeoutStopUSec=@t 3000000"},
		{name: "CollectMode", text: "'inactive-or-failed'", want: `CollectMode="inactive-or-failed"`},
		{name: "DefaultDependencies", text: "true", want: "DefaultDependencies=true"},
		{name: "ConditionFoo", text: "[('a', 1)]", err: "is not a value in GVariant text format"},
		{name: "After", text: "['a.service', 'b.service']", want: `After=["a.service", "b.service"]`},
		{name: "CPUQuotaPerSecUSec", text: "uint64 1", want: "CPUQuotaPerSecUSec=@t 1"},
		{name: "TheSec", text: "int64 1", want: "TheUSec=@t 1000000"},
		{name: "Sec", text: "1", want: "Sec=1"},
		{name: "USec", text: "1", want: "USec=1"},
		{name: "TimeoutStopSec", text: "'7'", err: "not a number of seconds: 7"},
		{name: "TimeoutStopSec", text: "-1", err: "not a number of seconds that can be waited for"},
		{name: "TimeoutStopSec", text: "1e300", err: "not a number of seconds that can be waited for"},
		{name: "TimeoutStopUSec", text: "covfefe", err: `"covfefe" is not a value in GVariant text format`},
		{name: "TimeoutStopUSec", text: "", err: `"" is not a value in GVariant text format`},
		{name: "Description", text: `'{"\'{'`, want: `Description="{\"'{"`},
		{name: "Other", text: "{'a': 1}", err: "no property of a unit has a dictionary"},
		{name: "Other", text: strings.Repeat("{1:", 10) + "1" + strings.Repeat("}", 10), err: "no property of a unit has a dictionary"},
		{name: "Other", text: `'\'' {'`, err: "no property of a unit has a dictionary"},
		{name: "Other", text: strings.Repeat("[<", 10) + "1" + strings.Repeat(">]", 10), err: "no property of a unit is nested so deeply"},
		{name: "Other", text: "['[[[[[[[[', \"<<<<<<<\"]", want: `Other=["[[[[[[[[", "<<<<<<<"]`},
		{
			name: "Other", text: "[" + strings.Repeat("<[1]>, ", 20) + "<[2]>]",
			want: "Other=[" + strings.Repeat("<[1]>, ", 20) + "<[2]>]",
		},
		{name: "Other", text: "\u07c0", err: "only a string may have characters that are not ASCII"},
		{name: "Description", text: "'\u07c0'", want: "Description=\"\u07c0\""},
		{name: "Other", text: "@b []", err: `"@b []" is not a value in GVariant text format`},
		{name: "ab", text: "1", err: `not the name of a property: "ab"`},
		{name: "", text: "1", err: `not the name of a property: ""`},
		{name: "Foo_Bar", text: "1", err: `not the name of a property: "Foo_Bar"`},
		{name: "Foo.Bar", text: "1", err: `not the name of a property: "Foo.Bar"`},
		{name: "Slice", text: "'a.slice'", err: "Slice is what linux.cgroupsPath decides on"},
		{name: "PIDs", text: "[uint32 1]", err: "PIDs is what linux.cgroupsPath decides on"},
	}
	for _, tt := range tests {
		p, err := parseProperty(tt.name, tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s=%s: error %v, want %s", tt.name, tt.text, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s=%s: %v", tt.name, tt.text, err)
			continue
		}
		// When it is sent to systemd, a variant is not wrapped in another one.
		if got := p.name + "=" + wire([]property{p})[0].Value.String(); got != tt.want {
			t.Errorf("%s=%s: got %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestAnnotated(t *testing.T) {
	got, err := annotated(map[string]string{
		"TimeoutStopSec": "1", "CollectMode": "'inactive'",
	})
	if err != nil || len(got) != 2 || got[0].name != "CollectMode" || got[1].name != "TimeoutStopUSec" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = annotated(map[string]string{"TimeoutStopSec": "x"})
	if err == nil || !strings.HasPrefix(err.Error(), `annotations["org.systemd.property.TimeoutStopSec"]: `) {
		t.Errorf("error %v", err)
	}
}

func FuzzParseProperty(f *testing.F) {
	for _, s := range []string{"1", "'a'", "uint64 5", "[1, 2]", "{'a': <1>}", "@as []", "nothing", "<<1>>"} {
		f.Add("TimeoutStopSec", s)
		f.Add("Other", s)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		p, err := parseProperty(name, text)
		if err != nil {
			return
		}
		v := wire([]property{p})[0].Value
		if v.Signature() == (dbus.Signature{}) {
			t.Errorf("%s=%s: a value of no type", name, text)
		}
		c := newConn(nil)
		_, _ = c.encode("a.b", "/", "a.b", "C", []any{wire([]property{p})}) // only the library's limits
	})
}
