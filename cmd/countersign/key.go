package main

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/cmd/cli"
)

func newKeyCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:     "key",
		Short:   "Make signing keys, show their public halves",
		GroupID: groupAuditor,
		Long: `Make signing keys, show their public halves.

A key file holds a person's keys, one for each purpose, under one passphrase. It is a file that the
program age can decrypt, too. Keys in an ssh-agent are named ssh-agent: (all of them) or
ssh-agent:SHA256:… (one). Only Ed25519 and P-256 keys are used.`,
	}
	c.AddCommand(newKeyNewCommand(app), newKeyShowCommand(app))
	return c
}

// keyNewOptions are the flags of key new.
type keyNewOptions struct {
	Path           string
	Purposes       []string
	Publisher      bool
	Name           string // of the person, with the two below only for the printed lines
	Organisation   string
	Jurisdiction   string
	KeyName        string // of verifier keys
	PassphraseFile string
	WorkFactor     int
}

func newKeyNewCommand(app *cli.App) *cobra.Command {
	var o keyNewOptions
	c := &cobra.Command{
		Use:   "new FILE",
		Short: "Make a new key file",
		Long: `Make a new key file, and print the lines for the distribution file.

An auditor gets four keys: root (changes who may sign), auditor (signs releases), statement (signs
what the auditor found) and witness (cosigns the log's heads, see countersign witness). With
--purpose witness-mldsa beside them, a second witness key holds against quantum computers too. With
--publisher the file gets the online keys: snapshot, timestamp and log. A log or witness key is
printed as a verifier key under the name --key-name, which is made from --name when left away; it
names the log or the witness for ever, so a domain and a path of yours is a good one. The passphrase is asked for twice; for scripts it is read from --passphrase-file or the
variable COUNTERSIGN_PASSPHRASE. A file that is already there is never overwritten. There is no way
to get a lost passphrase back: keep a copy of both.

Example:

    countersign key new --name "Ana Sousa" --organisation "Tejo Labs" --jurisdiction PT ana.key

Exit codes: 0 done, 2 wrong usage, 3 the file could not be written.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Path = args[0]
			return runKeyNew(app, o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.Purposes, "purpose", nil, "what to make a key for: "+strings.Join(signer.Purposes(), ", ")+"; may be repeated (default root, auditor, statement, witness)")
	f.BoolVar(&o.Publisher, "publisher", false, "make the publisher's online keys: snapshot, timestamp and log")
	f.StringVar(&o.Name, "name", "", "name of the person, for the printed lines")
	f.StringVar(&o.Organisation, "organisation", "", "organisation of the person, for the printed lines")
	f.StringVar(&o.Jurisdiction, "jurisdiction", "", "country of the person (two letters, ISO 3166), for the printed lines")
	f.StringVar(&o.KeyName, "key-name", "", "name of the log or witness, such as example.org/ana-sousa (default from --organisation and --name)")
	f.StringVar(&o.PassphraseFile, "passphrase-file", "", "file that holds the passphrase in one line")
	f.IntVar(&o.WorkFactor, "work-factor", signer.WorkFactor, "cost of one guess at the passphrase, as a power of two")
	c.MarkFlagsMutuallyExclusive("purpose", "publisher")
	return c
}

// publicKey is what is shown of a key.
type publicKey struct {
	Purpose     string `json:"purpose,omitempty"` // not known of keys in an ssh-agent
	Public      string `json:"public"`            // OpenSSH's one-line form; of log and witness keys the verifier key
	Fingerprint string `json:"fingerprint"`
	Where       string `json:"where"` // "root key SHA256:… in ana.key"
}

func runKeyNew(app *cli.App, o keyNewOptions) error {
	purposes, err := o.purposes()
	if err != nil {
		return err
	}
	if o.WorkFactor < 1 || o.WorkFactor > signer.MaxWorkFactor {
		return cli.Usagef("--work-factor %d, want 1 to %d", o.WorkFactor, signer.MaxWorkFactor)
	}
	keys, err := signer.Generate(purposes, rand.Reader)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	passphrase, err := newPassphrase(app.Passphrase(o.PassphraseFile), filepath.Base(o.Path))
	if err != nil {
		return err
	}
	shown, err := o.show(keys)
	if err != nil {
		return err
	}
	if err := signer.Write(o.Path, keys, passphrase, o.WorkFactor); errors.Is(err, signer.ErrExists) {
		return cli.Usagef("%v", err)
	} else if err != nil {
		return err
	}
	app.Say("Wrote %s. Keep a copy of it and of the passphrase in another place.", o.Path)
	app.Say("Lines for the distribution file:")
	return app.Print(struct {
		File string      `json:"file"`
		Keys []publicKey `json:"keys"`
	}{o.Path, shown}, o.lines(shown))
}

// purposes applies the defaults and refuses what should not lie in one file.
func (o keyNewOptions) purposes() ([]string, error) {
	switch {
	case o.Publisher:
		return []string{"snapshot", "timestamp", "log"}, nil
	case len(o.Purposes) == 0:
		return []string{"root", "auditor", "statement", "witness"}, nil
	}
	online, offline := false, false
	for _, p := range o.Purposes {
		server := isOnline(p)
		online, offline = online || server, offline || !server
	}
	if online && offline {
		return nil, cli.Usagef("snapshot, timestamp and log keys live on a server: make them in a file of their own")
	}
	return o.Purposes, nil
}

// isOnline reports whether keys of a purpose are the publisher's.
func isOnline(purpose string) bool {
	return purpose == "snapshot" || purpose == "timestamp" || purpose == "log"
}

// show prepares the public halves, and finds out whether they can be printed before anything is written.
func (o keyNewOptions) show(keys []signer.Key) ([]publicKey, error) {
	var out []publicKey
	for _, k := range keys {
		public, err := publicText(k.Purpose, k.Public(), cmp.Or(o.KeyName, keyName(o.Organisation, o.Name)), o.Name)
		if err != nil {
			return nil, cli.Usagef("--key-name: %v", err)
		}
		out = append(out, publicKey{k.Purpose, public, signer.Fingerprint(k.Public()), fmt.Sprint(k)})
	}
	return out, nil
}

// publicText prints a public key as the distribution file wants it.
func publicText(purpose string, pub crypto.PublicKey, name, comment string) (string, error) {
	if !signer.IsNote(purpose) {
		return signer.FormatPublic(pub, comment), nil
	}
	k, err := signer.NoteKey(name, purpose, pub)
	return k.String(), err
}

// keyName makes a verifier key's name out of people's names: "tejo-labs/ana-sousa".
func keyName(parts ...string) string {
	var out []string
	for _, p := range parts {
		words := strings.FieldsFunc(strings.ToLower(p), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
		if len(words) > 0 {
			out = append(out, strings.Join(words, "-"))
		}
	}
	return cmp.Or(strings.Join(out, "/"), "countersign")
}

// lines prints what to paste into the distribution file.
func (o keyNewOptions) lines(keys []publicKey) string {
	var b strings.Builder
	table, log := "[[person]]", ""
	if slices.ContainsFunc(keys, func(k publicKey) bool { return isOnline(k.Purpose) }) {
		table = "[publisher]"
	}
	fmt.Fprintf(&b, "%s\n", table)
	for _, f := range []struct{ name, value string }{{"name", o.Name}, {"organisation", o.Organisation}, {"jurisdiction", o.Jurisdiction}} {
		fmt.Fprintf(&b, "%-12s = %s\n", f.name, tomlString(f.value))
	}
	var witness []string
	for _, k := range keys {
		switch k.Purpose {
		case "witness", "witness-mldsa":
			witness = append(witness, tomlString(k.Public))
		case "log":
			log = tomlString(k.Public)
		default:
			words := strings.Fields(k.Public) // type, key, and a comment that the file has no use for
			fmt.Fprintf(&b, "%-12s = %s\n", k.Purpose, tomlString(words[0]+" "+words[1]))
		}
	}
	if len(witness) > 0 {
		fmt.Fprintf(&b, "%-12s = [%s]\n", "witness", strings.Join(witness, ", "))
	}
	if log != "" {
		fmt.Fprintf(&b, "\n[log]\n%-12s = %s\n", "key", log)
	}
	return b.String()
}

// tomlString quotes a TOML basic string. Go's %q would write \x escapes, which TOML does not have.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// newPassphrase asks twice, since a slip of the finger would lock the keys away for ever.
func newPassphrase(ask func(string) ([]byte, error), name string) ([]byte, error) {
	first, err := ask(fmt.Sprintf("New passphrase for %s: ", name))
	if err != nil {
		return nil, err
	}
	second, err := ask("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, cli.Usagef("the two passphrases differ; nothing was written")
	}
	return first, nil
}

func newKeyShowCommand(app *cli.App) *cobra.Command {
	var passphraseFile, name string
	c := &cobra.Command{
		Use:   "show FILE|ssh-agent:…",
		Short: "Show the public keys of a key file or an ssh-agent",
		Long: `Show the public keys of a key file or an ssh-agent, with purposes and fingerprints. Log and witness
keys are shown as verifier keys under the name --key-name, which a key file does not hold.

Example:

    countersign key show ana.key
    countersign key show ssh-agent:

Exit codes: 0 done, 2 wrong usage or passphrase, 3 the keys could not be read.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, refs []string) error { return runKeyShow(app, refs, passphraseFile, name) },
	}
	c.Flags().StringVar(&name, "key-name", "countersign", "name of the log or witness")
	c.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file that holds the passphrase in one line")
	return c
}

func runKeyShow(app *cli.App, refs []string, passphraseFile, name string) error {
	ring, err := signer.Open(refs, app.Passphrase(passphraseFile), app.Getenv)
	if errors.Is(err, signer.ErrPassphrase) {
		return cli.Usagef("%v", err)
	}
	if err != nil {
		return err
	}
	shown := []publicKey{}
	var text strings.Builder
	for _, s := range ring {
		public, err := publicText(purposeOf(s), s.Public(), name, "")
		if err != nil {
			return cli.Usagef("--key-name: %v", err)
		}
		k := publicKey{purposeOf(s), public, signer.Fingerprint(s.Public()), s.String()}
		shown = append(shown, k)
		fmt.Fprintf(&text, "%s\n    %s\n", k.Where, k.Public)
	}
	return app.Print(shown, text.String())
}

// purposeOf returns what a key is for, or "" where its store does not say.
func purposeOf(s signer.Signer) string {
	if p, ok := s.(interface{ Purpose() string }); ok {
		return p.Purpose()
	}
	return ""
}
