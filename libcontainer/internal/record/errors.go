// SPDX-License-Identifier: Apache-2.0

package record

import "errors"

// What callers branch on. Engines match these texts literally.
var (
	ErrNotExist   = errors.New("container does not exist")
	ErrExist      = errors.New("container with given ID already exists")
	ErrNotRunning = errors.New("container not running")
	ErrInvalidID  = errors.New("invalid container ID format")
)
