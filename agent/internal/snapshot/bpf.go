// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"

	"plumbline.dev/agent/internal/objects"
)

func (r *run) bpf(ctx context.Context) error {
	if err := r.read(ctx, "bpf/programs.json", func() (any, error) { return objects.Programs(r.Own) }); err != nil {
		return err
	}
	if err := r.read(ctx, "bpf/maps.json", func() (any, error) { return objects.Maps() }); err != nil {
		return err
	}
	attachments, err := objects.Attachments(ctx, r.view, r.Scope.CgroupRoot)
	if err := r.partial(ctx, "bpf/links.json", attachments, err); err != nil {
		return err
	}
	pins, err := objects.Pins(ctx)
	return r.partial(ctx, "bpf/pins.json", pins, err)
}

// partial adds what could be read, and the reason why it is not all.
func (r *run) partial(ctx context.Context, path string, value any, failure error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failure != nil {
		if err := r.problem(path, failure); err != nil {
			return err
		}
	}
	return r.file(path, value)
}
