// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// reference decodes as encoding/json does, the other platforms' parts left out.
func reference(document []byte) (*specs.Spec, error) {
	spec := new(specs.Spec)
	type plain specs.Spec
	// Named fields win over those of the embedded struct, so these swallow the
	// keys of the other platforms, whatever their type.
	shadow := struct {
		*plain
		Solaris json.RawMessage `json:"solaris"`
		Windows json.RawMessage `json:"windows"`
		VM      json.RawMessage `json:"vm"`
		ZOS     json.RawMessage `json:"zos"`
		FreeBSD json.RawMessage `json:"freebsd"`
	}{plain: (*plain)(spec)}
	err := json.Unmarshal(document, &shadow)
	return spec, err
}

func compare(t *testing.T, document string) {
	t.Helper()
	want, wantErr := reference([]byte(document))
	got, _, err := Spec(document)
	if strings.TrimSpace(document) == "null" {
		if err == nil {
			t.Error("null taken as a config")
		}
		return
	}
	if wantErr == nil && isNoText(err) {
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error is %v, of encoding/json %v", err, wantErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Fatalf("differs from encoding/json:\n got %s\nwant %s", g, w)
	}
}

// isNoText says that an error is about what is no character, for which encoding/json puts
// one that it is not.
func isNoText(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "half a surrogate pair") || strings.Contains(err.Error(), "a string is UTF-8"))
}

func samples(t testing.TB) []string {
	files, err := filepath.Glob("../../testdata/*.json")
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

// strange documents are those in which decoders tend to differ.
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
	`{"unknown":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`,
	`{"unknown":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	`{"unknown":` + strings.Repeat("[", 100000),
}

func TestSameAsEncodingJSON(t *testing.T) {
	for _, document := range samples(t) {
		compare(t, document)
	}
}

func FuzzSpec(f *testing.F) {
	for _, document := range samples(f) {
		if len(document) < 4096 { // long seeds make the fuzzer crawl
			f.Add(document)
		}
	}
	f.Fuzz(compare)
}

// TestEveryField fills every field that specs-go has, so that one that no table
// names, or names wrongly, shows.
func TestEveryField(t *testing.T) {
	spec := new(specs.Spec)
	fill(reflect.ValueOf(spec).Elem())
	spec.Solaris, spec.Windows, spec.VM, spec.ZOS, spec.FreeBSD = nil, nil, nil, nil, nil
	document, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := Spec(string(document))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, spec) {
		again, _ := json.Marshal(got)
		t.Errorf("a field was lost:\n got %s\nwant %s", again, document)
	}
}

// fill gives every field a value that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), e)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(-3)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	}
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
		_, _, err := Spec(tt.document)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.document, err, tt.want)
		}
	}
}

func TestResourcesNull(t *testing.T) {
	for _, document := range []string{"null", " null\n"} {
		r, err := Resources(document)
		if err != nil || !reflect.DeepEqual(r, new(specs.LinuxResources)) {
			t.Errorf("%q: %+v, %v", document, r, err)
		}
	}
	for document, want := range map[string]string{
		"nul":     `line 1, column 4: unexpected end of the file, expected "null"`,
		"null {}": `line 1, column 6: invalid character '{', expected the end of the file`,
		"[]":      `line 1, column 1: expected an object, found an array`,
	} {
		if _, err := Resources(document); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", document, err, want)
		}
	}
}

// BenchmarkSpec is the steady state; what counts for a runtime is the first
// decode of a process, which is dominated by page faults.
func BenchmarkSpec(b *testing.B) {
	document := samples(b)[0]
	b.Run("tables", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := Spec(document); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding_json", func(b *testing.B) {
		for b.Loop() {
			if _, err := reference([]byte(document)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
