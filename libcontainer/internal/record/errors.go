// SPDX-License-Identifier: Apache-2.0

package record

import "github.com/berth-run/berth/libcontainer/codes"

// Errors that callers test for. Engines match the texts literally.
var (
	ErrNotExist   = codes.New(codes.ContainerNotFound, "container does not exist")
	ErrExist      = codes.New(codes.ContainerExists, "container with given ID already exists")
	ErrNotRunning = codes.New(codes.ContainerStopped, "container not running")
	ErrInvalidID  = codes.New(codes.IDInvalid, "invalid container ID format")
)
