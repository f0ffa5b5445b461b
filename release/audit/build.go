package audit

import (
	"context"

	"github.com/countersign-project/countersign/release/genuine"
)

// Job is one build to be done: what was carried in the event, and where things go.
type Job struct {
	Bundle    string // git bundle that holds the commit
	Commit    string // 40 hex digits
	Modules   string // module tree in GOPROXY layout
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
