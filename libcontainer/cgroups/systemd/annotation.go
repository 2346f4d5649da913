// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/godbus/dbus/v5"
)

// annotated returns the properties from annotations, sorted by name. The values are GVariant
// text. They come after all others.
func annotated(asked map[string]string) ([]property, error) {
	all := make([]property, 0, len(asked))
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		field := "annotations[" + strconv.Quote(configs.UnitPropertyAnnotation+name) + "]"
		p, err := parseProperty(name, asked[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		p.field = field
		all = append(all, p)
	}
	return all, nil
}

// parseProperty parses one property. Names as in unit files (TimeoutStopSec) are converted to
// TimeoutStopUSec, in microseconds.
func parseProperty(name, text string) (property, error) {
	if len(name) < 3 || strings.ContainsFunc(name, notInPropertyName) {
		return property{}, fmt.Errorf("not the name of a property: %q", name)
	}
	if name == "PIDs" || name == "Slice" {
		return property{}, fmt.Errorf("%s is what linux.cgroupsPath decides on", name)
	}
	if err := checkShape(text); err != nil {
		return property{}, err
	}
	value, err := parseVariant(text)
	if err != nil {
		return property{}, fmt.Errorf("%q is not a value in GVariant text format: %w", text, err)
	}
	base, isTime := strings.CutSuffix(name, "Sec")
	if n := len(base) - 1; isTime && n >= 0 && base[n] >= 'a' && base[n] <= 'z' {
		usec, err := microseconds(value.Value())
		if err != nil {
			return property{}, err
		}
		return property{name: base + "USec", value: usec}, nil
	}
	return property{name: name, value: value}, nil
}

// parseVariant returns an error for values for which the library panics: those that do not have
// the type in the text, like "@b []".
func parseVariant(text string) (v dbus.Variant, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return dbus.ParseVariant(text, dbus.Signature{})
}

// mostNested is how deep arrays, structures and variants may be nested. A unit's properties
// need three levels.
const mostNested = 5

// checkShape refuses GVariant text that cannot be a property of a unit. The library needs time
// exponential in the depth of dictionaries, panics if arrays are nested too deeply, and loops
// forever on a digit that is not ASCII.
func checkShape(text string) error {
	quote, depth := byte(0), 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '\'' || c == '"':
			quote = c
		case c >= utf8.RuneSelf:
			return errors.New("only a string may have characters that are not ASCII")
		case c == '{':
			return errors.New("no property of a unit has a dictionary")
		case c == '[' || c == '(' || c == '<':
			depth++
		case c == ']' || c == ')' || c == '>':
			depth--
		}
		if depth > mostNested {
			return errors.New("no property of a unit is nested so deeply")
		}
	}
	return nil
}

func notInPropertyName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// microseconds converts a number of seconds.
func microseconds(value any) (uint64, error) {
	var seconds float64
	switch v := value.(type) {
	case byte:
		seconds = float64(v)
	case int16:
		seconds = float64(v)
	case uint16:
		seconds = float64(v)
	case int32:
		seconds = float64(v)
	case uint32:
		seconds = float64(v)
	case int64:
		seconds = float64(v)
	case uint64:
		seconds = float64(v)
	case float64:
		seconds = v
	default:
		return 0, fmt.Errorf("not a number of seconds: %v", value)
	}
	usec := math.Round(seconds * 1e6)
	if !(usec >= 0 && usec < math.MaxUint64) {
		return 0, errors.New("not a number of seconds that can be waited for")
	}
	return uint64(usec), nil
}
