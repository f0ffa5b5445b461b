package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/attest/witness"
	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/durable"
)

type witnessOptions struct {
	Keys           []string
	PassphraseFile string
	LogPolicies    []string
	Dir            string
	Listen         string
}

func newWitnessCommand(app *cli.App) *cobra.Command {
	var o witnessOptions
	c := &cobra.Command{
		Use:     "witness",
		Short:   "Cosign the heads of a public log, so that nobody is shown another log",
		GroupID: groupAuditor,
		Long: `Cosign the heads of a public log, so that nobody is shown another log.

A witness remembers the largest head of each log that it ever cosigned, and cosigns another one only with
a proof that the log it knows is the beginning of that one. It speaks C2SP tlog-witness: a log sends its
heads to ADDRESS/add-checkpoint. Which logs these are, and which of your keys cosign them, is read from
--log-policy (the distribution's log.policy; without it the one built into this program); put a web
server with TLS in front, and give its address to the distribution for that file.

Keep --dir on a disk that lasts, and bring it back from no backup: a witness that forgot what it cosigned
would cosign a fork. A log that forks, goes back, or comes with a wrong proof is refused; the two signed
heads are kept in --dir, and their file is named in the line that tells of it. Show them to the others.

Every cosignature and every refusal is a line (with --json an object), up to 60 a minute, and each fork.
An interrupt ends it; nothing that was cosigned is forgotten, however it ends.

Example:

    countersign witness --keys ana.key --log-policy log.policy --dir /var/lib/countersign-witness --listen 127.0.0.1:8739

Exit codes: 0 stopped by an interrupt, 2 wrong usage, 3 could not listen, or the directory is in use or damaged.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runWitness(ctx, app, o)
		},
	}
	c.Flags().StringArrayVar(&o.Keys, "keys", nil, "file with your witness keys, or ssh-agent:…; may be repeated")
	c.Flags().StringVar(&o.PassphraseFile, "passphrase-file", "", "file that holds the keys' passphrase in one line")
	c.Flags().StringArrayVar(&o.LogPolicies, "log-policy", nil, "log.policy of a log to cosign; may be repeated (default: the one built into this program)")
	c.Flags().StringVar(&o.Dir, "dir", "", "directory that remembers what was cosigned, and keeps evidence")
	c.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8739", "address to listen on")
	return c
}

func runWitness(ctx context.Context, app *cli.App, o witnessOptions) error {
	if len(o.Keys) == 0 {
		return cli.Usagef("--keys is missing: the file with your witness keys")
	}
	if o.Dir == "" {
		return cli.Hint(cli.Usagef("--dir is missing: where to remember what was cosigned"), "always give the same directory: a witness that forgets would cosign a fork")
	}
	logs, err := o.logs(app)
	if err != nil {
		return err
	}
	w, err := witness.Open(o.Dir, logs, app.Now)
	if errors.Is(err, durable.ErrLocked) {
		return cli.Hint(err, "another witness uses "+o.Dir+"; two with one key must not run, since neither would know what the other cosigned")
	}
	if err != nil {
		return err
	}
	defer w.Close()
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	lines := &witnessLines{app: app}
	if err := lines.start(w, "http://"+ln.Addr().String(), logs); err != nil {
		return err
	}
	return witness.Serve(ctx, ln, w.Handler(lines.tell))
}

// logs reads which logs to cosign, and finds the keys to do it with.
func (o witnessOptions) logs(app *cli.App) ([]witness.Log, error) {
	policies, err := o.policies()
	if err != nil {
		return nil, err
	}
	ring, err := signer.Open(o.Keys, app.Passphrase(o.PassphraseFile), app.Getenv)
	if errors.Is(err, signer.ErrPassphrase) {
		return nil, cli.Usagef("%v", err)
	}
	if err != nil {
		return nil, err
	}
	var logs []witness.Log
	used := map[string]bool{}
	for _, p := range policies {
		l := witness.Log{Key: p.Log().Key}
		for _, w := range p.Witnesses() {
			if s, ok := ring.FindNote(w.Key); ok {
				l.Keys = append(l.Keys, witness.Cosigner{Key: w.Key, Signer: s})
				used[s.String()] = true
			}
		}
		if len(l.Keys) == 0 {
			return nil, cli.Hint(cli.Usagef("none of the keys in %s is a witness of the log %s", strings.Join(o.Keys, ", "), p.Origin()),
				"the log.policy names: "+witnessNames(p),
				"countersign key show --key-name NAME "+o.Keys[0]+" prints your verifier keys; they have to be in the log.policy under the same name")
		}
		if slices.ContainsFunc(logs, func(other witness.Log) bool { return other.Key.Name == l.Key.Name }) {
			return nil, cli.Usagef("two of the policies are for the log %s", p.Origin())
		}
		logs = append(logs, l)
	}
	for _, s := range ring {
		if p := purposeOf(s); (p == "witness" || p == "witness-mldsa") && !used[s.String()] {
			app.Say("not used, since no log.policy given here names it: %s", s)
		}
	}
	return logs, nil
}

func (o witnessOptions) policies() ([]proof.Policy, error) {
	var texts []string
	var list [][]byte
	for _, path := range o.LogPolicies {
		b, err := readAnchor(path)
		if err != nil {
			return nil, err
		}
		texts, list = append(texts, path), append(list, b)
	}
	if len(list) == 0 {
		a, err := anchor.Embedded()
		if err != nil && !errors.Is(err, anchor.ErrNoDistribution) {
			return nil, err
		}
		if len(a.LogPolicy) == 0 {
			return nil, cli.Usagef("--log-policy is missing: this program was built without one, so it does not know which log to cosign")
		}
		texts, list = []string{"the log.policy built into this program"}, [][]byte{a.LogPolicy}
	}
	var out []proof.Policy
	for i, b := range list {
		p, err := proof.ParsePolicy(b)
		if err != nil {
			return nil, cli.Usagef("%s: %v", texts[i], err)
		}
		out = append(out, p)
	}
	return out, nil
}

// witnessNames lists the witnesses of a policy as people know them.
func witnessNames(p proof.Policy) string {
	var list []string
	for _, w := range p.Witnesses() {
		list = append(list, fmt.Sprintf("%s (%s+%08x)", w.Name, w.Key.Name, w.Key.Hash()))
	}
	return strings.Join(list, ", ")
}
