package audit

import (
	"context"

	"github.com/countersign-project/countersign/builds/rebuild"
	"github.com/countersign-project/countersign/release/genuine"
)

// Job is one build to be done: what was carried in the event, and where things go.
type Job struct {
	Bundle    string // git bundle that holds the commit
	Commit    string // 40 hex digits
	Modules   string // tar of the module tree
	Out       string // directory for the artifacts, by their paths
	Cache     string // private build cache; "" for none
	Toolchain string // GOROOT to build with; "" to look for one
	Environ   []string
	Progress  func(step string, done, total int64)
}

// Product is what a build made, as the builder found it out: nothing in it is copied from the release.
type Product struct {
	Version     string // from the version file of the tree
	Source      genuine.Source
	Recipe      string // sha256 of the recipe in the tree, hex
	Go          string
	ToolchainH1 string
	Modules     string // sha256 of the go.sum in the tree, hex
	Env         []string
	Artifacts   []Built // sorted by path
}

// Builder makes a Product from a Job. An error means that nothing can be said about the release.
type Builder func(context.Context, Job) (Product, error)

// Hermetic is the Builder of builds/rebuild: all platforms of the recipe, nothing but what was carried in
// the event, no network.
func Hermetic(ctx context.Context, j Job) (Product, error) {
	m, err := rebuild.Build(ctx, rebuild.Options{
		Source: j.Bundle, Rev: j.Commit, Modules: j.Modules, Out: j.Out, Cache: j.Cache, Toolchain: j.Toolchain, Environ: j.Environ,
		Progress: func(step string, done, total int) {
			if j.Progress != nil {
				j.Progress(step, int64(done), int64(total))
			}
		},
	})
	if err != nil {
		return Product{}, err
	}
	p := Product{
		Version: m.Version, Source: genuine.Source{Commit: m.Source.Commit, Tree: m.Source.Tree, H1: m.Source.H1},
		Recipe: m.Recipe, Go: m.Go, ToolchainH1: m.ToolchainH1, Modules: m.Modules, Env: m.Env,
	}
	for _, a := range m.Artifacts {
		p.Artifacts = append(p.Artifacts, Built{a.Path, a.Length, genuine.Digest(a.SHA256)})
	}
	return p, nil
}
