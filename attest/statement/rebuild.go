package statement

import (
	"encoding/hex"
	"strconv"
	"time"
)

// builderID names the kind of builder in SLSA's sense; who ran it is told by the signature.
const builderID = "https://github.com/countersign-project/countersign/builder/v1"

// Rebuild is an auditor's statement that they built the artifacts themselves, from this source with
// this recipe, and got these bytes. As SLSA provenance v1:
//
//	subject                   Artifacts: path, sha256, annotation "length"
//	externalParameters        event, release (sha256 of release.json), source, recipe
//	internalParameters        bootstrap, builder, environment
//	resolvedDependencies      source (gitCommit, gitTree, h1), toolchain (h1), go.sum (sha256)
//	runDetails.metadata       invocationId = event, startedOn, finishedOn
type Rebuild struct {
	Event        string     // event the rebuild was made for, 64 hex digits
	Release      [32]byte   // sha256 of the release.json it was compared with
	SourceCommit string     // git commit, 40 (or 64) hex digits
	SourceTree   string     // git tree of that commit, 40 (or 64) hex digits
	SourceH1     string     // "h1:…" of the exported tree
	Recipe       string     // sha256 of builds/recipe.toml, hex
	Go           string     // "go1.26.8"
	ToolchainH1  string     // "h1:…" of the toolchain for the building host
	Bootstrap    string     // how the toolchain came to be; free text, may be empty
	ModulesSum   string     // sha256 of go.sum, hex
	Env          []string   // the whole environment of the build, "NAME=value"
	Builder      string     // the machine and system; free text, may be empty
	Started      time.Time  // whole seconds
	Finished     time.Time  // whole seconds, not before Started
	Artifacts    []Artifact // what came out, sorted by path, at least one
}

// Artifact is one file that came out of a rebuild.
type Artifact struct {
	Path   string // as in release.json: "linux-amd64/messenger"
	SHA256 [32]byte
	Length int64 // bytes
}

type rebuildWire struct {
	header
	Predicate struct {
		BuildDefinition struct {
			BuildType          string `json:"buildType"`
			ExternalParameters struct {
				Event   string            `json:"event"`
				Release map[string]string `json:"release"`
				Source  sourceWire        `json:"source"`
				Recipe  map[string]string `json:"recipe"`
			} `json:"externalParameters"`
			InternalParameters struct {
				Bootstrap   string   `json:"bootstrap"`
				Builder     string   `json:"builder"`
				Environment []string `json:"environment"`
			} `json:"internalParameters"`
			ResolvedDependencies []resource `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
			Metadata struct {
				InvocationID string `json:"invocationId"`
				StartedOn    string `json:"startedOn"`
				FinishedOn   string `json:"finishedOn"`
			} `json:"metadata"`
		} `json:"runDetails"`
	} `json:"predicate"`
}

type sourceWire struct {
	Commit string `json:"commit"`
	Tree   string `json:"tree"`
	H1     string `json:"h1"`
}

// Encode prints the statement, or says which field is wrong.
func (r Rebuild) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, &Error{err.Error()}
	}
	var w rebuildWire
	w.Type, w.PredicateType = TypeStatement, PredicateProvenance
	for _, a := range r.Artifacts {
		w.Subject = append(w.Subject, resource{a.Path, map[string]string{"sha256": hex.EncodeToString(a.SHA256[:])},
			map[string]string{"length": strconv.FormatInt(a.Length, 10)}})
	}
	def, run := &w.Predicate.BuildDefinition, &w.Predicate.RunDetails
	def.BuildType = BuildTypeRebuild
	def.ExternalParameters.Event = r.Event
	def.ExternalParameters.Release = map[string]string{"sha256": hex.EncodeToString(r.Release[:])}
	def.ExternalParameters.Source = sourceWire{r.SourceCommit, r.SourceTree, r.SourceH1}
	def.ExternalParameters.Recipe = map[string]string{"sha256": r.Recipe}
	def.InternalParameters.Bootstrap = r.Bootstrap
	def.InternalParameters.Builder = r.Builder
	def.InternalParameters.Environment = r.Env
	if r.Env == nil {
		def.InternalParameters.Environment = []string{}
	}
	def.ResolvedDependencies = []resource{
		{"source", map[string]string{"gitCommit": r.SourceCommit, "gitTree": r.SourceTree}, map[string]string{"h1": r.SourceH1}},
		{"toolchain " + r.Go, map[string]string{}, map[string]string{"go": r.Go, "h1": r.ToolchainH1}},
		{"go.sum", map[string]string{"sha256": r.ModulesSum}, nil},
	}
	run.Builder.ID = builderID
	run.Metadata.InvocationID = r.Event
	run.Metadata.StartedOn, run.Metadata.FinishedOn = timeText(r.Started), timeText(r.Finished)
	return encode(w)
}

// parseRebuild reads the fields; Parse then compares the whole print, which covers what is said twice.
func parseRebuild(b []byte) (r *Rebuild, err error) {
	var w rebuildWire
	if err := decode(b, &w); err != nil {
		return nil, err
	}
	def, run := w.Predicate.BuildDefinition, w.Predicate.RunDetails
	if def.BuildType != BuildTypeRebuild {
		return nil, refusef("build type %q, want %q", def.BuildType, BuildTypeRebuild)
	}
	deps := def.ResolvedDependencies
	if len(deps) != 3 {
		return nil, refusef("%d resolved dependencies, want source, toolchain and go.sum", len(deps))
	}
	ext, in := def.ExternalParameters, def.InternalParameters
	r = &Rebuild{Event: ext.Event, SourceCommit: ext.Source.Commit, SourceTree: ext.Source.Tree, SourceH1: ext.Source.H1,
		Recipe: ext.Recipe["sha256"], Go: deps[1].Annotations["go"], ToolchainH1: deps[1].Annotations["h1"],
		Bootstrap: in.Bootstrap, ModulesSum: deps[2].Digest["sha256"], Env: in.Environment, Builder: in.Builder}
	if r.Release, err = digest(ext.Release["sha256"]); err != nil {
		return nil, err
	}
	if r.Started, err = parseTime(run.Metadata.StartedOn); err != nil {
		return nil, err
	}
	if r.Finished, err = parseTime(run.Metadata.FinishedOn); err != nil {
		return nil, err
	}
	for _, s := range w.Subject {
		a := Artifact{Path: s.Name}
		if a.SHA256, err = digest(s.Digest["sha256"]); err != nil {
			return nil, err
		}
		if a.Length, err = strconv.ParseInt(s.Annotations["length"], 10, 64); err != nil {
			return nil, refusef("subject %q: length %q, want a number", s.Name, s.Annotations["length"])
		}
		r.Artifacts = append(r.Artifacts, a)
	}
	return r, nil
}
