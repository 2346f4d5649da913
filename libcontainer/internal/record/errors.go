// SPDX-License-Identifier: Apache-2.0

package record

import "errors"

// Errors that callers test for. Engines match the texts literally.
var (
	ErrNotExist   = errors.New("container does not exist")
	ErrExist      = errors.New("container with given ID already exists")
	ErrNotRunning = errors.New("container not running")
	ErrInvalidID  = errors.New("invalid container ID format")
)
