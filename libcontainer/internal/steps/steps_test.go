// SPDX-License-Identifier: Apache-2.0

package steps

import (
	"errors"
	"strings"
	"testing"
)

func TestUndoRunsBackwardsAndTellsAll(t *testing.T) {
	var order []string
	var u Undo
	cause, second := errors.New("cause"), errors.New("second")
	u.Push("first step", func() error { order = append(order, "first"); return nil })
	u.Push("second step", func() error { order = append(order, "second"); return second })
	err := u.Run(cause)
	if strings.Join(order, " ") != "second first" {
		t.Errorf("order %v", order)
	}
	if !errors.Is(err, cause) || !errors.Is(err, second) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q", err)
	}
}
