package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// write puts everything on disk, in the order of the package comment.
func (r *Repository) write(ctx context.Context, events event.Store, p *event.Proposal, next State, proof []byte) error {
	if err := r.writeTargets(ctx, events, p, next); err != nil {
		return err
	}
	if err := r.writeEvidence(p, proof); err != nil {
		return err
	}
	b, v := next.Base, next.Published.Versions
	for _, role := range p.Event.Roles() {
		switch role {
		case "root":
		case "targets":
			if err := r.writeMetadata(role, v[role], b.Targets); err != nil {
				return err
			}
		default:
			if err := r.writeMetadata(role, v[role], b.Channels[role]); err != nil {
				return err
			}
		}
	}
	if err := r.writeMetadata("snapshot", v["snapshot"], b.Snapshot); err != nil {
		return err
	}
	if _, ok := p.Metadata["root"]; ok {
		if err := r.writeMetadata("root", v["root"], b.Roots[len(b.Roots)-1]); err != nil {
			return err
		}
	}
	return r.disk().WriteFile(r.path("metadata/timestamp.json"), b.Timestamp)
}

func (r *Repository) writeMetadata(role string, version int64, b []byte) error {
	return r.disk().WriteFile(r.path(fmt.Sprintf("metadata/%d.%s.json", version, role)), b)
}

// writeTargets copies what the new metadata names out of the event, each file checked as it passes. Nothing
// names them yet.
func (r *Repository) writeTargets(ctx context.Context, events event.Store, p *event.Proposal, next State) error {
	if _, ok := p.Metadata["targets"]; ok {
		for name, content := range map[string][]byte{"mirrors.json": next.Base.Mirrors, "policy.json": next.Base.Policy} {
			if err := r.disk().WriteFile(r.path(TargetPath(name, sha256.Sum256(content))), content); err != nil {
				return err
			}
		}
	}
	if p.Event.Kind != event.KindRelease {
		return nil
	}
	for _, a := range p.Manifest.Artifacts {
		to := r.path(TargetPath(p.Manifest.TargetPath(a), a.SHA256))
		if err := r.copyFile(ctx, events, p, "artifacts/"+a.Path, to); err != nil {
			return err
		}
	}
	name := genuine.ManifestPath(p.Manifest.Channel, p.Manifest.Version)
	return r.disk().WriteFile(r.path(TargetPath(name, sha256.Sum256(p.Release))), p.Release)
}

func (r *Repository) copyFile(ctx context.Context, events event.Store, p *event.Proposal, name, to string) error {
	from, err := events.Open(ctx, p.ID, name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return &event.HalfWritten{Name: p.ID.String(), Reason: name + " is missing"}
	}
	if err != nil {
		return err
	}
	defer from.Close()
	checked, err := p.Reader(name, from)
	if err != nil {
		return err
	}
	if err := r.disk().Copy(to, checked); err != nil {
		return fmt.Errorf("%s: %w", path.Base(name), err)
	}
	return nil
}
