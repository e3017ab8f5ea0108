// SPDX-License-Identifier: Apache-2.0

package snapshot

import "context"

func (r *run) bpf(ctx context.Context) error { return nil }
