package signer_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/attest/signer"
)

func TestPublicLines(t *testing.T) {
	keys, err := signer.Generate([]string{"root", "statement"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		bare := signer.FormatPublic(k.Public(), "")
		kind, body, _ := strings.Cut(bare, " ")
		for _, line := range []string{bare, bare + "\n", bare + " Ana Sousa", " " + bare} {
			pub, err := signer.ParsePublic(line)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if got := signer.FormatPublic(pub, ""); got != bare {
				t.Errorf("%q prints as %q", line, got)
			}
		}
		if got := signer.FormatPublic(k.Public(), "two\nlines  x"); got != bare+" two lines x" {
			t.Errorf("a comment broke the line: %q", got)
		}
		for name, line := range map[string]string{
			"nothing":        "",
			"no key":         kind,
			"options":        `command="x" ` + bare,
			"two lines":      bare + "\n" + bare,
			"comment before": "# x\n" + bare,
			"cut":            kind + " " + body[:len(body)-8],
			"other type":     "ssh-rsa " + body,
			"longer":         kind + " " + body + "AAAA",
			"only the body":  body,
			"too long":       bare + strings.Repeat(" x", 1000),
			"rsa":            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7",
		} {
			if pub, err := signer.ParsePublic(line); err == nil {
				t.Errorf("%s: %q gave %s", name, line, signer.Fingerprint(pub))
			}
		}
	}
}

func FuzzParsePublic(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7eCkWCFm1ikmRZb3IUMtY9n8jJDlUfOZyfzLVBsE9a ana")
	f.Add("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA==")
	f.Add(`no-pty ssh-ed25519 AAAA`)
	f.Fuzz(func(t *testing.T, line string) {
		pub, err := signer.ParsePublic(line)
		if err != nil {
			return
		}
		word := strings.Fields(line)
		if got := signer.FormatPublic(pub, ""); got != word[0]+" "+word[1] {
			t.Fatalf("%q prints as %q", line, got)
		}
	})
}
