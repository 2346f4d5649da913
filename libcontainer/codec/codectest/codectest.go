// SPDX-License-Identifier: Apache-2.0

// Package codectest has helpers for tests of packages that describe types for package codec.
package codectest

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/berth-run/berth/libcontainer/codec"
)

// Fields compares a description with the struct tags of its type. It fails for a field that no
// line names, or that a line names wrongly. The fields of T listed in without have no line.
func Fields[T any](t *testing.T, fields codec.Fields[T], without ...string) {
	t.Helper()
	v := new(T)
	for i := range reflect.TypeFor[T]().NumField() {
		f := reflect.TypeFor[T]().Field(i)
		if f.IsExported() && !slices.Contains(without, f.Name) {
			fill(reflect.ValueOf(v).Elem().Field(i))
		}
	}
	document, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := codec.Read(string(document), fields)
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if !reflect.DeepEqual(got, v) {
		again, _ := json.Marshal(got)
		t.Errorf("%T: reading loses a field:\n got %s\nwant %s", v, again, document)
	}
	Written(t, v, fields)
}

// Written checks that encoding/json reads what is written as the same value.
func Written[T any](t *testing.T, v *T, fields codec.Fields[T]) {
	t.Helper()
	document := codec.Write(v, fields)
	again := new(T)
	if err := json.Unmarshal(document, again); err != nil {
		t.Fatalf("encoding/json: %v in %s", err, document)
	}
	if !reflect.DeepEqual(again, v) {
		t.Errorf("%T: written as %s:\n got %+v\nwant %+v", v, document, *again, *v)
	}
}

// Fill sets what v points to, and everything below it, to values that are not zero.
func Fill(v any) { fill(reflect.ValueOf(v).Elem()) }

func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{"a":[1]}`))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		fill(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), e)
	case reflect.String:
		v.SetString("text \"\\\x01\t\n\x7f é\u2028<&>")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(-3)
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	}
}
