// SPDX-License-Identifier: Apache-2.0

package engines

import "testing"

func dockerStack(t *testing.T, d *dockerEngine) { _, _ = t, d }
