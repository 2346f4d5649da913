// SPDX-License-Identifier: Apache-2.0

package ocispec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/codec/codectest"
	"github.com/berth-run/berth/libcontainer/internal/firstuse"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// sample is what the fuzz test reads: a config.json, and values of types that a config.json does
// not have.
type sample struct {
	specs.Spec

	Created time.Time           `json:"created,omitzero"`
	Raw     json.RawMessage     `json:"raw,omitzero"`
	Set     map[string]struct{} `json:"set,omitzero"`
}

func sampleFields(c *codec.Coder, v *sample) {
	codec.Time(c, "created", &v.Created)
	codec.Raw(c, "raw", &v.Raw)
	codec.Set(c, "set", &v.Set)
	plainFields(c, &v.Spec)
}

// plainFields are specFields without the text of the process.
func plainFields(c *codec.Coder, v *specs.Spec) {
	whole := config{Spec: *v}
	specFields(c, &whole)
	*v = whole.Spec
}

// reference reads as encoding/json does, without the parts for other platforms.
func reference(document []byte) (*sample, error) {
	v := new(sample)
	type plain sample
	// Named fields override those of the embedded struct, so these swallow the keys of the
	// other platforms, whatever their type.
	shadow := struct {
		*plain
		Solaris json.RawMessage `json:"solaris"`
		Windows json.RawMessage `json:"windows"`
		VM      json.RawMessage `json:"vm"`
		ZOS     json.RawMessage `json:"zos"`
		FreeBSD json.RawMessage `json:"freebsd"`
	}{plain: (*plain)(v)}
	err := json.Unmarshal(document, &shadow)
	return v, err
}

// compare compares the codec with encoding/json, in both directions.
func compare(t *testing.T, document string) {
	t.Helper()
	want, wantErr := reference([]byte(document))
	got, err := codec.Read(document, sampleFields)
	if strings.TrimSpace(document) == "null" {
		if err == nil {
			t.Error("null accepted as an object")
		}
		return
	}
	if wantErr == nil && isInvalidUTF8(err) {
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error is %v, of encoding/json %v", err, wantErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Fatalf("differs from encoding/json:\n got %s\nwant %s", g, w)
	}
	codectest.Written(t, got, sampleFields)
	// A string that is not valid UTF-8 is written like encoding/json does it.
	hostname := sample{Spec: specs.Spec{Hostname: document, Annotations: map[string]string{document: "\xff"}}}
	written := codec.Write(&hostname, sampleFields)
	byJSON, err := json.Marshal(&hostname)
	if err != nil {
		t.Fatal(err)
	}
	again, err := reference(written)
	wanted, wantedErr := reference(byJSON)
	if err != nil || wantedErr != nil || !reflect.DeepEqual(again, wanted) {
		t.Fatalf("written as %s, by encoding/json as %s: %v, %v", written, byJSON, err, wantedErr)
	}
}

// isInvalidUTF8 reports whether an error is about bytes that are not valid UTF-8. encoding/json
// replaces them.
func isInvalidUTF8(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "half a surrogate pair") || strings.Contains(err.Error(), "a string is UTF-8"))
}

// samples are documents as engines write them, and unusual ones.
func samples(t testing.TB) []string {
	files, err := filepath.Glob("../../../specconv/testdata/*.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("testdata: %v, %v", files, err)
	}
	var all []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return append(all, strange...)
}

// strange documents are those that decoders often read differently.
var strange = []string{
	`{}`, ` { } `, `null`, `[]`, ``, `{`, `{}x`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`, "\ufeff{}", "{}\x00",
	`{"process":null,"mounts":null,"annotations":null,"hostname":null}`,
	`{"process":{},"mounts":[],"annotations":{},"linux":{"sysctl":{"a":null}}}`,
	`{"Process":{"CWD":"/","cwd":"/a","ARGS":["x"]},"HOSTNAME":"h"}`,
	`{"ho\u0073tname":"a\ud83d\ude00b\ud83dc\ude00\ud83d\ud83d\n\/\b\f\r\t\"\\"}`,
	"{\"hostname\":\"\xff\xfe\xe2\x28\"}", "{\"hostname\":\"a\nb\"}", `{"hostname":"\x"}`, `{"hostname":"\u12g4"}`, `{"hostname":"\ud83d\u12"}`,
	"{\"ho\u017ftname\":\"long s folds to s\"}", "{\"\xff\":1}",
	`{"process":{"args":["a","b"]},"process":{"args":["c"],"env":["d=e"]}}`,
	`{"mounts":[{"type":"a"},{"type":"b","source":"x"}],"mounts":[{"source":"c"}],"mounts":[{},{}]}`,
	`{"process":{"umask":1},"process":{"user":{"umask":18,"uid":0}}}`,
	`{"linux":{"sysctl":{"a":"1"},"sysctl":{"b":"2"},"namespaces":[{"type":"pid"}]}}`,
	`{"process":{"user":{"uid":4294967295}}}`, `{"process":{"user":{"uid":4294967296}}}`, `{"process":{"user":{"uid":-1}}}`,
	`{"process":{"user":{"uid":-0}}}`, `{"process":{"oomScoreAdj":-0}}`, `{"process":{"oomScoreAdj":01}}`, `{"process":{"oomScoreAdj":1e2}}`,
	`{"process":{"oomScoreAdj":1.0}}`, `{"process":{"oomScoreAdj":-}}`, `{"process":{"oomScoreAdj":9223372036854775808}}`,
	`{"process":{"rlimits":[{"hard":18446744073709551615}]}}`, `{"process":{"terminal":"true"}}`, `{"process":{"terminal":truf}}`,
	`{"process":{"args":"sh"}}`, `{"process":{"args":[1]}}`, `{"process":{"args":[null,"a"]}}`, `{"process":[]}`, `{"annotations":[]}`, `{"annotations":{"a":1}}`,
	`{"linux":{"resources":{"memory":{"limit":null},"blockIO":{"weightDevice":[{"major":8,"weight":10}]}}}}`,
	`{"unknown":[1,2.5e-3,{"a":[true,false,null]},"x"]}`, `{"unknown":[1,]}`, `{"unknown":tru}`, `{"unknown":1.}`, `{"unknown":1e}`, `{"unknown":+1}`,
	`{"windows":[],"vm":1,"zos":"x","solaris":true,"freebsd":null}`, `{"windows":{"a":}}`,
	`{"created":"2026-01-02T03:04:05.000006789+01:00"}`, `{"created":"2026-01-02"}`, `{"created":null}`, `{"created":5}`, `{"created":"0001-01-01T00:00:00Z"}`,
	`{"raw":{"a" : [1, "x"]},"raw":null}`, `{"raw": [1 ]}`, `{"raw":tru}`, `{"set":{"a":{},"b":null,"c":{"d":1}}}`, `{"set":{"a":1}}`,
	`{"annotations":{"b":"\u0000\"","a":""},"linux":{"devices":[{"major":-1,"fileMode":511,"uid":0}],"resources":{}}}`,
	`{"unknown":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`,
	`{"unknown":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	`{"unknown":` + strings.Repeat("[", 100000),
}

func TestSameAsEncodingJSON(t *testing.T) {
	for _, document := range samples(t) {
		compare(t, document)
	}
}

// FuzzCodec is the fuzz test of package codec. A config.json has nearly everything that it
// reads.
func FuzzCodec(f *testing.F) {
	for _, document := range samples(f) {
		if len(document) < 4096 { // long seeds slow down the fuzzer
			f.Add(document)
		}
	}
	f.Fuzz(compare)
}

func TestEveryField(t *testing.T) {
	codectest.Fields(t, plainFields, "Solaris", "Windows", "VM", "ZOS", "FreeBSD")
	codectest.Fields(t, stateFields)
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ document, want string }{
		{"", `line 1, column 1: unexpected end of the file, expected a value`},
		{"null", `line 1, column 1: expected an object, found null`},
		{"nonsense", `line 1, column 2: invalid character 'o', expected "null"`},
		{"{\n  \"a\": 1,\n  \"b\": 2;\n}", `line 3, column 9: invalid character ';', expected ',' or '}'`},
		{"{\n\t\"ä\": 'x'\n}", `line 2, column 7: invalid character '\'', expected a value`},
		{"{\"a\": 1,}", `line 1, column 9: invalid character '}', expected a key in double quotes`},
		{"{\"a\":\"x\n\"}", `line 1, column 8: invalid character '\n', expected the string to go on`},
		{"{\"a\": \xff}", `line 1, column 7: invalid byte 0xff, expected a value`},
		{"{\"process\": {\"args\": [\"a\", \"x\xffy\"]}}", `line 1, column 30: process.args[1]: invalid byte 0xff, a string is UTF-8`},
		{"{\"root\": {\"path\": \"\\n\xe2\x28\"}}", `line 1, column 22: root.path: invalid byte 0xe2, a string is UTF-8`},
		{`{"hostname": "a\ud83dc"}`, `line 1, column 16: hostname: half a surrogate pair: \ud83d is no character`},
		{`{"hostname": "\ude00\ud83d"}`, `line 1, column 15: hostname: half a surrogate pair: \ude00 is no character`},
		{"{\"annotations\": {\"\xc3\": \"\"}}", `line 1, column 19: annotations: invalid byte 0xc3, a string is UTF-8`},
		{"{} {}", `line 1, column 4: invalid character '{', expected the end of the file`},
		{`{"process": {"args": 5}}`, `line 1, column 22: process.args: expected an array of strings, found a number`},
		{`{"process": {"args": ["a", {}]}}`, `line 1, column 28: process.args[1]: expected a string, found an object`},
		{`{"mounts": [{}, {"Options": [1]}]}`, `line 1, column 30: mounts[1].options[0]: expected a string, found a number`},
		{`{"mounts": "x"}`, `line 1, column 12: mounts: expected an array of objects, found a string`},
		{`{"linux": {"sysctl": {"net.a": 1}}}`, `line 1, column 32: linux.sysctl.net.a: expected a string, found a number`},
		{`{"process": {"user": {"uid": -1}}}`, `line 1, column 30: process.user.uid: number -1 is out of range (0 to 4294967295)`},
		{`{"process": {"user": {"additionalGids": true}}}`, `line 1, column 41: process.user.additionalGids: expected an array of integers, found a boolean`},
		{`{"process": {"oomScoreAdj": 1.5}}`, `line 1, column 29: process.oomScoreAdj: expected an integer, found 1.5`},
		{`{"process": {"terminal": 1}}`, `line 1, column 26: process.terminal: expected true or false, found a number`},
		{`{"process": [`, `line 1, column 13: process: expected an object, found an array`},
		{`{"a": [1, 2`, `line 1, column 12: unexpected end of the file, expected ',' or ']'`},
	} {
		_, _, _, err := Spec(tt.document)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.document, err, tt.want)
		}
	}
}

func TestResourcesNull(t *testing.T) {
	for _, document := range []string{"null", " null\n"} {
		r, _, err := Resources(document)
		if err != nil || !reflect.DeepEqual(r, new(specs.LinuxResources)) {
			t.Errorf("%q: %+v, %v", document, r, err)
		}
	}
	for document, want := range map[string]string{
		"nul":     `line 1, column 4: unexpected end of the file, expected "null"`,
		"null {}": `line 1, column 6: invalid character '{', expected the end of the file`,
		"[]":      `line 1, column 1: expected an object, found an array`,
	} {
		if _, _, err := Resources(document); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", document, err, want)
		}
	}
}

// BenchmarkFirstUse measures what a command pays to read its config.json.
func BenchmarkFirstUse(b *testing.B) {
	document := samples(b)[0]
	firstuse.Compare(b, map[string]func() error{
		"fields": func() error {
			_, _, _, err := Spec(document)
			return err
		},
		"json": func() error { return json.Unmarshal([]byte(document), new(specs.Spec)) },
	})
}

// TestNotices: keys that are ignored, or count only in part, are probably mistakes.
func TestNotices(t *testing.T) {
	for _, tt := range []struct {
		document string
		want     []string
	}{
		{`{"ociVersion":"1.3.0","hostname":"x"}`, nil},
		{`{"hostname":"x","ociVersion":"1.3.0"}`, nil}, // in another order
		{`{"windows":{"x":1},"vm":{},"zos":{},"solaris":{},"freebsd":{}}`, nil},
		{`{"Hostname":"x"}`, nil}, // encoding/json accepts it
		{
			"{\"ociVersion\": \"1.3.0\",\n  \"mount\": [], \"linux\": {\"resources\": {\"memoryy\": {\"limit\": 1}}}}",
			[]string{
				`line 2, column 3: unknown key "mount" is ignored (did you mean "mounts"?)`,
				`line 2, column 40: unknown key "memoryy" is ignored (did you mean "memory"?)`,
			},
		},
		{`{"process":{"noNewPriviledges":true}}`, []string{`line 1, column 13: unknown key "noNewPriviledges" is ignored (did you mean "noNewPrivileges"?)`}},
		{`{"x-of-mine":{"hostname":1}}`, []string{`line 1, column 2: unknown key "x-of-mine" is ignored`}},
		{`{"hostname":"a","hostname":"b"}`, []string{`line 1, column 17: the key "hostname" occurs twice in the object, and its last value counts`}},
		{
			`{"root":{"path":"a"},"hostname":"h","root":{"path":"b"}}`,
			[]string{`line 1, column 37: the key "root" occurs twice in the object, and its last value counts`},
		},
		{`{"mounts":[{"source":"a"},{"source":"b"}],"process":{"args":[]}}`, nil}, // in two objects
	} {
		_, _, notices, err := Spec(tt.document)
		var got []string
		for _, n := range notices {
			got = append(got, n.String())
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, want %q", tt.document, got, err, tt.want)
		}
	}
	_, notices, err := Resources(`{"memory":{"limit":1},"cpus":{}}`)
	if err != nil || len(notices) != 1 || notices[0].String() != `line 1, column 23: unknown key "cpus" is ignored (did you mean "cpu"?)` {
		t.Errorf("resources: %v, %v", notices, err)
	}
}
