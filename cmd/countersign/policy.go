package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
)

// The two policy files of an anchor.
const (
	rulesFile = "policy.json" // what a channel asks, and who the people are
	logFile   = "log.policy"  // who runs the log, and which witnesses must have cosigned
)

func newPolicyCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "policy",
		Short:   "Check policy files, and say in plain words what they ask",
		GroupID: groupAnyone,
		Long: `Check policy files, and say in plain words what they ask.

A distribution has two policies, which are compiled into its programs: policy.json says who the people
are and how many of them must have signed, rebuilt and read a release; log.policy says who runs the
public log and which witnesses must have cosigned its head.`,
	}
	c.AddCommand(newPolicyCheckCommand(app), newPolicyExplainCommand(app))
	return c
}

// policies are the policies of one place; either may be missing.
type policies struct {
	From  string
	Whole bool // all that a distribution has: what is not here does not exist
	Rules *genuine.Policy
	Log   *proof.Policy
}

// policyFile is one file that was read, and whether it is good.
type policyFile struct {
	File   string `json:"file"`
	Kind   string `json:"kind"`             // "policy.json" or "log.policy"
	Good   bool   `json:"good"`             // whether it was accepted
	Line   int    `json:"line,omitempty"`   // of a log policy that was refused
	Reason string `json:"reason,omitempty"` // why it was refused
	Says   string `json:"says,omitempty"`   // what it says, in a few words

	rules *genuine.Policy
	log   *proof.Policy
}

// embeddedPolicies reads the policies built into this program.
func embeddedPolicies() (policies, error) {
	a, err := anchor.Embedded()
	if errors.Is(err, anchor.ErrNoDistribution) {
		return policies{}, cli.Hint(errors.New("this program was built without a distribution, so it has no policy of its own"),
			"name a policy.json, a log.policy or the directory that holds them: countersign policy explain release/anchor/distribution")
	}
	if err != nil {
		return policies{}, err
	}
	p := policies{From: "the distribution built into this program", Whole: true}
	files := []policyFile{readPolicy(rulesFile, a.Policy)}
	if a.LogPolicy != nil {
		files = append(files, readPolicy(logFile, a.LogPolicy))
	}
	return p, p.take(files)
}

// policiesAt reads a file, or the policies in a directory.
func policiesAt(place string) (policies, error) {
	files, whole, err := policyFilesAt(place)
	if err != nil {
		return policies{}, err
	}
	p := policies{From: place, Whole: whole}
	return p, p.take(files)
}

// take puts good files together; a bad one is a refusal.
func (p *policies) take(files []policyFile) error {
	for _, f := range files {
		if !f.Good {
			return f.refusal()
		}
		if f.rules != nil {
			p.Rules = f.rules
		}
		if f.log != nil {
			p.Log = f.log
		}
	}
	return nil
}

func (f policyFile) refusal() error {
	return cli.Refusef("%s: %s", f.File, f.Reason)
}

// policyFilesAt reads a file, or whichever of the two policies a directory holds, which are then the
// whole.
func policyFilesAt(place string) (files []policyFile, whole bool, err error) {
	info, err := os.Stat(place)
	if err != nil {
		return nil, false, cli.Usagef("%v", err)
	}
	if !info.IsDir() {
		b, err := readAnchor(place)
		if err != nil {
			return nil, false, err
		}
		return []policyFile{readPolicy(place, b)}, false, nil
	}
	for _, name := range []string{rulesFile, logFile} {
		file := filepath.Join(place, name)
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			continue
		}
		b, err := readAnchor(file)
		if err != nil {
			return nil, false, err
		}
		files = append(files, readPolicy(file, b))
	}
	if len(files) == 0 {
		return nil, false, cli.Usagef("%s holds neither a %s nor a %s", place, rulesFile, logFile)
	}
	return files, true, nil
}

// readPolicy parses a policy of either kind. JSON begins with a brace and no line of a log policy does.
func readPolicy(file string, b []byte) policyFile {
	f := policyFile{File: file, Kind: logFile}
	if filepath.Ext(file) == ".json" || bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		f.Kind = rulesFile
		rules, err := genuine.ParsePolicy(b)
		if err != nil {
			f.Reason = err.Error()
			return f
		}
		f.Good, f.rules, f.Says = true, &rules, rulesInShort(rules)
		return f
	}
	log, err := proof.ParsePolicy(b)
	var at *proof.PolicyError
	if errors.As(err, &at) {
		f.Line = at.Line
	}
	if err != nil {
		f.Reason = err.Error()
		return f
	}
	f.Good, f.log, f.Says = true, &log, logInShort(log)
	return f
}
